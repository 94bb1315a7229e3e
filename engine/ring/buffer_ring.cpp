#include "engine/ring/buffer_ring.hpp"

#include <liburing.h>

#include <bit>
#include <cstring>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "engine/ring/ring.hpp"

namespace ringcast {

BufferRing::BufferRing(Ring& ring, const BufferRingOptions& options, MappedRegion buffers, MappedRegion entries)
    : ring_{ring},
      options_{options},
      buffers_{std::move(buffers)},
      entries_{std::move(entries)},
      shared_{reinterpret_cast<io_uring_buf_ring*>(entries_.bytes().data())},
      ours_(options.count, true) {}

Result<std::unique_ptr<BufferRing>, std::string> BufferRing::open(Ring& ring, const BufferRingOptions& options) {
  ensure(std::has_single_bit(options.count) && options.count <= 32'768, "a buffer ring has a power of two of entries");
  ensure(options.bytes_each >= 1, "a buffer holds something");
  auto buffers = MappedRegion::map(std::size_t{options.count} * options.bytes_each, Prefault::yes);
  if (!buffers) return unexpected(std::string{"no memory for receive buffers: "} + std::strerror(buffers.error()));
  auto entries = MappedRegion::map(options.count * sizeof(io_uring_buf), Prefault::yes);
  if (!entries)
    return unexpected(std::string{"no memory for the receive buffer ring: "} + std::strerror(entries.error()));
  std::unique_ptr<BufferRing> made{new BufferRing{ring, options, std::move(*buffers), std::move(*entries)}};

  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(made->shared_);
  registration.ring_entries = options.count;
  registration.bgid = options.group;
  const int result = io_uring_register_buf_ring(ring.ring_.get(), &registration, 0);
  if (result < 0) {
    return unexpected(std::string{"io_uring refuses a ring of receive buffers (Linux 5.19 has it): "} +
                      std::strerror(-result));
  }
  made->registered_ = true;
  io_uring_buf_ring_init(made->shared_);
  for (std::uint32_t i = 0; i < options.count; ++i) made->add(static_cast<std::uint16_t>(i));
  made->publish();
  return made;
}

BufferRing::~BufferRing() {
  if (registered_) io_uring_unregister_buf_ring(ring_.ring_.get(), options_.group);
}

void BufferRing::add(std::uint16_t buffer) {
  ensure(buffer < options_.count && ours_[buffer], "a buffer is given to the kernel once");
  ours_[buffer] = false;
  io_uring_buf_ring_add(shared_, buffers_.bytes().data() + std::size_t{buffer} * options_.bytes_each,
                        options_.bytes_each, buffer, io_uring_buf_ring_mask(options_.count),
                        static_cast<int>(unpublished_));
  ++unpublished_;
}

MutableBytes BufferRing::view(std::uint16_t buffer, std::uint32_t size) {
  ensure(buffer < options_.count && !ours_[buffer], "a completion brings a buffer that was the kernel's");
  ensure(size <= options_.bytes_each, "a completion fills at most one buffer");
  ours_[buffer] = true;
  ++held_;
  return buffers_.bytes().subspan(std::size_t{buffer} * options_.bytes_each, size);
}

void BufferRing::give_back(std::uint16_t buffer) {
  add(buffer);
  --held_;
}

std::uint32_t BufferRing::publish() {
  const std::uint32_t count = std::exchange(unpublished_, 0);
  if (count != 0) io_uring_buf_ring_advance(shared_, static_cast<int>(count));
  return count;
}

std::uint64_t BufferRing::bytes() const { return std::uint64_t{options_.count} * options_.bytes_each; }

}  // namespace ringcast
