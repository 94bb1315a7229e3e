// tools/publish_window.hpp: publishes with a bounded number of unacknowledged messages: back pressure without loss.
//
// Owner    pub or replay, by value.  Thread  the command's.
// Memory   a few words: answers carry the number of the message, and only how many are outstanding matters.
// Failure  take() says what the server refused.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "alloc/base/identifiers.hpp"
#include "codec/dialect/ringcast_binary.h"
#include "codec/text/json_write.hpp"
#include "codec/text/numbers.hpp"
#include "tools/client/client.hpp"
#include "tools/client/server_message.hpp"

namespace ringcast {

/// What one publish says; `data` is JSON text, or bytes in the binary dialect, and is sent as it is.
struct Publication {
  std::string_view channel, data, event, message_id;
  bool high_priority = false;
  bool snapshot = false;            // the state of the channel
  std::optional<Sequence> as_of{};  // of a snapshot: after every message with a smaller seq; unsaid: its own
};

class PublishWindow {
 public:
  static constexpr std::uint64_t kOutstandingMax = 1'024;   // a round trip of 1 ms still allows a million a second
  static constexpr std::size_t kQueuedBytesMax = 1U << 20;  // one large message may exceed it

  enum class Answer : std::uint8_t { published, refused, other };

  [[nodiscard]] std::uint64_t outstanding() const { return sent_ - answered_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] bool has_room() const { return outstanding() < kOutstandingMax; }
  [[nodiscard]] bool has_room(const Client& client) const {
    return has_room() && client.queued_bytes() < kQueuedBytesMax;
  }

  /// Queues one message on the client. Returns the id that its answer will carry.
  std::uint64_t publish(Client& client, const Publication& what) {
    head_ = R"({"type":"publish","id":)";
    append_decimal(head_, ++sent_);
    head_ += R"(,"channel":)";
    append_json_string(head_, what.channel);
    if (!what.event.empty()) {
      head_ += R"(,"event":)";
      append_json_string(head_, what.event);
    }
    if (!what.message_id.empty()) {
      head_ += R"(,"message_id":)";
      append_json_string(head_, what.message_id);
    }
    if (what.high_priority) head_ += R"(,"priority":"high")";
    if (what.snapshot) head_ += R"(,"state":"snapshot")";
    if (what.as_of) {
      head_ += R"(,"as_of_seq":)";
      append_decimal(head_, value(*what.as_of));
    }
    head_ += R"(,"data":)";
    client.queue_text(std::array<std::string_view, 3>{head_, what.data, "}"});
    return sent_;
  }

  /// The same as a record of the binary dialect. Channel, event and message_id have at most 255 bytes.
  std::uint64_t publish_record(Client& client, const Publication& what) {
    rcb_publication out{};
    out.channel = what.channel.data();
    out.channel_bytes = static_cast<std::uint8_t>(what.channel.size());
    out.event = what.event.data();
    out.event_bytes = static_cast<std::uint8_t>(what.event.size());
    out.message_id = what.message_id.data();
    out.message_id_bytes = static_cast<std::uint8_t>(what.message_id.size());
    out.data = what.data.data();
    out.data_bytes = static_cast<std::uint32_t>(what.data.size());
    out.has_as_of = what.as_of ? 1 : 0;
    out.as_of_seq = value(what.as_of.value_or(Sequence{}));
    out.flags = static_cast<std::uint16_t>(RCB_ANSWER | (what.high_priority ? RCB_HIGH : 0) |
                                           (what.snapshot ? RCB_SNAPSHOT : 0));
    out.request = ++sent_;
    head_.resize(rcb_publish_bytes(&out));
    rcb_write_publish(reinterpret_cast<std::uint8_t*>(head_.data()), &out);
    client.queue_message(Opcode::binary, std::array<std::string_view, 1>{head_});
    return sent_;
  }

  /// Counts an answer. An error without an id cannot be told from an answer to a publish, and counts as one.
  Answer take(const ServerMessage& message) {
    if (message.kind == ServerMessage::Kind::published) {
      ++answered_;
      return Answer::published;
    }
    if (message.kind != ServerMessage::Kind::error) return Answer::other;
    if (outstanding() > 0) ++answered_;
    return Answer::refused;
  }

 private:
  std::string head_;
  std::uint64_t sent_ = 0, answered_ = 0;
};

}  // namespace ringcast
