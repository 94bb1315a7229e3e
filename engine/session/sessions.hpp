// engine/session/sessions.hpp: the connections of one shard, from accept to the last completion.
//
// Owner    shard_core, by value.  Thread  the shard's.
// Memory   one Connection each (slab), charged to Purpose::connections; inboxes charged to Purpose::inboxes and bounded
//          by the header limit, kInboxPauseBytes and one receive buffer.
// Failure  a peer's mistake closes that peer's connection with its code, is counted, and reaches nobody else.
// Not here sockets (shell), channels (ChannelPort), what goes out when (delivery).
//
// sessions.cpp: life, output, timers, closing.  input_flow.cpp: from bytes to messages.  handshake_flow.cpp: the head
// of a request, and its answer.  access_flow.cpp: who a connection is, and from where.  permission_flow.cpp: what it
// may do, and how much of it.  command_dispatch.cpp: the one switch over commands.  subscribe_flow.cpp and
// publish_flow.cpp: the two that most commands are.  binary_flow.cpp: records of the binary dialect.
// pattern_flow.cpp: patterns, and what they bind.  user_flow.cpp: whose connection it is, its personal channel, and
// who is there.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "alloc/base/identifiers.hpp"
#include "alloc/memory/slab.hpp"
#include "codec/dialect/binary.hpp"
#include "codec/dialect/exchange.hpp"
#include "codec/dialect/native.hpp"
#include "codec/http/request_head.hpp"
#include "engine/access/authenticator.hpp"
#include "engine/access/shared_board.hpp"
#include "engine/access/token_bucket.hpp"
#include "engine/access/usage_record.hpp"
#include "engine/delivery/rolling_send.hpp"
#include "engine/limits.hpp"
#include "engine/presence/presence.hpp"
#include "engine/seam/seam.hpp"
#include "engine/session/channel_port.hpp"
#include "engine/session/compression.hpp"
#include "engine/session/connection.hpp"
#include "engine/session/credentials.hpp"
#include "engine/session/pattern_port.hpp"
#include "engine/stats/shard_stats.hpp"
#include "engine/time/calendar_queue.hpp"
#include "engine/time/prng.hpp"
#include "engine/time/timer_wheel.hpp"

namespace ringcast {

inline constexpr std::string_view kServerName = "ringcast/1.0";
inline constexpr std::string_view kNativeSubprotocol = "ringcast.v1.json";
inline constexpr std::string_view kBinarySubprotocol = RCB_SUBPROTOCOL;

/// What decides about strangers; all of it null on a node without authentication and limits.
struct SessionAccess {
  ShardIndex here{};
  const Authenticator* authenticator = nullptr;
  AccessBoards* boards = nullptr;
  UsageJournal* journal = nullptr;  // of subscriptions; null: none is kept
};

class Sessions {
 public:
  Sessions(const CoreOptions& options, ChannelPort& channels, PatternPort& patterns, Presence& presence,
           RollingSend& sends, Budget& budget, ShardStats& stats, Prng& prng, Now now);
  ~Sessions();
  /// Once, before the first connection.
  void set_access(const SessionAccess& access);
  /// Other keys or revocations: the old ones are no longer used when this returns. Grants that do not stand any more
  /// end their connections with 1008, at the timers of the next turns.
  void set_authenticator(const Authenticator* authenticator);

  // ---- what the shell says (see shard_core.hpp) ----
  std::optional<Handle> accept(const PeerInfo& peer, Now now);
  void receive(Handle connection, MutableBytes bytes, Now now);
  void receive_ended(Handle connection, int error, Now now);
  void writable(Handle connection, Now now);
  void remainder_sent(Handle connection, std::int32_t result, Now now);
  void closed(Handle connection);

