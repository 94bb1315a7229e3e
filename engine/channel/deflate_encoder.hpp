// engine/channel/deflate_encoder.hpp: one message packed once, as a whole frame, into the logs of its packed forms.
//
// Owner    PublishPipeline, by value.  Thread  the home shard's.
// Memory   none until somebody reads a packed form; then the compressor's tables and two buffers of the largest
//          message seen (large ones are given back), charged to Purpose::compression.
// Failure  none: what is small, or does not get smaller, goes into the log as a plain frame.
// Not here which forms are read (publish_pipeline), plain forms (frame_encoder), agreeing on it (session).
#pragma once

#include <vector>

#include "codec/deflate/message_deflater.hpp"
#include "engine/channel/frame_encoder.hpp"
#include "engine/limits.hpp"
#include "engine/stats/shard_stats.hpp"

namespace ringcast {

class DeflateEncoder {
 public:
  DeflateEncoder(const CompressionOptions& options, Budget& budget, ShardStats& stats)
      : threshold_{options.threshold}, budget_{&budget}, stats_{&stats} {}
  ~DeflateEncoder() { budget_->release(Purpose::compression, charged_); }
  DeflateEncoder(const DeflateEncoder&) = delete;
  DeflateEncoder& operator=(const DeflateEncoder&) = delete;

  void set_threshold(std::uint32_t bytes) { threshold_ = bytes; }

  /// The logs of one plain form's packed ones; null: nobody reads it.
  struct Logs {
    FrameLog* small_window = nullptr;
    FrameLog* large_window = nullptr;
  };
  /// Appends `message` to both, whose next() must be its seq.
  void encode(const Logs& logs, Form plain, const MessageView& message, Instant received, Instant now);

 private:
  [[nodiscard]] Bytes pack(Form plain, const MessageView& message, std::size_t bytes);
  void settle();

  std::uint32_t threshold_;
  Budget* budget_;
  ShardStats* stats_;
  MessageDeflater deflater_;
  std::vector<std::uint8_t> plain_;
  std::vector<std::uint8_t> packed_;
  std::size_t charged_ = 0;
};

}  // namespace ringcast
