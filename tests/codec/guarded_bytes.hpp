// tests/codec/guarded_bytes.hpp: bytes that end where memory ends, so that reading one too far faults.
//
// Owner  the test.  Thread  any.  Memory  whole pages, unmapped by the destructor.  Failure  ensure().
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "alloc/base/bytes.hpp"
#include "alloc/base/ensure.hpp"

namespace ringcast {

class GuardedBytes {
 public:
  explicit GuardedBytes(std::size_t bytes_max) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    usable_ = std::max<std::size_t>(1, (bytes_max + page - 1) / page) * page;
    mapped_ = usable_ + page;
    void* const at = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ensure(at != MAP_FAILED, "the test's pages can be mapped");
    base_ = static_cast<std::uint8_t*>(at);
    ensure(mprotect(base_ + usable_, page, PROT_NONE) == 0, "the page behind them can be protected");
  }
  ~GuardedBytes() { munmap(base_, mapped_); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  /// A copy of `bytes` whose last byte is the last readable one.
  MutableBytes place(Bytes bytes) {
    ensure(bytes.size() <= usable_, "the bytes fit the pages");
    std::uint8_t* const at = base_ + usable_ - bytes.size();
    std::copy(bytes.begin(), bytes.end(), at);
    return {at, bytes.size()};
  }

 private:
  std::uint8_t* base_ = nullptr;
  std::size_t usable_ = 0;
  std::size_t mapped_ = 0;
};

}  // namespace ringcast