  // ---- what other parts of the core say ----
  void handle(const OutboxEvent& event, Now now);
  void handle(const PublishReply& reply, Now now);
  void handle(const HistoryReply& reply, Now now);
  /// A question was answered; what the connection says next still waits, for answered().
  void answer(const Answered& answered, Now now);
  void answered(Handle connection, Now now);
  /// A subscription's log is live, or was refused.
  void join_ready(Handle subscription, Now now);
  /// Binds some of the channels that patterns match, and says what came of it.
  void serve_patterns(Now now);
  /// The news of patterns, before anything else is answered: an exact subscribe may change what it is about.
  void tell_patterns(Now now);
  /// A publish that was held back may be tried again.
  void room_made(Handle connection, Now now);
  void expire_timers(Now now);
  /// Other options from now on; the earlier ones are not used any more when this returns. What connections hold of them
  /// is changed by follow_options().
  void reconfigure(const CoreOptions& options);
  /// Looks at some connections after a reload: the size of their messages, and when they are pinged.
  void follow_options(Now now);
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  // ---- what an administrator asks (shard/admin_desk) ----
  /// For looking at; null if nobody has that slot.
  [[nodiscard]] const Connection* at(std::uint32_t slot) { return connections_.at(slot); }
  [[nodiscard]] std::uint32_t slot_end() const { return connections_.slot_end(); }
  /// Whose connection it is; empty: nobody's.
  [[nodiscard]] std::string_view user_of(const Connection& connection) const {
    return presence_->user_of(connection.outbox);
  }
  /// Closes it with 4010, if it is still there.
  void disconnect(Handle connection, Now now);
  [[nodiscard]] bool shutting_down() const { return shutting_down_; }

  // ---- the graceful end ----
  void begin_shutdown(Now now);
  /// Everything published has reached this shard's logs: who has it all gets its 1001.
  void finish_shutdown(Now now);
  /// The deadline has come.
  void reset_all(Now now);

  std::vector<Action>& actions() { return actions_; }
  /// For looking at; null when it has gone.
  [[nodiscard]] const Connection* look(Handle connection) const { return connections_.find(connection); }
  [[nodiscard]] std::uint32_t connections() const { return connections_.size(); }
  void validate() const;

 private:
  struct JoinItem {
    SubscribeItem item;        // its channel is a view into JoinGroup::names
    JoinAnswer answer;
    Handle pattern{};  // where it is one
    std::uint32_t matched = 0;
  };
  struct JoinGroup {           // a subscribe command, until all of its channels have answered
    Handle connection;
    std::string id;
    SubscribeOptions options;
    std::string names;         // the channels' names, one behind the other
    std::vector<JoinItem> items;
    std::uint32_t waiting = 0;
  };

  // sessions.cpp
  [[nodiscard]] Connection* find(Handle connection);
  void send_echo(Connection& connection, Opcode opcode, Bytes payload, Now now);
  void send(Connection& connection, std::string_view bytes, Now now);
  void send_frame(Connection& connection, FrameStart start, Bytes payload, Now now);
  void send_text(Connection& connection, std::string_view text, Now now);
  void on_deadline(Connection& connection, Now now);
  void on_heartbeat(Connection& connection, Now now);
  [[nodiscard]] static CalendarQueue::Member slot_of(const Connection& connection) {
    return connection.outbox.connection.slot;
  }
  [[nodiscard]] milliseconds heartbeat_of(const Connection& connection) const;
  void arm_heartbeat(Connection& connection, Now now, bool first);
  void close(Connection& connection, CloseCode code, std::string_view reason, Now now);
  void finish_sending(Connection& connection, Now now);
  void end(Connection& connection, ActionKind kind, Now now);
  void count_close(Connection& connection, std::uint16_t code);
  void act(ActionKind kind, const Connection& connection) { actions_.push_back({kind, connection.outbox.connection}); }

  // input_flow.cpp
  void process_input(Connection& connection, Now now);
  void process(Connection& connection, MutableBytes& input, Now now);
  void process_frames(Connection& connection, MutableBytes& input, Now now);
  void take_message(Connection& connection, const WsEvent& event, Now now);
  void break_off(Connection& connection, FrameError error, Now now);
  void keep_input(Connection& connection, Bytes bytes);
  void drop_inbox(Connection& connection);
  void settle_assembler(Connection& connection);
  void stall(Connection& connection, StallReason reason);
  void unstall(Connection& connection, StallReason reason, Now now);

  // handshake_flow.cpp
  void read_head(Connection& connection, MutableBytes& input, Now now);
  void answer_request(Connection& connection, const RequestHead& head, Now now);
  void refuse(Connection& connection, std::uint16_t status, std::string_view sentence, Now now);
  void refuse_full(Connection& connection, Now now);
  void upgrade(Connection& connection, const RequestHead& head, Now now);
  void choose_native(Connection& connection, Dialect dialect, Now now);
  [[nodiscard]] std::optional<std::string_view> streams_refusal(Connection& connection, std::string_view streams,
                                                                Now now);
  [[nodiscard]] std::string_view auth_word(const Connection& connection) const;
  void refuse_for_now(Connection& connection, std::uint16_t status, std::string_view retry_seconds,
                      std::string_view sentence, Now now);

