// engine/ring/buffer_ring.hpp: the receive buffers that all connections of a shard share, lent to the kernel.
//
// Owner    shard, beside its Ring, which it must not outlive.  Thread  the ring's.
// Memory   count x bytes_each, all of it there from the start; the owner charges bytes().
// Failure  open() says why not. A dry ring is no failure: receives end with -ENOBUFS and are armed again (transport).
// Not here who receives (transport). An idle connection holds no buffer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "alloc/base/result.hpp"
#include "alloc/memory/mapped_region.hpp"

struct io_uring_buf_ring;

namespace ringcast {

class Ring;

struct BufferRingOptions {
  std::uint16_t group = 0;
  std::uint32_t count = 256;         // a power of two, at most 32,768
  std::uint32_t bytes_each = 4'096;  // a decision: most commands fit, and 256 are 1 MiB a shard (docs/memory.md)
};

class BufferRing {
 public:
  [[nodiscard]] static Result<std::unique_ptr<BufferRing>, std::string> open(Ring& ring,
                                                                             const BufferRingOptions& options);
  ~BufferRing();
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;

  /// The first `size` bytes of a buffer that a completion named. It is ours until given back.
  [[nodiscard]] MutableBytes view(std::uint16_t buffer, std::uint32_t size);
  /// Makes a buffer the kernel's again, at the next publish().
  void give_back(std::uint16_t buffer);
  /// Shows all given-back buffers to the kernel. Returns how many.
  std::uint32_t publish();

  [[nodiscard]] std::uint16_t group() const { return options_.group; }
  [[nodiscard]] std::uint32_t count() const { return options_.count; }
  /// Buffers that completions brought and that were not given back.
  [[nodiscard]] std::uint32_t held() const { return held_; }
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  BufferRing(Ring& ring, const BufferRingOptions& options, MappedRegion buffers, MappedRegion entries);
  void add(std::uint16_t buffer);

  Ring& ring_;
  BufferRingOptions options_;
  MappedRegion buffers_;
  MappedRegion entries_;  // shared with the kernel
  io_uring_buf_ring* shared_;
  bool registered_ = false;
  std::uint32_t unpublished_ = 0;
  std::uint32_t held_ = 0;
  std::vector<bool> ours_;  // a buffer given back twice would be written by two receives at once
};

}  // namespace ringcast
