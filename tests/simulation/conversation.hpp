// tests/simulation/conversation.hpp: one connection as its client understands it, and every promise that it may check
// there.
//
// It reads the server's bytes as soon as the server's kernel has taken them (a lost or torn frame is found at its
// cause); the client's reactions to them wait until the client has really read that far.
//
// Owner    the client, one after another.  Thread  one.  Memory  requests, subscriptions and what is not yet parsed.
// Failure  CheckFailed: stream, continuity, order, payload, replies, close_code.
// Not here what the client decides to do (client), which message is which (truth).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "alloc/base/time.hpp"
#include "codec/text/json.hpp"
#include "codec/text/pattern.hpp"
#include "codec/websocket/message_assembler.hpp"
#include "tests/simulation/attention.hpp"
#include "tests/simulation/checkers.hpp"
#include "tests/simulation/coverage.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/packed_wire.hpp"
#include "tests/simulation/scenario.hpp"
#include "tests/simulation/served.hpp"
#include "tests/simulation/trace.hpp"
#include "tests/simulation/truth.hpp"

namespace ringcast::simulation {

/// What the checkers compare the engine's own counts with, for one shard.
struct Delivered {
  std::uint64_t messages = 0;      // whole message frames that the kernel took
  std::uint64_t skipped_told = 0;  // messages that gap notices named
};

/// The ways in: path and subprotocol.
enum class Entry : std::uint8_t {
  native_connect,
  native_plain,
  native_subprotocol,
  binary_connect,
  binary_plain,
  exchange_plain,
  exchange_path,
  exchange_streams
};
/// Commands and replies are JSON of the native dialect.
[[nodiscard]] constexpr bool is_native(Entry entry) { return entry <= Entry::binary_plain; }
[[nodiscard]] constexpr bool is_binary(Entry entry) {
  return entry == Entry::binary_connect || entry == Entry::binary_plain;
}

struct Request {
  enum class Kind : std::uint8_t { publish, subscribe, unsubscribe, ping, property, list, presence, bad };
  Kind kind{};
  PublishId publish = 0;
  std::set<std::uint32_t> channels;          // not yet answered
  std::set<std::string> patterns{};          // not yet answered
  std::map<std::uint32_t, Position> resume;  // what was asked for
  bool property_value = false;
  SubscribeOptions options{};
};

struct Subscription {
  bool asked = false;  // ever, on this connection, by its name or a pattern
  bool active = false;
  bool exact = false;            // by its name; otherwise a pattern holds it
  bool perhaps = false;          // exchange: exact, unless it was what the server refused of a request
  bool asked_for_every = false;  // message, ever, on this connection
  Served served;
  std::deque<bool> combined;  // exchange: forms that a message may have; the first is that of the last message
  bool position_known = false;
  bool from_history = false;           // it resumed: history may lose what it is to be sent; what it has, has no rate
  bool snapshot_may_come = false;      // native: the next message may be a snapshot, beside the others
  bool last_may_come = false;          // the one before `next`, again: a pattern found its channel anew
  std::uint32_t channel_id = 0;        // binary: what records of the channel say
  Position next;                       // native: the next seq, and of which epoch
  std::vector<PublishId> received;     // exchange: in order
  std::size_t resolved = 0;            // of them, continuity was checked up to here
  std::optional<Position> last;        // exchange: of the last one resolved
  std::uint64_t snapshots_since = 0;   // exchange: snapshots that came after it; where each stands may be unknown
  std::unordered_set<PublishId> seen;  // exchange
  std::uint64_t messages = 0;
  PublishId newest = 0;
};

/// What a client knows of a pattern that it subscribes to.
struct PatternTalk {
  Pattern pattern;
  SubscribeOptions options{};                // for what it holds, where the namespace allows them
  bool active = false;                       // answered
  bool stopped = false;                      // a limit was met: what it binds is open
  bool fresh = false;                        // its first notice, which tells of what existed, is still to come
  std::map<std::uint32_t, Position> resume;  // what was asked for when it was last answered
};

/// Something that the client will do once it has read so far.
struct Reaction {
  enum class Kind : std::uint8_t { opened, refused, ping, close };
  std::uint64_t offset = 0;
  Kind kind{};
  std::vector<std::uint8_t> payload;
};

class Conversation {
 public:
  Conversation(ConnectionId connection, Entry entry, const Scenario& scenario, Truth& truth, Delivered& delivered,
               Coverage& coverage, Trace& trace, Instant now);

