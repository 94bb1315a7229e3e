// alloc/memory/mapped_region.hpp: anonymous pages from the kernel, for large buffers that live as long as a shard.
//
// Owner    whoever fills it (buffer rings, scratch).  Thread  any, as its owner says.
// Memory   the size asked for, rounded up to pages; touched at once or page by page as used.
// Failure  map() returns the errno of mmap.
// Not here files (alloc/segment), charging (the caller).
#pragma once

#include <cstddef>
#include <utility>

#include "alloc/base/bytes.hpp"
#include "alloc/base/result.hpp"

namespace ringcast {

enum class Prefault : bool { no, yes };  // yes: every page is there before map() returns, so none faults on the path

class MappedRegion {
 public:
  /// bytes  at least 1; the region has whole pages, all zero.  Error: errno.
  [[nodiscard]] static Result<MappedRegion, int> map(std::size_t bytes, Prefault prefault = Prefault::no);

  MappedRegion() = default;  // empty
  MappedRegion(MappedRegion&& other) noexcept : bytes_{std::exchange(other.bytes_, {})} {}
  MappedRegion& operator=(MappedRegion&& other) noexcept {
    if (this != &other) {
      unmap();
      bytes_ = std::exchange(other.bytes_, {});
    }
    return *this;
  }
  ~MappedRegion() { unmap(); }

  [[nodiscard]] MutableBytes bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

 private:
  explicit MappedRegion(MutableBytes bytes) : bytes_{bytes} {}
  void unmap() noexcept;

  MutableBytes bytes_;
};

}  // namespace ringcast
