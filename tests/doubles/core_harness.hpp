// tests/doubles/core_harness.hpp: a node of shard cores in one thread, with clients and a clock that the test plays.
//
// Owner    the test.  Thread  one.  Memory  the test's.
// Failure  ensure(): the core breaks a rule of the seam. What clients receive is for the test to judge.
// Not here chance and faults from a seed (tests/simulation), delivery without sessions (delivery_harness.hpp).
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "codec/deflate/message_inflater.hpp"
#include "codec/hash/xxh3.hpp"
#include "codec/websocket/frame_parser.hpp"
#include "codec/websocket/frame_writer.hpp"
#include "engine/access/shared_board.hpp"
#include "engine/offline/store_service.hpp"
#include "engine/shard/admin_lane.hpp"
#include "engine/shard/mesh.hpp"
#include "engine/shard/shard_core.hpp"
#include "engine/stats/shard_block.hpp"
#include "tests/doubles/memory_store.hpp"

namespace ringcast {

/// A frame as a client received it, unpacked.
struct ReceivedFrame {
  Opcode opcode{};
  std::string payload;
  bool compressed = false;
  bool operator==(const ReceivedFrame&) const = default;
};

struct CoreClient {
  static constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

  std::uint32_t shard = 0;
  Handle handle;
  bool accepted = false;       // the core gave it a slot
  bool agreed_deflate = false;
  std::string received;        // what its socket took and the test has not taken
  std::uint64_t room = kUnlimited;  // bytes that its socket still takes
  std::string held;            // sent by the client while the core did not receive
  bool paused = false;         // pause_receive
  bool wants_writable = false;
  bool server_fin = false;     // shutdown_write
  bool closed = false;         // close or reset
  bool reset = false;
  std::optional<SendEntry> remainder;  // under way
  std::size_t remainder_taken = 0;
};

class CoreHarness {
 public:
  using Client = CoreClient;

  /// kept           what its durable channels are kept in, and stays after it; null: a new one, if it needs one.
  /// authenticator  outlives the harness; options.access.authenticates must then be set.
  /// usage_bytes    of each shard's lane to the entitlement record; 0: none is kept.
  explicit CoreHarness(CoreOptions with = {}, std::size_t bulk_bytes = 0, std::uint64_t channel_ids_given = 0,
                       MemoryStore* kept = nullptr, const Authenticator* authenticator = nullptr,
                       std::size_t usage_bytes = 0)
      : options{std::move(with)},
        mesh{options.shards, bulk_bytes != 0 ? bulk_bytes : Mesh::bulk_bytes_for(options.limits.message_bytes)},
        asleep(options.shards, false),
        store{kept != nullptr ? *kept : own_store_} {
    const bool keeps =
        std::ranges::any_of(options.namespaces, [](const NamespaceRule& rule) { return rule.durable(); });
    if (keeps) {
      store_lanes_ =
          std::make_unique<StoreLanes>(options.shards, store_lane_bytes_for(options.limits.message_bytes));
      service_ = std::make_unique<StoreService>(store, *store_lanes_, options.offline, now);
    }
    for (std::uint32_t i = 0; i < options.shards; ++i) {
      shards_.push_back(std::make_unique<Shard>(options.limits.message_bytes));
      Shard& shard = *shards_.back();
      if (usage_bytes != 0) shard.usage = std::make_unique<UsageLane>(usage_bytes);
      shard.core = std::make_unique<ShardCore>(ShardContext{.index = ShardIndex{static_cast<std::uint16_t>(i)},
                                                            .options = options,
                                                            .mesh = mesh,
                                                            .stats = shard.stats,
                                                            .budget = shard.budget,
                                                            .seed = 1'000 + i,
                                                            .store = store_lane(i),
                                                            .channel_ids_given = channel_ids_given,
                                                            .authenticator = authenticator,
                                                            .boards = &boards,
                                                            .usage = shard.usage.get(),
                                                            .admin = &shard.admin},
                                               now);
    }
  }
  ~CoreHarness() {
    for (const auto& shard : shards_) shard->core.reset();
  }
  CoreHarness(const CoreHarness&) = delete;
  CoreHarness& operator=(const CoreHarness&) = delete;

