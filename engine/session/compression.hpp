// engine/session/compression.hpp: what the sessions of a shard unpack, and the few messages that they pack themselves.
//
// Owner    Sessions, by value.  Thread  the shard's.
// Memory   none until a client sends a compressed message (or /echo answers one); then one state for all connections,
//          charged to Purpose::compression. A connection holds nothing of it.
// Failure  a FrameError with the code to close with; counted by reason.
// Not here agreeing on it (handshake_flow), packing what is published (channel/deflate_encoder).
#pragma once

#include <vector>

#include "alloc/memory/budget.hpp"
#include "codec/deflate/message_deflater.hpp"
#include "codec/deflate/message_inflater.hpp"
#include "codec/websocket/message_assembler.hpp"
#include "engine/stats/shard_stats.hpp"

namespace ringcast {

class Compression {
 public:
  Compression(std::uint32_t message_bytes_max, Budget& budget, ShardStats& stats)
      : inflater_{message_bytes_max}, budget_{&budget}, stats_{&stats} {}
  ~Compression() { budget_->release(Purpose::compression, charged_); }
  Compression(const Compression&) = delete;
  Compression& operator=(const Compression&) = delete;

  /// Another bound from the next message on.
  void set_message_bytes_max(std::uint32_t bytes) { inflater_.set_message_bytes_max(bytes); }

  /// The message in a text or binary event with RSV1; text is UTF-8 then. Valid until done() or the next call.
  [[nodiscard]] Result<Bytes, FrameError> unpack(const WsEvent& event);
  /// A message packed for one reader; empty: it is not smaller, or may be too large for that reader's window. Valid
  /// until done() or the next call.
  [[nodiscard]] Bytes pack(Bytes message, std::uint8_t window_bits);
  /// What was returned last is not looked at any more: a large buffer is given back.
  void done();

 private:
  MessageInflater inflater_;
  MessageDeflater deflater_;
  std::vector<std::uint8_t> packed_;
  Budget* budget_;
  ShardStats* stats_;
  std::size_t charged_ = 0;
};

}  // namespace ringcast
