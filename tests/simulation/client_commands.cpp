// What a client says once it is connected, rules kept or broken.
#include <algorithm>
#include <array>
#include <string>

#include "alloc/base/bytes.hpp"
#include "codec/dialect/ringcast_binary.h"
#include "codec/text/json_write.hpp"
#include "codec/text/numbers.hpp"
#include "codec/websocket/masking.hpp"
#include "tests/simulation/checkers.hpp"
#include "tests/simulation/client.hpp"

namespace ringcast::simulation {
namespace {

std::string json_list(const Scenario& scenario, const std::vector<std::uint32_t>& channels) {
  std::string list = "[";
  for (const std::uint32_t channel : channels) {
    if (list.size() > 1) list += ',';
    append_json_string(list, scenario.channels[channel].name);
  }
  return list + "]";
}

}  // namespace

/// Has asked for at least half of the channels.
bool Client::subscribed_enough() const {
  const auto& subscriptions = talk().subscriptions();
  return 2 * std::ranges::count_if(subscriptions, [](const Subscription& one) { return one.asked; }) >=
         static_cast<std::ptrdiff_t>(subscriptions.size());
}

std::vector<std::uint32_t> Client::some_channels() {
  Dice& dice = world_.dice;
  std::vector<std::uint32_t> channels;
  const std::size_t wanted = dice.between(1, 3);
  for (std::size_t i = 0; i < wanted; ++i) {
    const auto channel = static_cast<std::uint32_t>(dice.below(world_.scenario.channels.size()));
    const std::uint32_t owner = world_.scenario.channels[channel].owner;
    if (owner != 0 && (!plan_.native || (owner != plan_.user && !dice.one_in(20)))) continue;  // it would be refused
    if (std::ranges::find(channels, channel) == channels.end()) channels.push_back(channel);
  }
  if (channels.empty()) channels.push_back(0);  // never a personal one
  return channels;
}

void Client::say_something(Instant now) {
  Dice& dice = world_.dice;
  if (plan_.vandal && decided_ && dice.one_in(30)) {
    misbehave();
    return;
  }
  const std::size_t what = dice.below(100);
  if (plan_.publishes && what < 60) {
    const std::size_t burst = plan_.floods ? dice.between(1, 12) : dice.one_in(6) ? dice.between(2, 8) : 1;
    publish_some(burst, now);
    if (plan_.floods) write_some(true);
  } else if (what < 75) {
    if (plan_.patterns && dice.one_in(3)) {
      subscribe_to_patterns();
    } else if (!subscribed_enough() || dice.one_in(8)) {
      subscribe();
    }
  } else if (what < 80 && decided_) {
    if (plan_.patterns && dice.one_in(3)) {
      unsubscribe_from_patterns();
    } else {
      unsubscribe();
    }
  } else if (what < 84 && decided_) {
    if (plan_.native && dice.one_in(3)) {
      ask_presence();
    } else if (plan_.native) {
      const std::uint64_t id =
          talk().ask(Request{.kind = Request::Kind::ping, .publish = 0, .channels = {}, .patterns = {}, .resume = {}});
      send_text(fmt::format(R"({{"type":"ping","id":{}}})", id));
    } else {
      ask_property();
    }
  } else if (what < 88) {
    const std::array<std::uint8_t, 3> payload{1, 2, 3};
    send_frame(dice.one_in(3) ? Opcode::pong : Opcode::ping, Bytes{payload}.first(dice.below(4)));
  }
}

// ---- publishing ----

std::string Client::data_for(PublishId id, std::uint32_t channel, std::string& as_sent) {
  Dice& dice = world_.dice;
  const bool plain_only = world_.scenario.channels[channel].dedupe.by == DedupeBy::payload;
  std::string data;
  if (in_records_ && world_.scenario.channels[channel].bytes) {
    data = fmt::format("{}", id) + '\0';
    const std::size_t most = world_.scenario.payload_bytes_max / 2;
    for (std::size_t more = dice.size(0, most); more > 0; --more) data += static_cast<char>(more * 37 + id);
    as_sent = data;
    return data;
  }
  const std::size_t kind = dice.below(plain_only ? 4 : 7);
  if (kind == 0) {
    data = fmt::format("{}", id);
  } else if (kind == 1) {
    data = fmt::format("\"{}\"", id);
  } else if (kind < 4) {
    const std::size_t most = world_.scenario.payload_bytes_max;
    const std::size_t pad = plan_.floods && dice.one_in(2) ? most - dice.below(most / 4 + 1) : dice.size(0, most);
    data = fmt::format(R"({{"u":{},"pad":"{}"}})", id, std::string(pad, static_cast<char>('a' + id % 26)));
  } else if (kind == 4) {
    data =
        fmt::format(R"( {{ "u" : {} , "text" : "\u20ac \ud83d\ude00 \"quoted\" ü€😀" , "n" : [1e400, -0.10] }} )", id);
    data = data.substr(1, data.size() - 2);  // white space around a value belongs to the envelope
  } else if (kind == 5) {
    data = fmt::format(R"({{"stream":"somewhere.else","data":{{"u":{}}}}})", id);
  } else {
    data = fmt::format("[{}]", id);  // sent in an envelope of its own channel, which is taken off
    as_sent = fmt::format(R"({{"stream":"{}","data":{}}})", world_.scenario.channels[channel].name, data);
    return data;
  }
  as_sent = data;
  return data;
}