  [[nodiscard]] ShardCore& core(std::uint32_t shard = 0) { return *shards_[shard]->core; }
  [[nodiscard]] Budget& budget(std::uint32_t shard = 0) { return shards_[shard]->budget; }
  [[nodiscard]] UsageLane& usage(std::uint32_t shard = 0) { return *shards_[shard]->usage; }
  [[nodiscard]] std::uint64_t count(CounterId id, std::uint32_t shard) const { return shards_[shard]->stats.get(id); }
  /// Of the whole node.
  [[nodiscard]] std::uint64_t count(CounterId id) const {
    std::uint64_t sum = 0;
    for (const auto& shard : shards_) sum += shard->stats.get(id);
    return sum;
  }
  /// What the flight recorders of all shards hold: the label of each event.
  [[nodiscard]] std::vector<std::string_view> events() const {
    std::vector<std::string_view> labels;
    for (const auto& shard : shards_) {
      const EventRing& recorder = shard->block->events;
      rcs_event event{};
      for (std::uint64_t number = 0; number < recorder.written(); ++number) {
        if (recorder.read(number, event)) labels.push_back(kEvents[event.code].label);
      }
    }
    return labels;
  }
  [[nodiscard]] Ledger ledger() const {
    Ledger sum;
    for (const auto& shard : shards_) {
      const Ledger one = shard->core->ledger();
      ensure(one.closed(), "the ledger is closed at every moment");
      sum += one;
    }
    return sum;
  }
  [[nodiscard]] std::uint32_t home_of(std::string_view channel) const {
    return options.shards == 1 ? 0 : static_cast<std::uint32_t>(hash64(channel) % options.shards);
  }
  /// A channel that lives on this shard.
  [[nodiscard]] std::string channel_on(std::uint32_t shard, std::string_view stem = "channel") const {
    for (int i = 0;; ++i) {
      std::string name = std::string{stem} + "." + std::to_string(i);
      if (home_of(name) == shard) return name;
    }
  }

  // ---- clients ----

  /// A connection that has said nothing yet.
  Client& connect(std::uint32_t shard = 0, PeerInfo peer = {}) {
    clients_.push_back(std::make_unique<Client>());
    Client& client = *clients_.back();
    client.shard = shard;
    for (const auto& one : shards_) peer.node_connections += one->core->connections();
    if (const auto handle = core(shard).accept(peer, now)) {
      client.handle = *handle;
      client.accepted = true;
    } else {
      client.closed = true;
    }
    return client;
  }
  [[nodiscard]] static std::string request(std::string_view target, std::string_view more_fields = {},
                                           std::string_view host = "localhost:9001") {
    std::string text = "GET " + std::string{target} + " HTTP/1.1\r\nHost: " + std::string{host} +
                       "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    return text.append(more_fields).append("\r\n");
  }
  /// A client whose handshake is done; its 101 has been taken off.
  Client& open(std::string_view target = "/ws/connect", std::uint32_t shard = 0, std::string_view more_fields = {}) {
    Client& client = connect(shard);
    bytes(client, request(target, more_fields));
    run();
    const std::string head = take_head(client);
    ensure(head.starts_with("HTTP/1.1 101 "), "a handshake that is to succeed does");
    client.agreed_deflate = head.contains("Sec-WebSocket-Extensions: permessage-deflate");
    return client;
  }
  /// The same, and past the welcome.
  Client& native(std::uint32_t shard = 0, std::string_view target = "/ws/connect", std::string_view more_fields = {}) {
    Client& client = open(target, shard, more_fields);
    const auto frames = take_frames(client);
    ensure(frames.size() == 1 && frames[0].payload.starts_with(R"({"type":"welcome")"), "a native client is welcomed");
    return client;
  }

