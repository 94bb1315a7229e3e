#include "tests/simulation/client.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "codec/text/numbers.hpp"
#include "codec/websocket/handshake.hpp"
#include "tests/simulation/checkers.hpp"

namespace ringcast::simulation {
namespace {

constexpr std::size_t kOutBytesMax = 8'192;          // a client with so much unwritten says nothing new
constexpr std::size_t kFloodBytesMax = 256 * 1'024;  // nor does one that floods

}  // namespace

Conversation* Client::conversation() const { return connection_ ? world_.conversations[*connection_].get() : nullptr; }

std::size_t Client::out_bytes_max() const { return plan_.floods ? kFloodBytesMax : kOutBytesMax; }

MaskKey Client::mask() {
  const std::uint64_t drawn = world_.dice.next();
  return {static_cast<std::uint8_t>(drawn), static_cast<std::uint8_t>(drawn >> 8),
          static_cast<std::uint8_t>(drawn >> 16), static_cast<std::uint8_t>(drawn >> 24)};
}

// ---- connecting ----

/// The last message that it has of its personal channel.
std::optional<Position> Client::personal_seen() const {
  for (const auto& [channel, position] : last_seen_) {
    if (world_.scenario.channels[channel].owner == plan_.user) return position;
  }
  return std::nullopt;
}

Client::Handshake Client::choose_handshake() {
  Dice& dice = world_.dice;
  Handshake handshake;
  if (plan_.binary) {
    handshake.entry = dice.one_in(2) ? Entry::binary_connect : Entry::binary_plain;
    handshake.target = handshake.entry == Entry::binary_connect ? "/ws/connect" : "/ws";
  } else if (plan_.native) {
    constexpr std::array kEntries{Entry::native_connect, Entry::native_plain, Entry::native_subprotocol};
    handshake.entry = kEntries[dice.below(kEntries.size())];
    handshake.target = handshake.entry == Entry::native_connect ? "/ws/connect" : "/ws";
  } else {
    constexpr std::array kEntries{Entry::exchange_plain, Entry::exchange_path, Entry::exchange_streams};
    handshake.entry = kEntries[dice.below(kEntries.size())];
    handshake.target = "/ws";
    if (handshake.entry != Entry::exchange_plain) {
      handshake.channels = some_channels();
      handshake.target = handshake.entry == Entry::exchange_path ? "/ws/" : "/stream?streams=";
      for (std::size_t i = 0; i < handshake.channels.size(); ++i) {
        if (i != 0) handshake.target += '/';
        handshake.target += world_.scenario.channels[handshake.channels[i]].name;
      }
    }
  }
  if (plan_.user != 0) {
    handshake.target +=
        fmt::format("{}user={}", handshake.target.find('?') == std::string::npos ? '?' : '&', plan_.user);
    const bool native_at_once = plan_.native && handshake.entry != Entry::native_plain;
    if (native_at_once && personal_seen() && dice.one_in(2)) {
      handshake.since = personal_seen();
      std::string epoch;
      append_epoch(epoch, handshake.since->epoch);
      handshake.target += fmt::format("&since={}:{}", epoch, value(handshake.since->seq));
    }
  }
  return handshake;
}

void Client::connect(Instant now) {
  Dice& dice = world_.dice;
  const Scenario& scenario = world_.scenario;
  const auto shard = static_cast<std::uint32_t>(dice.below(scenario.options.shards));
  const std::size_t to_server = dice.size(256, 64 * 1'024);
  const std::size_t to_client = dice.size(256, scenario.socket_bytes_max);
  const Handshake handshake = choose_handshake();
  connection_ = world_.network.connect(shard, to_server, to_client);
  world_.conversations.push_back(std::make_unique<Conversation>(*connection_, handshake.entry, scenario, world_.truth,
                                                                world_.delivered[shard], world_.coverage, world_.trace,
                                                                now));
  ensure(world_.conversations.size() == *connection_ + 1U, "every connection has its conversation");
  out_.clear();
  written_ = 0;
  opened_ = close_sent_ = stalled_ = vanished_ = false;
  decided_ = handshake.entry != Entry::exchange_plain && handshake.entry != Entry::native_plain;
  const HeartbeatOptions& heartbeat = scenario.options.heartbeat;
  talk().ends_idle = heartbeat.interval.count() == 0;
  if (heartbeat.interval.count() != 0) {  // plain /ws beats as native does until it is decided
    const bool undecided = handshake.entry == Entry::exchange_plain;
    const bool exchange_off = heartbeat.interval_exchange.count() == 0;
    talk().heartbeat = plan_.native || (undecided && exchange_off) ? heartbeat.interval
                       : undecided ? std::min(heartbeat.interval, heartbeat.interval_exchange)
                                   : heartbeat.interval_exchange;
    talk().ends_idle = !plan_.native && exchange_off;
  }
  for (const std::uint32_t channel : handshake.channels) talk().subscribes_by_path(channel);
  if (plan_.user != 0) talk().is_of_user(std::to_string(plan_.user), handshake.since);
  if (handshake.channels.size() > scenario.options.limits.subscriptions) talk().may_be_refused_with(400);
  world_.trace.note("c{} client {} opens {}", *connection_, index_, handshake.target);
  send_handshake(handshake);
}

void Client::send_handshake(const Handshake& handshake) {
  Dice& dice = world_.dice;
  static constexpr std::array<std::string_view, 1> kSubprotocols{"ringcast.v1.json"};
  UpgradeRequest request;
  request.host = "127.0.0.1:9001";
  request.target = handshake.target;
  for (std::uint8_t& byte : request.nonce) byte = static_cast<std::uint8_t>(dice.next());
  if (handshake.entry == Entry::native_subprotocol) request.subprotocols = kSubprotocols;
  static constexpr std::array<std::string_view, 2> kBinaryFirst{"ringcast.v1.bin", "ringcast.v1.json"};
  if (is_binary(handshake.entry)) request.subprotocols = std::span{kBinaryFirst}.first(dice.between(1, 2));
  std::string head;
  append_upgrade_request(head, request);
  if (dice.one_in(3)) {
    constexpr std::array<std::uint8_t, 4> kWindows{15, 15, 12, 9};
    head.insert(head.size() - 2, talk().packed_wire.offer(kWindows[dice.below(kWindows.size())]));
  }
  if (plan_.vandal && dice.one_in(4)) {
    const std::size_t kind = dice.below(3);
    if (kind == 0) {
      head.replace(head.find("HTTP/1.1"), 8, "HTTX/9.9");
    } else if (kind == 1) {
      head.replace(head.find("Version: 13"), 11, "Version: 12");
    } else {
      head.insert(head.size() - 2, fmt::format("X-Filler: {}\r\n", std::string(20'000, 'x')));
    }
    for (const int status : {400, 426, 431, 505}) talk().may_be_refused_with(static_cast<std::uint16_t>(status));
    talk().gives_up();
    world_.trace.note("c{} spoils its handshake ({})", *connection_, kind);
  }
  const Bytes bytes = as_bytes(head);
  out_.insert(out_.end(), bytes.begin(), bytes.end());
}

// ---- bytes ----

void Client::send_frame(Opcode opcode, Bytes payload) {
  append_frame(out_, FrameStart{.opcode = opcode, .final = true, .compressed = false}, payload, mask());
}

void Client::send_message(Opcode opcode, std::string_view text) {
  Dice& dice = world_.dice;
  const std::string packed = talk().packed_wire.agreed() && dice.one_in(2) ? talk().packed_wire.pack(text) : "";
  const bool is_packed = !packed.empty();  // agreed and used are two facts
  if (is_packed) {
    text = packed;
    world_.coverage.add(Seen::commands_packed);
  }
  if (!dice.one_in(12) || text.size() < 4) {
    append_frame(out_, FrameStart{.opcode = opcode, .compressed = is_packed}, as_bytes(text), mask());
    return;
  }
  const std::size_t pieces = dice.between(2, 4);  // fragments, with pings between them
  for (std::size_t i = 0; i < pieces; ++i) {
    const std::size_t length = i + 1 == pieces ? text.size() : dice.below(text.size() + 1);
    append_frame(out_,
                 FrameStart{.opcode = i == 0 ? opcode : Opcode::continuation,
                            .final = i + 1 == pieces,
                            .compressed = i == 0 && is_packed},
                 as_bytes(text.substr(0, length)), mask());
    text.remove_prefix(length);
    if (i + 1 != pieces && dice.one_in(2)) send_frame(Opcode::ping, as_bytes("between"));
  }
}

bool Client::write_some(bool all) {
  if (out_.empty() || !connection_) return false;
  Dice& dice = world_.dice;
  std::size_t count = all || dice.one_in(2) ? out_.size() : dice.size(1, out_.size());
  if (!all && plan_.dribbles && !opened_) {
    count = 1;
    world_.coverage.add(Seen::handshakes_dribbled);
  }
  const std::size_t taken = world_.network.client_writes(*connection_, Bytes{out_}.first(count));
  out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(taken));
  written_ += taken;
  return taken != 0;
}

bool Client::read_some(bool all) {
  if (!connection_ || !world_.network.readable(*connection_)) return false;
  Dice& dice = world_.dice;
  std::size_t most = ~std::size_t{0};
  if (!all) {
    switch (plan_.reading) {
      case Reading::eager: break;
      case Reading::sipping: most = dice.size(1, 2'048); break;
      case Reading::stalling:
        if (dice.one_in(40)) {
          stalled_ = !stalled_;
          world_.trace.note("c{} {}", *connection_, stalled_ ? "stops reading" : "reads again");
        }
        if (stalled_) return false;
        break;
      case Reading::never:
        if (opened_) return false;
        most = 64;
        break;
    }
  }
  return world_.network.client_reads(*connection_, most) != 0;
}

bool Client::react() {
  if (!connection_) return false;
  bool did = false;
  auto& reactions = talk().reactions();
  while (!reactions.empty() && reactions.front().offset <= world_.network.bytes_read(*connection_)) {
    const Reaction reaction = std::move(reactions.front());
    reactions.pop_front();
    did = true;
    switch (reaction.kind) {
      case Reaction::Kind::opened: opened_ = true; break;
      case Reaction::Kind::refused: break;
      case Reaction::Kind::ping:
        if (plan_.mute || close_sent_ || out_.size() >= 4 * kOutBytesMax) break;
        send_frame(Opcode::pong, Bytes{reaction.payload});
        talk().answers_ping(written_ + out_.size());
        break;
      case Reaction::Kind::close:
        if (!close_sent_ && !plan_.mute) {
          std::array<std::uint8_t, kControlFrameBytesMax> frame{};
          const std::size_t size = write_close_frame(
              MutableBytes{frame}, static_cast<CloseCode>(talk().close_code().value_or(1000)), "", mask());
          out_.insert(out_.end(), frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
        }
        close_sent_ = true;
        break;
    }
  }
  if (world_.network.at_end(*connection_)) {
    end_connection();
    return true;
  }
  return did;
}

bool Client::has_read() const {
  if (has_read_ || conversation() == nullptr) return has_read_;
  return std::ranges::any_of(conversation()->subscriptions(),
                             [](const Subscription& subscription) { return subscription.messages != 0; });
}

void Client::end_connection() {
  has_read_ = has_read();
  for (std::size_t i = 0; i < talk().subscriptions().size(); ++i) {
    const Subscription& subscription = talk().subscriptions()[i];
    if (plan_.native && subscription.position_known) {
      last_seen_[static_cast<std::uint32_t>(i)] =
          Position{subscription.next.epoch, Sequence{value(subscription.next.seq) - 1}};
    }
  }
  talk().gives_up();
  world_.network.client_departs(*connection_);
  world_.trace.note("c{} client {} is done with it", *connection_, index_);
  connection_.reset();
}

// ---- what it does ----

void Client::act(Instant now) {
  Dice& dice = world_.dice;
  if (!connection_) {
    if (may_connect && dice.one_in(plan_.churns ? 4 : 12)) connect(now);
    return;
  }
  if (vanished_) {  // until the server has noticed; then it is back
    if (!world_.network.at_end(*connection_)) return;
    vanished_ = false;
    end_connection();
    return;
  }
  react();
  if (!connection_) return;
  const std::size_t what = dice.below(10);
  if (what < 3) {
    read_some(false);
  } else if (what < 6) {
    write_some(false);
  } else {
    if (dice.below(1'000) < world_.scenario.resets) {
      accident();
      return;
    }
    const bool may_speak = opened_ || dice.one_in(50);  // now and then behind its handshake, unasked
    if (may_speak && !close_sent_ && out_.size() < out_bytes_max() && talk().status() != 503) say_something(now);
  }
}

bool Client::settle() {
  if (!connection_ || vanished_) return false;
  const bool wrote = write_some(true);
  const bool read = read_some(true);
  const bool reacted = react();
  return wrote || read || reacted;
}

void Client::give_up_if_hopeless() {
  stalled_ = false;
  const bool silent_end = connection_ && plan_.mute && (close_sent_ || talk().close_code());
  plan_.mute = false;
  if (!connection_) return;
  if (vanished_ || plan_.reading == Reading::never || silent_end || (!opened_ && plan_.dribbles) ||
      (!talk().owed() && !close_sent_)) {
    talk().gives_up();
    world_.network.client_resets(*connection_, ETIMEDOUT);
    end_connection();
  }
}

void Client::leave() {
  if (!connection_ || vanished_) return;
  Dice& dice = world_.dice;
  const std::size_t how = dice.below(3);
  if (how == 0 && opened_ && !close_sent_) {
    say_goodbye();
  } else if (how == 1) {
    world_.network.client_resets(*connection_, ECONNRESET);
    end_connection();
  } else {
    end_connection();
  }
}

void Client::accident() {
  Dice& dice = world_.dice;
  const std::size_t kind = dice.below(8);
  if (kind < 3) {
    talk().gives_up();
    world_.coverage.add(Seen::peers_reset);
    world_.network.client_resets(*connection_, kind == 0 ? EPIPE : ECONNRESET);
    end_connection();
  } else if (kind < 5) {
    world_.coverage.add(Seen::peers_finished);
    end_connection();  // FIN; what still comes is answered with RST
  } else if (kind == 5) {
    talk().gives_up();
    world_.coverage.add(Seen::peers_vanished);
    world_.trace.note("c{} vanishes", *connection_);
    world_.network.client_vanishes(*connection_);
    vanished_ = true;
  } else if (!close_sent_ && opened_) {
    say_goodbye();
  }
}

void Client::say_goodbye() {
  std::array<std::uint8_t, kControlFrameBytesMax> frame{};
  const bool empty = world_.dice.one_in(3);
  const CloseCode code = empty ? CloseCode::no_status : CloseCode::normal;
  const std::size_t size = write_close_frame(MutableBytes{frame}, code, "", mask());
  out_.insert(out_.end(), frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
  talk().may_be_closed_with(CloseCode::normal);
  talk().may_be_closed_with(CloseCode::no_status);
  talk().gives_up();
  close_sent_ = true;
  world_.coverage.add(Seen::clean_closes);
  world_.trace.note("c{} client says goodbye", *connection_);
}

}  // namespace ringcast::simulation