std::string Client::dedupe_key(std::uint32_t channel, std::string_view message_id, std::string_view data) const {
  const DedupeOptions& options = world_.scenario.channels[channel].dedupe;
  if (options.by == DedupeBy::payload) return fmt::format("={}|{}", channel, data);
  if (options.by == DedupeBy::off || message_id.empty()) return {};
  if (options.scope == DedupeScope::channel) return fmt::format("*{}|{}", channel, message_id);
  if (plan_.user != 0) return fmt::format("u{}|{}|{}", plan_.user, channel, message_id);  // on any connection
  return fmt::format("c{}|{}|{}", *connection_, channel, message_id);
}

void Client::publish_some(std::size_t count, Instant now) {
  in_records_ = plan_.binary && !world_.dice.one_in(6);  // or as JSON, which it may as well
  for (std::size_t i = 0; i < count; ++i) publish(now);
  send_records();
  in_records_ = false;
}

void Client::publish(Instant now) {
  Dice& dice = world_.dice;
  auto channel = static_cast<std::uint32_t>(dice.below(world_.scenario.channels.size()));
  if (world_.scenario.channels[channel].bytes && !in_records_ && !dice.one_in(10)) channel = 0;  // it would be refused
  const ChannelPlan& plan = world_.scenario.channels[channel];
  const auto id = static_cast<PublishId>(world_.truth.publishes() + 1);
  Publish publish;
  publish.channel = channel;
  publish.publisher = *connection_;
  publish.sent_at = now;
  std::string as_sent;
  publish.data = data_for(id, channel, as_sent);
  if (dice.one_in(3)) publish.event = dice.one_in(2) ? "trade" : "order \"update\" ü";
  if (dice.one_in(2)) {
    if (plan.dedupe.scope == DedupeScope::channel) {  // redundant feeds number their messages alike
      publish.message_id = fmt::format("feed-{}", world_.truth.publishes() / 4 + dice.below(4));
    } else {
      ids_used_ += dice.one_in(4) ? 0 : 1;
      publish.message_id = fmt::format("m{}-{}", channel, ids_used_);
    }
  }
  if (plan.dedupe.by == DedupeBy::payload && dice.one_in(3) && id > 1) {  // the same again
    for (PublishId earlier = id - 1; earlier >= 1 && id - earlier < 20; --earlier) {
      if (world_.truth.of(earlier).channel != channel) continue;
      publish.data = as_sent = world_.truth.of(earlier).data;
      break;
    }
  }
  if (plan.state == StateKeeping::snapshot_delta && dice.one_in(5)) {
    publish.snapshot = true;
    const Position newest = world_.truth.newest(channel);
    if (value(newest.seq) != 0 && dice.one_in(2)) {
      publish.as_of = Sequence{dice.between(std::max<std::uint64_t>(value(newest.seq), 7) - 6, value(newest.seq))};
    }
  }
  const std::string key = dedupe_key(channel, publish.message_id, publish.data);
  publish_as(std::move(publish), as_sent, key, dice.percent(70));
}