  /// Bytes reach the shard; or wait while it does not receive.
  void bytes(Client& client, std::string_view text) {
    if (client.closed) return;
    if (client.paused) {
      client.held.append(text);
      return;
    }
    std::vector<std::uint8_t> buffer(text.begin(), text.end());
    core(client.shard).receive(client.handle, MutableBytes{buffer}, now);
    std::ranges::fill(buffer, std::uint8_t{0xdd});  // whoever kept a view of it reads this
    act(client.shard);
  }
  [[nodiscard]] static std::string masked(FrameStart start, std::string_view payload) {
    std::vector<std::uint8_t> frame;
    append_frame(frame, start, as_bytes(payload), MaskKey{0x37, 0xfa, 0x21, 0x3d});
    return {frame.begin(), frame.end()};
  }
  [[nodiscard]] static std::string masked(Opcode opcode, std::string_view payload, bool final = true) {
    return masked(FrameStart{.opcode = opcode, .final = final}, payload);
  }
  void text(Client& client, std::string_view payload) { bytes(client, masked(Opcode::text, payload)); }
  /// One command, and everything that comes of it.
  void say(Client& client, std::string_view payload) {
    text(client, payload);
    run();
  }
  void pong(Client& client) { bytes(client, masked(Opcode::pong, "")); }
  void close_frame(Client& client, CloseCode code, std::string_view reason = {}) {
    std::array<std::uint8_t, kControlFrameBytesMax> frame;
    const std::size_t size = write_close_frame(frame, code, reason, MaskKey{1, 2, 3, 4});
    bytes(client, as_text(Bytes{frame}.first(size)));
  }
  /// The client ends; or its socket breaks.
  void end(Client& client, int error = 0) {
    if (client.closed) return;
    core(client.shard).receive_ended(client.handle, error, now);
    act(client.shard);
  }
  /// Its socket takes so many bytes more.
  void make_room(Client& client, std::uint64_t bytes = Client::kUnlimited) {
    client.room = bytes == Client::kUnlimited ? bytes : client.room + bytes;
    if (client.wants_writable && client.room != 0 && !client.closed) {
      client.wants_writable = false;
      core(client.shard).writable(client.handle, now);
      act(client.shard);
    }
  }

  // ---- what they received ----

  std::string take_head(Client& client) {
    const std::size_t end = client.received.find("\r\n\r\n");
    if (end == std::string::npos) return {};
    std::string head = client.received.substr(0, end + 4);
    client.received.erase(0, end + 4);
    return head;
  }
  /// The whole frames that have come; what is left is the beginning of another.
  static std::vector<ReceivedFrame> take_frames(Client& client) {
    std::vector<ReceivedFrame> frames;
    MessageInflater inflater{1U << 30};
    for (;;) {
      const auto header =
          decode_frame_header(as_bytes(client.received), Role::client, {.deflate = client.agreed_deflate});
      ensure(header.has_value(), "what a server sends are frames");
      if (!*header || client.received.size() < (*header)->header_bytes + (*header)->payload_bytes) return frames;
      const auto size = static_cast<std::size_t>((*header)->payload_bytes);
      ReceivedFrame& frame =
          frames.emplace_back((*header)->opcode, client.received.substr((*header)->header_bytes, size));
      if ((*header)->compressed) {
        const auto unpacked = inflater.inflate(as_bytes(frame.payload));
        ensure(unpacked.has_value(), "what a server compresses can be unpacked");
        frame.payload = as_text(*unpacked);
        frame.compressed = true;
      }
      client.received.erase(0, (*header)->header_bytes + size);
    }
  }
  /// The text messages among them.
  static std::vector<std::string> take_texts(Client& client) {
    std::vector<std::string> texts;
    for (ReceivedFrame& frame : take_frames(client)) {
      if (frame.opcode == Opcode::text) texts.push_back(std::move(frame.payload));
    }
    return texts;
  }
  /// The code of the close frame that came last; 0 if none did.
  static std::uint16_t take_close(Client& client) {
    const auto frames = take_frames(client);
    if (frames.empty() || frames.back().opcode != Opcode::close) return 0;
    const auto payload = parse_close_payload(as_bytes(frames.back().payload));
    return payload ? value(payload->code) : 0;
  }

  // ---- the admin port ----