  // access_flow.cpp
  enum class Identified : std::uint8_t { yes, later, waits, refused };
  [[nodiscard]] bool takes_address(const PeerInfo& peer) const;
  void begin_guard(Connection& connection, const PeerInfo& peer, Now now);
  void open_guard(Connection& connection, Now now);
  void give_guard(Connection& connection);
  void end_guard(Connection& connection);
  void decide_guards();
  [[nodiscard]] std::uint32_t message_bytes_of(const Connection& connection) const;
  void arm_guard(Connection& connection, Now now);
  void on_guard_timer(Connection& connection, Now now);
  void notice_expiry(Connection& connection, Now now);
  [[nodiscard]] std::uint64_t site_name(const IpAddress& address) const;
  void settle_address(Connection& connection, Now now);
  [[nodiscard]] bool read_proxy_header(Connection& connection, MutableBytes& input, Now now);
  [[nodiscard]] std::string_view why_unreadable(const Connection& connection, Bytes input, std::string_view sentence,
                                                Now now);
  [[nodiscard]] bool admit_address(Connection& connection, const RequestHead& head, Now now);
  [[nodiscard]] Identified identify(Connection& connection, const RequestHead& head, bool optional, Now now);
  void refuse_token(Connection& connection, std::string_view fault, Now now);
  [[nodiscard]] bool take_verification(Connection& connection, Now now);
  void serve_verifications(Now now);
  [[nodiscard]] std::optional<Instant> verification_deadline() const;
  [[nodiscard]] std::optional<TokenError> refuse_at_sight(const Connection& connection, TokenWay way,
                                                          std::string_view token, Now now);
  void note_refused_token(const Connection& connection, TokenError error, Now now);
  [[nodiscard]] Result<Grant, TokenError> check_token(const Connection& connection, TokenWay way,
                                                      std::string_view token, Now now);
  void take_grant(Connection& connection, Grant grant);
  void authenticate(Connection& connection, const Command& command, std::string_view text, Now now);
  void recheck_subscriptions(Connection& connection, bool stricter, Now now);
  void recheck_grants(Now now);
  [[nodiscard]] bool rechecking() const { return recheck_from_ < connections_.slot_end(); }
  void revoke(Connection& connection, std::string_view why, Now now);
  [[nodiscard]] bool evict_half_open(Now now);
  void note_half_open(Handle connection);

  // permission_flow.cpp
  enum class Operation : std::uint8_t { subscribe, publish };  // history and presence are read: as a subscription
  [[nodiscard]] static std::optional<Refusal> grant_refuses(const Grant& grant, Operation operation,
                                                            std::string_view channel);
  void note_refused(const Connection& connection, Operation operation, const Refusal& refusal,
                    std::string_view channel, bool told, Now now);
  [[nodiscard]] std::optional<Refusal> record_refuses(const Connection& connection, Now now) const;
  [[nodiscard]] static SubscribeOptions granted_options(const Connection& connection, const Command& command);
  [[nodiscard]] bool admit(Connection& connection, const Command& command, Now now);
  [[nodiscard]] bool admit_ping(Connection& connection, Now now);
  void refuse_rate(Connection& connection, const Command& command, CounterId scope, milliseconds wait, Now now);

  // binary_flow.cpp
  void on_records(Connection& connection, Bytes records, Now now);
  void resume_records(Connection& connection, std::string parked, std::size_t begin, Now now);
  [[nodiscard]] std::size_t take_records(Connection& connection, Bytes records, Now now);
  void park_records(Connection& connection, std::string bytes, std::size_t begin);
  void append_record_error(const BinaryRequest& request, ErrorCode code, std::string_view sentence,
                           std::string_view channel);
  void send_records(Connection& connection, Now now);
  [[nodiscard]] std::optional<Refusal> check_payload(const Command& command, std::string_view& data,
                                                     bool& opaque) const;