/// Puts a publish behind those that are to go out with it in one binary message.
void Client::add_record(const Publish& publish, std::string_view sent_data, std::uint64_t request) {
  const std::string& name = world_.scenario.channels[publish.channel].name;
  std::string padded{sent_data};
  if (!world_.scenario.channels[publish.channel].bytes && world_.dice.one_in(4)) padded = " \n" + padded + "\t";
  rcb_publication what{};
  what.channel = name.data();
  what.channel_bytes = static_cast<std::uint8_t>(name.size());
  what.event = publish.event.data();
  what.event_bytes = static_cast<std::uint8_t>(publish.event.size());
  what.message_id = publish.message_id.data();
  what.message_id_bytes = static_cast<std::uint8_t>(publish.message_id.size());
  what.data = padded.data();
  what.data_bytes = static_cast<std::uint32_t>(padded.size());
  what.flags = static_cast<std::uint16_t>((request != 0 ? RCB_ANSWER : 0) | (publish.snapshot ? RCB_SNAPSHOT : 0));
  what.has_as_of = value(publish.as_of) != 0 ? 1 : 0;
  what.as_of_seq = value(publish.as_of);
  what.request = request;
  if (records_.size() + rcb_publish_bytes(&what) > world_.scenario.options.limits.message_bytes) send_records();
  const std::size_t before = records_.size();
  records_.resize(before + rcb_publish_bytes(&what));
  rcb_write_publish(reinterpret_cast<std::uint8_t*>(records_.data()) + before, &what);
  world_.coverage.add(Seen::records_published);
}

void Client::send_records() {
  if (records_.empty()) return;
  send_message(Opcode::binary, records_);
  records_.clear();
}

std::uint64_t Client::publish_as(Publish publish, std::string_view sent_data, std::string key, bool with_id) {
  std::string text = R"({"type":"publish")";
  std::string tail = R"(,"channel":)";
  append_json_string(tail, world_.scenario.channels[publish.channel].name);
  if (!publish.event.empty()) {
    tail += R"(,"event":)";
    append_json_string(tail, publish.event);
  }
  if (world_.dice.one_in(5)) tail += world_.dice.one_in(4) ? R"(,"priority":"normal")" : R"(,"priority":"high")";
  if (!publish.message_id.empty()) {
    tail += R"(,"message_id":)";
    append_json_string(tail, publish.message_id);
  }
  if (publish.snapshot) tail += R"(,"state":"snapshot")";
  if (value(publish.as_of) != 0) tail += fmt::format(R"(,"as_of_seq":{})", value(publish.as_of));
  tail += R"(,"data":)";
  tail += sent_data;
  tail += '}';
  const std::uint32_t channel = publish.channel;
  const std::size_t bytes = publish.data.size();
  const std::string message_id = publish.message_id;
  const Publish copy = in_records_ ? publish : Publish{};
  const PublishId id = world_.truth.add(std::move(publish), std::move(key));
  std::uint64_t request = 0;
  if (with_id) {
    request = talk().ask(
        Request{.kind = Request::Kind::publish, .publish = id, .channels = {}, .patterns = {}, .resume = {}});
    text += fmt::format(R"(,"id":{})", request);
  } else {
    talk().asks_silently();
  }
  text += tail;
  world_.coverage.add(Seen::publishes);
  world_.trace.note("c{} publishes {} to {}: {} bytes{} {}", *connection_, id, world_.scenario.channels[channel].name,
                    bytes, with_id ? "" : ", no answer wanted", message_id);
  if (in_records_) {
    add_record(copy, sent_data, request);
  } else {
    send_text(text);
  }
  decided_ = true;
  return request;
}

void Client::publish_marker(std::uint32_t channel, Instant now, std::size_t filler) {
  Publish publish;
  publish.channel = channel;
  publish.publisher = *connection_;
  publish.sent_at = now;
  publish.data = fmt::format(R"({{"marker":{},"pad":"{}"}})", world_.truth.publishes() + 1, std::string(filler, 'm'));
  const std::string key = dedupe_key(channel, "", publish.data);
  const std::string as_sent = publish.data;
  in_records_ = plan_.binary;
  publish_as(std::move(publish), as_sent, key, true);
  send_records();
  in_records_ = false;
}

// ---- subscribing ----