  struct AdminReply {
    AdminAnswerHead head;
    std::string body;
  };
  /// Puts a question into a shard's lane; nobody works on it yet. Without a deadline it has a second.
  void put(std::uint32_t shard, AdminQuestion question) {
    if (question.head.deadline_ns == 0) question.head.deadline_ns = (now.mono + seconds{1}).time_since_epoch().count();
    MeshLane& lane = shards_[shard]->admin.questions;
    const MutableBytes room = lane.reserve(bytes_of(question));
    ensure(!room.empty(), "a lane has room for a question");
    write_question(room, question);
    lane.commit();
    lane.publish();
  }
  /// The next answer of that shard, if there is one.
  std::optional<AdminReply> take_answer(std::uint32_t shard) {
    MeshLane& lane = shards_[shard]->admin.answers;
    const Bytes record = lane.peek();
    if (record.empty()) return std::nullopt;
    AdminReply reply{.head = load<AdminAnswerHead>(record.data()),
                     .body = std::string{as_text(record.subspan(sizeof(AdminAnswerHead)))}};
    lane.pop();
    lane.release();
    return reply;
  }
  /// A question, and everything that comes of it.
  AdminReply ask(std::uint32_t shard, const AdminQuestion& question) {
    put(shard, question);
    run();
    auto reply = take_answer(shard);
    ensure(reply.has_value(), "a question is answered");
    return *std::move(reply);
  }

  // ---- time and turns ----

  /// Every shard that is awake has its turns until nothing happens any more.
  void run() {
    for (int i = 0; i < 10'000; ++i) {
      bool did = false;
      for (std::uint32_t shard = 0; shard < shards_.size(); ++shard) {
        if (!asleep[shard]) did = turn(shard) || did;
      }
      if (service_ != nullptr && !store_asleep) did = service_->serve(now) || did;
      if (!did) return;
    }
    ensure(false, "a node comes to rest");
  }
  /// One turn of one shard; false if nothing came of it.
  bool turn(std::uint32_t shard) {
    ShardCore& one = core(shard);
    one.drain_mesh(now);
    act(shard);
    one.expire_timers(now);
    bool did = act(shard);
    did = send(shard) || did;
    did = receive_held(shard) || did;
    did = finish_remainders(shard) || did;
    const std::uint64_t doorbells = one.take_doorbells(now);
    ensure((doorbells >> shards_.size()) == 0 && (doorbells >> shard & 1U) == 0, "a doorbell belongs to another shard");
    one.validate();
    (void)ledger();
    return did || doorbells != 0 || !one.idle();
  }
  /// Time passes; every deadline on the way is kept.
  void advance(nanoseconds by) {
    const Instant until = now.mono + by;
    while (now.mono < until) {
      Instant next = until;
      for (const auto& shard : shards_) next = std::min(next, std::max(shard->core->next_deadline(), now.mono));
      if (next == now.mono) next += milliseconds{1};
      now.wall += next - now.mono;
      now.mono = next;
      run();
    }
  }

  CoreOptions options;
  Now now{.mono = Instant{seconds{1'000}}, .wall = WallTime{seconds{1'790'000'000}}};
  AccessBoards boards = AccessBoards::make(options, 99);
  Mesh mesh;
  std::vector<bool> asleep;  // shards that have no turn in run()
  MemoryStore& store;
  bool store_asleep = false;  // the bridge has no turn in run()

  [[nodiscard]] StoreService& service() { return *service_; }

 private:
  StoreLane* store_lane(std::uint32_t shard) {
    return store_lanes_ == nullptr ? nullptr : &store_lanes_->of(ShardIndex{static_cast<std::uint16_t>(shard)});
  }

  struct Shard {
    explicit Shard(std::uint32_t message_bytes) : admin{AdminLane::bytes_for(message_bytes)} {}

    std::unique_ptr<ShardBlock> block = std::make_unique<ShardBlock>();
    ShardStats stats{*block};
    Budget budget;
    std::unique_ptr<UsageLane> usage;
    AdminLane admin;
    std::unique_ptr<ShardCore> core;
  };

  Client& client_of(std::uint32_t shard, Handle handle) {
    const auto at = std::ranges::find_if(clients_, [&](const auto& client) {
      return client->shard == shard && client->handle == handle && client->accepted;
    });
    ensure(at != clients_.end(), "a core speaks of connections that it was given");
    return **at;
  }