  // user_flow.cpp
  void set_user(Connection& connection, std::string_view user);
  bool take_user(Connection& connection, const RequestHead& head, bool native_at_once,
                 std::optional<ResumePoint>& since, Now now);
  void join_personal_channel(Connection& connection, const std::optional<ResumePoint>& since, Now now);
  JoinAnswer claim_own_channel(Connection& connection, const SubscribeItem& item, const SubscribeOptions& options,
                               Now now);
  [[nodiscard]] bool is_own_channel(const Connection& connection, std::string_view channel) const;
  void ask_presence(Connection& connection, const Command& command, Now now);
  [[nodiscard]] std::optional<Refusal> may_ask_presence(const Connection& connection, const Command& command) const;

  // command_dispatch.cpp
  void on_message(Connection& connection, std::string_view text, Now now);
  void on_native(Connection& connection, std::string_view text, Now now);
  void on_exchange(Connection& connection, std::string_view text, Now now);
  void dispatch(Connection& connection, const Command& command, std::string_view text, Now now);
  void history(Connection& connection, const Command& command, std::string_view text, Now now);
  void send_error(Connection& connection, std::string_view id, ErrorCode code, std::string_view sentence,
                  std::string_view channel, Now now);
  void count_error(Connection& connection, ErrorCode code, Now now);
  void blame(Connection& connection, ErrorCode code, Now now);

  // subscribe_flow.cpp
  [[nodiscard]] std::optional<Refusal> may_read(const Connection& connection, std::string_view channel) const;
  [[nodiscard]] std::optional<Refusal> may_subscribe(const Connection& connection, std::string_view channel,
                                                     Now now) const;
  void subscribe(Connection& connection, const Command& command, Now now);
  void finish_join(JoinGroup& group, Connection& connection, Now now);
  void reply_subscribed(Connection& connection, JoinGroup& group, Now now);
  void unsubscribe(Connection& connection, const Command& command, Now now);
  void list_subscriptions(Connection& connection, const Command& command, Now now);

  // publish_flow.cpp
  [[nodiscard]] std::optional<Refusal> may_publish(const Connection& connection, std::string_view channel) const;
  void publish(Connection& connection, const Command& command, std::string_view text, Now now);
  void acknowledge(Connection& connection, const Command& command, std::string_view text, Now now);
  void park(Connection& connection, std::string_view text);
  void keep_command(Connection& connection, std::string_view text);
  void answer_published(Connection& connection, std::string_view id, std::string_view channel,
                        const Published& published, Now now);

  // pattern_flow.cpp
  void join_pattern(Connection& connection, JoinItem& joined, const Command& command, Now now);
  void answer_pattern(const PatternPort::Ready& ready, Now now);
  void tell(const PatternPort::News& news, Now now);
  void tell_stopped(Connection& connection, std::string_view pattern, const Refusal& refusal, Now now);

  const CoreOptions* options_;
  ChannelPort* channels_;
  PatternPort* patterns_;
  Presence* presence_;
  RollingSend* sends_;
  Budget* budget_;
  ShardStats* stats_;
  Prng* prng_;
  CalendarQueue deadlines_;  // of connections, by slot
  TimerWheel guard_wheel_;
  Slab<Connection> connections_;
  Slab<JoinGroup> joins_;
  NativeDecoder native_;
  ExchangeDecoder exchange_;
  BinaryDecoder binary_;
  Compression compression_;
  std::vector<Action> actions_;
  std::string reply_;              // scratch for the reply being written
  std::string records_;            // answers to the records being read: they go out together
  std::vector<std::uint8_t> frame_;
  SessionAccess access_;
  TokenBucket verifications_;
  std::deque<Handle> verification_queue_;  // connections whose token waits to be checked
  std::deque<Handle> half_open_;           // in the order in which they came; also some that have gone on
  std::uint32_t recheck_from_ = Handle::kNone;  // the next slot whose grant is looked at again; none: beyond the last
  bool guards_ = false;                    // connections have a Guard
  bool serving_verification_ = false;
  bool retrying_ = false;                  // a command that was parked: it has been counted
  std::uint32_t follow_next_ = 0;  // connections from here to the end may go by what was before the reload
  std::uint32_t follow_end_ = 0;
  bool follow_heartbeat_ = false;
  bool shutting_down_ = false;
};

}  // namespace ringcast