void Client::subscribe() {
  Dice& dice = world_.dice;
  const std::vector<std::uint32_t> channels = some_channels();
  Request request{.kind = Request::Kind::subscribe,
                  .publish = 0,
                  .channels = {channels.begin(), channels.end()},
                  .patterns = {},
                  .resume = {}};
  if (!plan_.native) {
    const std::uint64_t id = talk().ask(std::move(request));
    send_text(fmt::format(R"({{"method":"SUBSCRIBE","params":{},"id":{}}})", json_list(world_.scenario, channels), id));
    world_.trace.note("c{} asks to subscribe to {} (id {})", *connection_, json_list(world_.scenario, channels), id);
    decided_ = true;
    return;
  }
  std::string resume;
  for (const std::uint32_t channel : channels) {
    const auto seen = last_seen_.find(channel);
    if (seen == last_seen_.end() || dice.one_in(3)) continue;
    request.resume.emplace(channel, seen->second);
    std::string epoch;
    append_epoch(epoch, seen->second.epoch);
    if (!resume.empty()) resume += ',';
    append_json_string(resume, world_.scenario.channels[channel].name);
    resume += fmt::format(R"(:{{"epoch":"{}","seq":{}}})", epoch, value(seen->second.seq));
  }
  const std::string options = choose_options(request.options);
  const std::uint64_t id = talk().ask(std::move(request));
  std::string text =
      fmt::format(R"({{"type":"subscribe","id":{},"channels":{}{})", id, json_list(world_.scenario, channels), options);
  if (!resume.empty()) text += fmt::format(R"(,"resume":{{{}}})", resume);
  text += '}';
  world_.trace.note("c{} asks to subscribe to {} (id {}) {}{}", *connection_, json_list(world_.scenario, channels), id,
                    resume, options);
  send_text(text);
  decided_ = true;
}

/// The member of a subscribe, with its comma; empty when it says nothing.
std::string Client::choose_options(SubscribeOptions& options) {
  Dice& dice = world_.dice;
  if (!dice.one_in(3)) return {};
  options.has_conflate = dice.one_in(2);
  options.conflate = options.has_conflate && !dice.one_in(3);
  constexpr std::array kRates{1U, 5U, 50U, 500U};
  const bool every = options.has_conflate && !options.conflate;
  if (!every && dice.one_in(2)) options.max_rate = kRates[dice.below(kRates.size())];
  std::string text;
  if (options.has_conflate) text += fmt::format(R"("conflate":{})", options.conflate);
  if (options.max_rate != 0) {
    text += fmt::format(R"({}"max_rate":{})", text.empty() ? "" : ",", options.max_rate);
  }
  return fmt::format(R"(,"options":{{{}}})", text);
}

void Client::unsubscribe() {
  const std::vector<std::uint32_t> channels = some_channels();
  const std::uint64_t id = talk().ask(Request{.kind = Request::Kind::unsubscribe,
                                              .publish = 0,
                                              .channels = {channels.begin(), channels.end()},
                                              .patterns = {},
                                              .resume = {}});
  const std::string list = json_list(world_.scenario, channels);
  world_.trace.note("c{} asks to unsubscribe from {} (id {})", *connection_, list, id);
  send_text(plan_.native ? fmt::format(R"({{"type":"unsubscribe","id":{},"channels":{}}})", id, list)
                         : fmt::format(R"({{"method":"UNSUBSCRIBE","params":{},"id":{}}})", list, id));
}

void Client::ask_presence() {
  Dice& dice = world_.dice;
  const auto channel = static_cast<std::uint32_t>(dice.below(world_.scenario.channels.size()));
  if (!world_.scenario.channels[channel].presence) return;
  const std::uint64_t id =
      talk().ask(Request{.kind = Request::Kind::presence, .publish = 0, .channels = {}, .resume = {}});
  const std::string& name = world_.scenario.channels[channel].name;
  world_.trace.note("c{} asks who is in {} (id {})", *connection_, name, id);
  send_text(dice.one_in(8) ? fmt::format(R"({{"type":"presence","id":{},"user":"*"}})", id)
                           : fmt::format(R"({{"type":"presence","id":{},"channel":"{}"}})", id, name));
}

void Client::ask_property() {
  Dice& dice = world_.dice;
  if (dice.one_in(3)) {
    const std::uint64_t id =
        talk().ask(Request{.kind = Request::Kind::list, .publish = 0, .channels = {}, .patterns = {}, .resume = {}});
    send_text(dice.one_in(2) ? fmt::format(R"({{"method":"LIST_SUBSCRIPTIONS","id":{}}})", id)
                             : fmt::format(R"({{"method":"GET_PROPERTY","params":["combined"],"id":{}}})", id));
    return;
  }
  const bool combined = dice.one_in(2);
  const std::uint64_t id = talk().ask(Request{.kind = Request::Kind::property,
                                              .publish = 0,
                                              .channels = {},
                                              .patterns = {},
                                              .resume = {},
                                              .property_value = combined});
  world_.trace.note("c{} asks for the {} form (id {})", *connection_, combined ? "combined" : "raw", id);
  send_text(fmt::format(R"({{"method":"SET_PROPERTY","params":["combined",{}],"id":{}}})", combined, id));
}