  // ---- what the client says ----

  std::uint64_t ask(Request request);  // returns the id to send
  void subscribes_by_path(std::uint32_t channel);
  /// The connection is this user's: its personal channel will be joined, perhaps from where it was left.
  void is_of_user(std::string user, std::optional<Position> since);
  void may_be_closed_with(CloseCode code) { excuses_.insert(value(code)); }
  void may_be_refused_with(std::uint16_t status) { refusals_.insert(status); }
  /// From here on the server owes nothing: the client broke the protocol, closed, or went away.
  void gives_up() { owed_ = false; }
  void expects_error_without_id() { ++errors_without_id_; }
  /// A request without an id is answered only if it is refused.
  void asks_silently() { ++silent_requests_; }
  /// A pong ends with byte `offset` of what the client wrote.
  void answers_ping(std::uint64_t offset) { pongs_.push_back(offset); }
  /// The core got `count` more bytes.
  void heard(std::size_t count, Instant now);

  // ---- what the server sends ----

  void taken(Bytes bytes, Instant now);
  /// The server ended the stream in order: it may not stop within a frame.
  void ended_in_order() const;
  /// Answers and bindings may have come elsewhere: looks how far exchange readers can be checked.
  void resolve(bool final);

  // ---- questions ----

  [[nodiscard]] std::deque<Reaction>& reactions() { return reactions_; }
  [[nodiscard]] bool open() const { return upgraded_ && !close_code_; }
  [[nodiscard]] bool owed() const { return owed_; }
  [[nodiscard]] bool native() const { return is_native(entry_); }
  [[nodiscard]] std::optional<std::uint16_t> close_code() const { return close_code_; }
  [[nodiscard]] std::uint16_t status() const { return status_; }
  [[nodiscard]] std::size_t requests_open() const {
    return requests_.size() + errors_without_id_ + (personal_due_ && welcomed_ ? 1U : 0U);
  }
  [[nodiscard]] const Attention& attention() const { return attention_; }
  [[nodiscard]] const std::string& user() const { return user_; }
  [[nodiscard]] std::string describe_open() const;
  [[nodiscard]] const std::vector<Subscription>& subscriptions() const { return subscriptions_; }
  /// News of this channel may wait for its time, with nothing in its way.
  [[nodiscard]] bool may_be_held(std::uint32_t channel) const;
  [[nodiscard]] const std::map<std::string, PatternTalk>& patterns() const { return patterns_; }
  /// A pattern that no limit has stopped holds this channel, if it exists.
  [[nodiscard]] bool binds(std::uint32_t channel) const;
  [[nodiscard]] ConnectionId connection() const { return connection_; }

  PackedWire packed_wire;
  bool shutting_down = false;  // 1001 is a good reason from now on
  milliseconds heartbeat{};    // of this dialect; 0: off
  bool ends_idle = false;      // it is off, and silence the sign that nobody is there

