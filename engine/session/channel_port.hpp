// engine/session/channel_port.hpp: what sessions ask of channels, wherever those live.
//
// Owner    implemented by shard/channel_router.  Thread  the shard's.  Memory  none.
// Failure  refusals are answers with a code and a sentence.
// Not here commands and replies (session), finding the home (channel_router).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "alloc/base/time.hpp"
#include "codec/dialect/command.hpp"
#include "engine/channel/join_start.hpp"
#include "engine/channel/publish_pipeline.hpp"
#include "engine/delivery/outbox.hpp"
#include "engine/limits.hpp"

namespace ringcast {

struct Refusal {
  ErrorCode code = ErrorCode::processing_error;
  std::string_view sentence;  // static text
};

/// How many subscriptions this connection may have: a user's personal channel is not one of those that are counted.
[[nodiscard]] constexpr std::uint32_t subscriptions_max(const Outbox& reader, const LimitOptions& limits) {
  return limits.subscriptions + (reader.user != kNoSlot ? 1 : 0);
}

/// What a subscription is to be like.
struct JoinRequest {
  const ResumePoint* resume = nullptr;  // null: from now on (or from the channel's state)
  SubscribeOptions options{};
  bool by_pattern = false;              // a pattern of the connection binds it
  bool announced = false;               // `resume` is what the home said, not what the client has
};

struct JoinAnswer {
  enum class Kind : std::uint8_t { joined, waiting, refused };
  Kind kind = Kind::refused;
  Handle subscription;            // joined, waiting
  Epoch epoch{};                  // joined
  Sequence last{};                // joined: the newest that the channel has
  std::optional<bool> recovered{};  // joined with a resume
  JoinStart::State state{};       // joined
  Sequence as_of{};               // joined with a snapshot: every message from this seq on follows it
  std::uint32_t channel_id = 0;     // joined: the channel's number in the binary dialect
  Refusal refusal{};              // refused
};

struct PublishAnswer {
  enum class Kind : std::uint8_t {
    published,  // sequenced, or a duplicate
    forwarded,  // the home, or the store, will answer: PublishReply
    no_room,    // nothing was recorded: hold it back and try again when there is room
    refused,
  };
  Kind kind = Kind::refused;
  Published published{};
  Refusal refusal{};
};

/// The home's answer to a publish, or an acknowledgement, that was forwarded. Views are valid while it is handled.
struct PublishReply {
  Handle connection;
  std::string_view id{};
  std::string_view channel{};
  bool refused = false;
  bool acknowledges = false;  // an acknowledgement: published.epoch and .seq are of the message
  Published published{};
  Refusal refusal{};
};

struct HistoryRequest {
  std::string_view channel;
  std::string_view id;                // echoed
  std::optional<ResumePoint> after;   // what the client has; none: the newest messages
  std::uint32_t limit = 0;            // messages
};

struct HistoryAnswer {
  enum class Kind : std::uint8_t {
    answered,   // `reply` is the whole reply, one JSON object
    forwarded,  // the home will answer: HistoryReply
    no_room,    // hold it back and try again when there is room
    refused,
  };
  Kind kind = Kind::refused;
  std::string_view reply{};  // valid until the next call
  Refusal refusal{};
};

/// The home's answer to a history query that was forwarded. Views are valid while it is handled.
struct HistoryReply {
  Handle connection;
  bool refused = false;
  std::string_view text{};  // the reply; refused: the query's id
  Refusal refusal{};
};

class ChannelPort {
 public:
  virtual ~ChannelPort() = default;

  /// Joins a channel in the reader's form. A channel that the reader has already is joined as it is, on the terms of
  /// the options if they name any.
  /// `waiting`: finish_join() is to be called once the router says that the subscription is ready; it may have to be
  /// called again, if it answers the same.
  virtual JoinAnswer join(Outbox& reader, std::string_view channel, const JoinRequest& request, Now now) = 0;
  virtual JoinAnswer finish_join(Handle subscription, const JoinRequest& request, Now now) = 0;
  /// Whether the channel has been silent for its namespace's stale_after: "subscribed" is about to say so.
  virtual bool tell_stale(Handle subscription) = 0;
  /// "subscribed" has been queued: messages may follow it.
  virtual void release_messages(Handle subscription, Now now) = 0;
  /// Whose subscription this is; not valid() if it has ended.
  [[nodiscard]] virtual Handle reader_of(Handle subscription) = 0;
  [[nodiscard]] virtual bool has(const Outbox& reader, std::string_view channel) = 0;
  /// False if the reader does not have the channel, or only a pattern of it does. If one does too, it goes on.
  virtual bool leave(Outbox& reader, std::string_view channel, Now now) = 0;
  /// Of all its channels; and its connection is no user's any more.
  virtual void leave_all(Outbox& reader, Now now) = 0;
  /// The reader's subscriptions go on in its (new) form.
  virtual void change_form(Outbox& reader, Now now) = 0;
  /// Whether the users of a channel are listed, by its namespace.
  [[nodiscard]] virtual bool lists_users(std::string_view channel) = 0;
  [[nodiscard]] virtual std::string_view channel_of(std::uint32_t subscription) = 0;
  [[nodiscard]] virtual std::uint32_t next_subscription(std::uint32_t subscription) = 0;
  /// A pattern of the connection holds it, and not a subscribe that named it.
  [[nodiscard]] virtual bool is_by_pattern(std::uint32_t subscription) = 0;
  /// id  echoed in the reply; empty: only an error is replied.
  virtual PublishAnswer publish(const PublishRequest& request, Handle connection, std::string_view id, Now now) = 0;
  /// Everything in the channel up to `seq` is done with.
  /// id  echoed once that is stored; empty: only an error is replied.
  /// Answered like a publish: forwarded, no_room or refused.
  virtual PublishAnswer acknowledge(const Outbox& reader, std::string_view channel, Sequence seq, std::string_view id,
                                    Now now) = 0;
  virtual HistoryAnswer history(const HistoryRequest& request, Handle connection, Now now) = 0;
  /// What the messages of a channel are, by its namespace.
  [[nodiscard]] virtual PayloadKind payload_of(std::string_view channel) = 0;
};

}  // namespace ringcast