// ---- breaking the rules ----

void Client::misbehave() {
  Dice& dice = world_.dice;
  if (dice.one_in(3)) {
    break_framing();
    return;
  }
  world_.coverage.add(Seen::commands_broken);
  world_.trace.note("c{} says nonsense", *connection_);
  if (plan_.binary && dice.one_in(2)) {
    talk().expects_error_without_id();
    std::string broken(dice.between(0, 40), '\0');                   // no header, or one of version 0
    if (!broken.empty() && dice.one_in(2)) broken[0] = RCB_VERSION;  // or of a kind that no client sends
    send_frame(Opcode::binary, as_bytes(broken));
    world_.coverage.add(Seen::records_broken);
    return;
  }
  const std::size_t kind = dice.below(5);
  if (kind == 0) {
    talk().expects_error_without_id();
    send_text("{\"type\":\"publish\",\"channel\":\"x\",\"data\":{\"a\":nonsense 12}}");
    return;
  }
  if (kind == 1) {
    talk().expects_error_without_id();
    send_text("[1,2,3]");
    return;
  }
  const std::uint64_t id =
      talk().ask(Request{.kind = Request::Kind::bad, .publish = 0, .channels = {}, .patterns = {}, .resume = {}});
  if (!plan_.native) {
    send_text(kind == 2 ? fmt::format(R"({{"method":"SHOUT","params":["a"],"id":{}}})", id)
                        : fmt::format(R"({{"method":"SUBSCRIBE","params":[7],"id":{}}})", id));
  } else {
    constexpr std::array<std::string_view, 3> kCommands{R"({{"type":"shout","id":{}}})",
                                                        R"({{"type":"publish","id":{},"channel":"$sys","data":1}})",
                                                        R"({{"type":"publish","id":{},"channel":"","data":1}})"};
    send_text(fmt::format(fmt::runtime(kCommands[kind - 2]), id));
  }
}

void Client::break_framing() {
  Dice& dice = world_.dice;
  const std::size_t kind = dice.below(11);
  const auto raw = [&](std::initializer_list<std::uint8_t> bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  };
  CloseCode code = CloseCode::protocol_error;
  switch (kind) {
    case 0: raw({0xf1, 0x81, 0, 0, 0, 0, 'x'}); break;         // reserved bits
    case 1: raw({0x83, 0x81, 0, 0, 0, 0, 'x'}); break;         // unknown opcode
    case 2: raw({0x81, 0x01, 'x'}); break;                     // not masked
    case 3: raw({0x09, 0x80, 0, 0, 0, 0}); break;              // fragmented ping
    case 4: raw({0x89, 0xfe, 0x00, 0x7e, 0, 0, 0, 0}); break;  // ping of 126 bytes
    case 5: raw({0x81, 0xfe, 0x00, 0x05, 0, 0, 0, 0}); break;  // length not minimal
    case 6: raw({0x80, 0x81, 0, 0, 0, 0, 'x'}); break;         // nothing to continue
    case 7:                                                    // not UTF-8
      raw({0x81, 0x82, 0, 0, 0, 0, 0xc0, 0xaf});
      code = CloseCode::invalid_payload;
      break;
    case 8: raw({0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed}); break;  // close with 1005
    case 9:                                                    // packed, and does not unpack; or RSV1 out of place
      raw({0xc1, 0x81, 0, 0, 0, 0, 0x06});
      code = talk().packed_wire.offered() ? CloseCode::invalid_payload : CloseCode::protocol_error;
      break;
    default: {                                                 // longer than a message may be
      std::array<std::uint8_t, kFrameHeaderBytesMax> header{};
      const std::size_t size = write_frame_header(MutableBytes{header}, FrameStart{.opcode = Opcode::text},
                                                  world_.scenario.options.limits.message_bytes + 1U, mask());
      out_.insert(out_.end(), header.begin(), header.begin() + static_cast<std::ptrdiff_t>(size));
      code = CloseCode::message_too_big;
    }
  }
  talk().may_be_closed_with(code);
  talk().gives_up();
  close_sent_ = true;  // nothing more is said
  world_.coverage.add(Seen::framing_broken);
  world_.trace.note("c{} breaks the framing ({})", *connection_, kind);
}

}  // namespace ringcast::simulation