 private:
  void read_head(MutableBytes& bytes, Instant now);
  void on_event(const WsEvent& event, Instant now);
  [[nodiscard]] std::string_view message_of(const WsEvent& event);
  void on_close(const WsEvent& event, Instant now);
  void on_native(std::string_view text, Instant now);
  void on_exchange(std::string_view text);
  void on_records(Bytes message, Instant now);
  struct Heard {  // a message, in whichever form it came
    std::uint32_t channel = 0;
    Sequence seq{};
    std::string_view data{}, event{}, message_id{};
    bool snapshot = false;
    std::optional<std::uint64_t> as_of{};
  };
  void take_message(const Heard& heard, Instant now);
  void take_gap(std::uint32_t channel, Sequence from, Sequence to, std::string_view reason, std::optional<Epoch> epoch);
  void take_published(std::uint64_t id, std::uint32_t channel, Position at, bool duplicate, Instant now);
  void take_error(std::optional<std::uint64_t> id, std::string_view code, std::string_view channel,
                  std::string_view words);
  void on_message(Instant now);
  void on_gap();
  void on_subscribed();
  void begin_with_state(std::uint32_t channel, JsonReader& entry, Sequence newest);
  void take_channel_id(std::uint32_t channel, Epoch epoch, const JsonReader& entry);
  void on_unsubscribed();
  void on_published(Instant now);
  void on_personal_channel(const JsonReader& entry);
  void on_presence();
  void on_error();
  void on_exchange_reply();
  void on_exchange_message(PublishId id, bool combined);
  void count_message(Subscription& subscription, PublishId id, bool rate_applies);
  [[nodiscard]] bool terms_may_change(std::uint32_t channel) const;
  void finish_channel(std::uint64_t id, Request& request, std::uint32_t channel);
  // conversation_patterns.cpp
  void asks_for_patterns(const Request& request);
  void on_patterns_answered(std::uint64_t id, const std::map<std::string, std::uint64_t>& matched);
  void on_let_go();
  void on_bound();
  void on_bound_channel(PatternTalk& pattern, std::string_view entry);
  void on_pattern_left(std::uint64_t id, std::string_view text);
  bool on_pattern_error(std::optional<std::uint64_t> id, std::string_view code, std::string_view text);
  void on_exchange_patterns(const Request& request, bool done);
  bool on_exchange_stop();
  void finish_pattern(std::uint64_t id, std::string_view text);
  void forget_pattern(PatternTalk& pattern);
  void serve_by_patterns(std::uint32_t channel);
  [[nodiscard]] bool may_hold(const PatternTalk& pattern, std::uint32_t channel) const;
  [[nodiscard]] bool held(std::uint32_t channel) const;
  [[nodiscard]] bool asked_for(std::uint32_t channel) const;
  [[nodiscard]] bool names_pattern_of(const Request& asked, std::uint32_t channel) const;

  [[nodiscard]] std::string text_member(std::string_view name, bool required = true);
  [[nodiscard]] std::uint64_t number_member(std::string_view name);
  [[nodiscard]] std::optional<std::uint64_t> id_member();
  [[nodiscard]] std::uint32_t channel_named(std::string_view name) const;
  [[nodiscard]] Request& request(std::uint64_t id, Request::Kind kind);
  template <class... Values>
  void require(bool holds, Checker checker, fmt::format_string<Values...> sentence, Values&&... values) const {
    if (!holds)
      fail(checker, fmt::format("c{}: {}", connection_, fmt::format(sentence, std::forward<Values>(values)...)));
  }

  ConnectionId connection_;
  Entry entry_;
  const Scenario& scenario_;
  Truth& truth_;
  Delivered& delivered_;
  Coverage& coverage_;
  Trace& trace_;

  Instant now_{};  // when the bytes that are being read were taken
  std::string head_;
  bool upgraded_ = false;
  std::uint16_t status_ = 0;
  MessageAssembler assembler_;
  JsonReader json_;
  std::uint64_t offset_ = 0;  // of the next byte to be parsed
  bool welcomed_ = false;
  bool combined_;  // exchange: the form asked for last
  bool owed_ = true;
  std::optional<std::uint16_t> close_code_;
  std::map<std::uint64_t, Request> requests_;
  std::uint64_t last_id_ = 0;
  std::uint32_t errors_without_id_ = 0;  // that must come
  std::uint32_t silent_requests_ = 0;    // each of which may be answered by one
  std::uint32_t errors_seen_ = 0;
  std::map<std::uint32_t, std::uint64_t> last_published_;  // channel: the id of the last publish answered
  std::vector<Subscription> subscriptions_;                // one a channel of the scenario
  std::map<std::string, PatternTalk> patterns_;
  Attention attention_;
  std::string user_;
  bool personal_due_ = false;  // "subscribed" of its personal channel, or a refusal, is to come
  std::optional<Position> personal_since_;
  bool personal_given_ = false;  // joined for it, and not yet asked for
  std::deque<Reaction> reactions_;
  std::set<std::uint16_t> excuses_;
  std::set<std::uint16_t> refusals_;
  Instant began_at_;
  std::deque<std::uint64_t> pongs_;  // on their way to the core
  std::uint64_t heard_ = 0;
  Instant heard_at_;            // when the core got its last byte, or the connection
  nanoseconds wordless_max_{};  // the longest time between two
  Instant answered_at_;         // when the core got the last pong, or the connection
  nanoseconds silence_max_{};   // the longest time between two such instants
};

}  // namespace ringcast::simulation