  bool send(std::uint32_t shard) {
    bool did = false;
    for (;;) {
      const auto batch = core(shard).prepare_sends(now);
      if (batch.empty()) {
        act(shard);
        return did;
      }
      did = true;
      ensure(batch.size() <= kSendBatchMax, "a batch has its bound");
      std::vector<SendReport> reports;
      std::vector<Handle> seen;
      for (std::uint32_t i = 0; i < batch.size(); ++i) {
        const SendEntry& entry = batch[i];
        Client& client = client_of(shard, entry.connection);
        ensure(!client.closed && !client.server_fin, "nothing is sent behind an end");
        ensure(!client.remainder, "nothing is sent while a remainder is under way");
        ensure(std::ranges::find(seen, entry.connection) == seen.end(), "one send a connection a batch");
        seen.push_back(entry.connection);
        if (entry.remainder) {
          client.remainder = entry;
          client.remainder_taken = 0;
          continue;
        }
        const std::size_t taken = take(client, entry.data, entry.size);
        if (taken != entry.size) {
          reports.push_back({.entry = i, .result = taken == 0 ? -EAGAIN : static_cast<std::int32_t>(taken)});
        }
      }
      core(shard).finish_sends(reports, now);
      act(shard);
    }
  }
  static std::size_t take(Client& client, const std::uint8_t* data, std::size_t size) {
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(size, client.room));
    if (client.room != Client::kUnlimited) client.room -= taken;
    client.received.append(reinterpret_cast<const char*>(data), taken);
    return taken;
  }
  bool finish_remainders(std::uint32_t shard) {
    bool did = false;
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      Client& client = *clients_[i];
      if (client.shard != shard || !client.remainder || client.closed) continue;
      const SendEntry entry = *client.remainder;
      client.remainder_taken += take(client, entry.data + client.remainder_taken, entry.size - client.remainder_taken);
      if (client.remainder_taken != entry.size) continue;
      client.remainder.reset();
      core(shard).remainder_sent(entry.connection, static_cast<std::int32_t>(entry.size), now);
      act(shard);
      did = true;
    }
    return did;
  }
  bool receive_held(std::uint32_t shard) {
    bool did = false;
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      Client& client = *clients_[i];
      if (client.shard != shard || client.paused || client.held.empty() || client.closed) continue;
      bytes(client, std::exchange(client.held, {}));
      did = true;
    }
    return did;
  }

  bool act(std::uint32_t shard) {
    const auto actions = core(shard).take_actions();
    const std::vector<Action> copy(actions.begin(), actions.end());
    for (const Action& action : copy) {
      Client& client = client_of(shard, action.connection);
      ensure(!client.closed, "nothing is asked of a connection that has ended");
      switch (action.kind) {
        case ActionKind::pause_receive:
          ensure(!client.paused, "receiving is paused once");
          client.paused = true;
          break;
        case ActionKind::resume_receive:
          ensure(client.paused, "what was not paused is not resumed");
          client.paused = false;
          break;
        case ActionKind::wait_writable:
          ensure(!client.wants_writable, "one wait for a socket");
          client.wants_writable = true;
          if (client.room != 0) make_room(client, 0);
          break;
        case ActionKind::shutdown_write:
          client.server_fin = true;
          break;
        case ActionKind::close:
          ensure(!client.remainder, "an orderly end leaves nothing half-sent");
          finish(client);
          break;
        case ActionKind::reset:
          client.reset = true;
          finish(client);
          break;
      }
    }
    return !copy.empty();
  }
  void finish(Client& client) {
    client.closed = true;
    if (client.remainder) {
      client.remainder.reset();
      core(client.shard).remainder_sent(client.handle, static_cast<std::int32_t>(client.remainder_taken), now);
    }
    core(client.shard).closed(client.handle);
    client.accepted = false;
  }

  MemoryStore own_store_;
  std::unique_ptr<StoreLanes> store_lanes_;
  std::unique_ptr<StoreService> service_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace ringcast
