#include "bench/system/limit/channel_log.hpp"

#include <algorithm>
#include <cstring>

#include "alloc/base/ensure.hpp"
#include "codec/websocket/frame_writer.hpp"

namespace ringcast {
namespace {

constexpr std::uint64_t kTidyBytes = 128U << 10;

}  // namespace

ChannelLog::ChannelLog(std::uint32_t payload_bytes, std::size_t bytes_max) : template_{payload_bytes} {
  header_.resize(frame_header_bytes(payload_bytes));
  (void)write_frame_header(header_, {}, payload_bytes);
  frame_bytes_ = static_cast<std::uint32_t>(header_.size() + payload_bytes);
  bytes_max_ = std::max<std::size_t>(bytes_max, frame_bytes_);
  bytes_ = std::make_unique_for_overwrite<std::uint8_t[]>(bytes_max_);
  tidy_at_ = kTidyBytes;
}

void ChannelLog::append(Instant due) {
  ensure(has_room(), "whoever appends has asked for room");
  const std::string_view payload = template_.write({due, ++counter_, 0});
  std::uint8_t* out = bytes_.get() + (head_ - base_);
  std::memcpy(out, header_.data(), header_.size());
  std::memcpy(out + header_.size(), payload.data(), payload.size());
  head_ += frame_bytes_;
}

void ChannelLog::forget(std::uint64_t position) {
  ensure(position >= base_ && position <= head_, "only what was appended is forgotten");
  std::memmove(bytes_.get(), at(position), head_ - position);
  base_ = position;
  tidy_at_ = std::max<std::uint64_t>(kTidyBytes, 2 * (head_ - base_));  // not again at once for the same laggard
}

}  // namespace ringcast
