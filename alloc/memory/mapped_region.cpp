#include "alloc/memory/mapped_region.hpp"

#include <cerrno>

#include <sys/mman.h>
#include <unistd.h>

#include "alloc/base/ensure.hpp"

namespace ringcast {

Result<MappedRegion, int> MappedRegion::map(std::size_t bytes, Prefault prefault) {
  ensure(bytes > 0, "a mapped region has at least one byte");
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t rounded = (bytes + page - 1) / page * page;
  if (rounded < bytes) return unexpected(ENOMEM);
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (prefault == Prefault::yes ? MAP_POPULATE : 0);
  void* memory = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (memory == MAP_FAILED) return unexpected(errno);
  return MappedRegion{MutableBytes{static_cast<std::uint8_t*>(memory), rounded}};
}

void MappedRegion::unmap() noexcept {
  if (bytes_.empty()) return;
  ensure(munmap(bytes_.data(), bytes_.size()) == 0, "a region is unmapped as it was mapped");
  bytes_ = {};
}

}  // namespace ringcast
