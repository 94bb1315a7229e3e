// bench/system/limit/channel_log.hpp: a channel's frames, stamped once, in one piece, until every reader has them.
//
// Owner    the sender.  Thread  its.
// Memory   bytes_max at most; touched only as far as readers are behind.
// Failure  append() is false when there is no room: some reader is that far behind.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "tools/load/payload.hpp"

namespace ringcast {

class ChannelLog {
 public:
  ChannelLog(std::uint32_t payload_bytes, std::size_t bytes_max);

  [[nodiscard]] std::uint32_t frame_bytes() const { return frame_bytes_; }
  [[nodiscard]] std::uint64_t messages() const { return counter_; }
  /// Where the next frame will be; positions only grow.
  [[nodiscard]] std::uint64_t head() const { return head_; }
  [[nodiscard]] const std::uint8_t* at(std::uint64_t position) const { return bytes_.get() + (position - base_); }

  [[nodiscard]] bool has_room() const { return head_ - base_ + frame_bytes_ <= bytes_max_; }
  /// So much has been gathered that forget() is worth a look, so that the log stays in the cache.
  [[nodiscard]] bool wants_tidying() const { return head_ - base_ >= tidy_at_; }
  /// One message. There is room.
  void append(Instant due);
  /// Everything before `position` has been taken by the kernel. Moves the rest to the front.
  void forget(std::uint64_t position);

 private:
  PayloadTemplate template_;
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::vector<std::uint8_t> header_;
  std::uint32_t frame_bytes_;
  std::size_t bytes_max_;
  std::uint64_t tidy_at_;
  std::uint64_t base_ = 0, head_ = 0, counter_ = 0;
};

}  // namespace ringcast
