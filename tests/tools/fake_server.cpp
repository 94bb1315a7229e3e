#include "tests/tools/fake_server.hpp"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "alloc/base/ensure.hpp"
#include "codec/dialect/encode.hpp"
#include "codec/dialect/native_reply.hpp"
#include "codec/http/request_head.hpp"
#include "codec/http/url.hpp"
#include "codec/websocket/frame_writer.hpp"
#include "codec/websocket/handshake.hpp"

namespace ringcast {
namespace {

constexpr std::uint64_t kListenerTag = ~std::uint64_t{0};
constexpr std::string_view kBinary[] = {RCB_SUBPROTOCOL};

}  // namespace

FakeServer::FakeServer(FakeServerOptions options) : options_{std::move(options)}, epoll_{epoll_create1(EPOLL_CLOEXEC)} {
  sockaddr_storage address{};
  socklen_t bytes = sizeof(sockaddr_in);
  if (options_.unix_path.empty()) {
    auto* inet = reinterpret_cast<sockaddr_in*>(&address);
    inet->sin_family = AF_INET;
    inet->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else {
    auto* path = reinterpret_cast<sockaddr_un*>(&address);
    path->sun_family = AF_UNIX;
    std::memcpy(path->sun_path, options_.unix_path.data(), options_.unix_path.size());
    bytes = sizeof(sockaddr_un);
  }
  listener_ = UniqueFd{::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  ensure(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), bytes) == 0, "the test can bind");
  ensure(::listen(listener_.get(), 1'024) == 0, "the test can listen");
  sockaddr_in bound{};
  bytes = sizeof bound;
  getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&bound), &bytes);
  port_ = ntohs(bound.sin_port);
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kListenerTag}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener_.get(), &event);
  thread_ = std::thread{[this] { run(); }};
}

FakeServer::~FakeServer() {
  stop_.store(true);
  thread_.join();
}

std::string FakeServer::url() const {
  return options_.unix_path.empty() ? "ws://127.0.0.1:" + std::to_string(port_) : "unix:" + options_.unix_path;
}

void FakeServer::publish(std::string channel, std::string data) {
  const std::lock_guard lock{inside_mutex_};
  inside_.emplace_back(std::move(channel), std::move(data));
}

std::vector<std::string> FakeServer::commands() {
  const std::lock_guard lock{inside_mutex_};
  return commands_;
}

std::vector<std::string> FakeServer::authorizations() {
  const std::lock_guard lock{inside_mutex_};
  return authorizations_;
}

std::vector<FakeServer::Message> FakeServer::messages() {
  const std::lock_guard lock{inside_mutex_};
  return received_;
}

void FakeServer::say(std::string text) {
  const std::lock_guard lock{inside_mutex_};
  sayings_.push_back(std::move(text));
}

void FakeServer::run() {
  std::array<epoll_event, 256> events;
  while (!stop_.load()) {
    const int ready = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 1);
    for (int i = 0; i < ready; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == kListenerTag) {
        accept_all();
        continue;
      }
      for (const auto& peer : peers_) {
        if (peer->number == event.data.u64) read(*peer);
      }
    }
    std::vector<std::pair<std::string, std::string>> inside;
    std::vector<std::string> sayings;
    {
      const std::lock_guard lock{inside_mutex_};
      inside.swap(inside_);
      sayings.swap(sayings_);
    }
    for (const auto& [channel, data] : inside) append(channel, {.data = data});
    for (const std::string& text : sayings) {
      for (const auto& peer : peers_) send_text(*peer, text);
    }
    for (const auto& peer : peers_) flush(*peer);
    if (cut_.exchange(false)) {
      for (const auto& peer : peers_) peer->fd.reset();
    }
    drop_closed();
  }
}

void FakeServer::accept_all() {
  while (true) {
    UniqueFd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (!fd.is_open()) return;
    auto peer = std::make_unique<Peer>();
    peer->number = accepted_++;
    epoll_event event{.events = EPOLLIN, .data = {.u64 = peer->number}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event);
    peer->fd = std::move(fd);
    peers_.push_back(std::move(peer));
  }
}

void FakeServer::read(Peer& peer) {
  std::array<std::uint8_t, 64 << 10> buffer;
  while (peer.fd.is_open()) {
    const ssize_t got = ::recv(peer.fd.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return;
    if (got == 0) {
      peer.fd.reset();
      return;
    }
    MutableBytes input{buffer.data(), static_cast<std::size_t>(got)};
    std::string pipelined;
    if (!peer.upgraded) {
      peer.head += as_text(input);
      upgrade(peer);
      if (!peer.upgraded) continue;
      pipelined = std::exchange(peer.head, {});
      input = {reinterpret_cast<std::uint8_t*>(pipelined.data()), pipelined.size()};
    }
    while (const auto event = peer.assembler.next(input)) {
      if (event->kind == WsEvent::Kind::text) handle(peer, event->text());
      if (event->kind == WsEvent::Kind::binary) handle_records(peer, event->payload);
      if (event->kind == WsEvent::Kind::close) {
        std::array<std::uint8_t, kControlFrameBytesMax> frame;
        const std::size_t bytes = write_close_frame(frame, close_reply_code(event->code), {});
        peer.output.insert(peer.output.end(), frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(bytes));
        peer.closing = true;
      }
      ensure(event->kind != WsEvent::Kind::error, "the tools keep to RFC 6455");
    }
  }
}

void FakeServer::upgrade(Peer& peer) {
  RequestHead head;
  const auto parsed = parse_request_head(as_bytes(peer.head), head);
  ensure(parsed.has_value(), "the tools send a correct request head");
  if (!*parsed) return;
  const auto accept = check_upgrade(head, std::span{kBinary}.first(options_.speaks_binary ? 1 : 0));
  ensure(accept.has_value(), "the tools ask correctly for an upgrade");
  {
    const std::lock_guard lock{inside_mutex_};
    authorizations_.emplace_back(head.fields.find("Authorization").value_or(""));
  }
  std::string answer;
  if (peer.number < options_.too_busy_for) {
    answer = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    ::send(peer.fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    peer.fd.reset();
    return;
  }
  if (options_.answers_upgrade_with != 101) {
    append_refusal(answer, {options_.answers_upgrade_with, "not today"});
    ::send(peer.fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    peer.fd.reset();
    return;
  }
  append_upgrade_response(answer, *accept);
  peer.output.insert(peer.output.end(), answer.begin(), answer.end());
  peer.upgraded = true;
  peer.binary = accept->subprotocol == kBinary[0];
  peer.combined = head.path == "/stream";
  peer.exchange = peer.combined || head.path != "/ws/connect";
  if (peer.exchange) {
    std::array<char, 4'096> scratch;
    std::string_view list = head.path.substr(std::min<std::size_t>(4, head.path.size()));
    if (peer.combined) {
      const auto streams = query_parameter(head.query, "streams", scratch);
      ensure(streams.has_value() && streams->has_value(), "the tools name streams");
      list = **streams;
    } else {
      list = *percent_decode(list, scratch);
    }
    const auto command = exchange_.decode_streams(list);
    ensure(command.has_value(), "the tools name valid streams");
    subscribe(peer, *command);
  } else {
    std::string welcome;
    append_native_welcome(welcome, {"c", "fake/1.0", milliseconds{30'000}, "anonymous"});
    send_text(peer, welcome);
  }
  peer.head.erase(0, head.head_bytes);
}

void FakeServer::handle(Peer& peer, std::string_view text) {
  if (peer.exchange) {
    const auto command = exchange_.decode(text);
    ensure(command.has_value() && command->kind == CommandKind::list_subscriptions, "the tools only ask for the list");
    std::string answer;
    ExchangeList list{answer, command->id};
    for (const std::string& channel : peer.channels) list.add(channel);
    list.finish();
    send_text(peer, answer);
    return;
  }
  const auto command = native_.decode(text);
  if (!command || command->kind != CommandKind::publish) {
    const std::lock_guard lock{inside_mutex_};
    commands_.emplace_back(text);
  }
  if (options_.script) {
    for (const std::string& line : options_.script(peer.number, text)) {
      if (line.empty()) peer.closing = true;
      send_text(peer, line);
    }
    return;
  }
  if (!command) {
    std::string answer;
    append_native_error(answer, command.error());
    send_text(peer, answer);
  } else if (command->kind == CommandKind::subscribe) {
    subscribe(peer, *command);
  } else if (command->kind == CommandKind::publish) {
    take_publish(peer, *command);
  } else if (command->kind == CommandKind::history) {
    answer_history(peer, *command);
  }
}

void FakeServer::handle_records(Peer& peer, Bytes records) {
  ensure(peer.binary, "the tools send records where they were agreed upon");
  while (!records.empty()) {
    const auto decoded = binary_.decode(records);
    ensure(decoded.has_value(), "the tools write correct records");
    take_publish(peer, decoded->command);
    records = records.subspan(decoded->bytes);
  }
}

void FakeServer::answer_history(Peer& peer, const Command& command) {
  std::string answer;
  if (options_.history_from == 0) {
    append_native_error(answer, NativeError{command.id, ErrorCode::not_supported, "no history", command.channel, {}});
    send_text(peer, answer);
    return;
  }
  const std::string name{command.channel};
  const std::uint64_t newest = channels_[name].messages.size();
  const std::uint64_t limit = std::min<std::uint64_t>(command.limit, options_.history_page_max);
  const std::uint64_t wanted = command.has_after ? value(command.after.seq) + 1 : newest + 1 - std::min(newest, limit);
  const std::uint64_t first = std::max(wanted, options_.history_from);
  answer = R"({"type":"history","id":)" + std::string{command.id} + R"(,"channel":")" + name +
           R"(","epoch":"5f3c9a1e07d2b846","seq":)" + std::to_string(newest);
  if (command.has_after) answer += first == wanted ? R"(,"recovered":true)" : R"(,"recovered":false)";
  answer += R"(,"messages":[)";
  std::uint64_t seq = first;
  for (; seq <= newest && seq < first + limit; ++seq)
    answer += (seq > first ? "," : "") + encode(Form::native_json, name, seq);
  answer += seq <= newest ? R"(],"more":true})" : R"(],"more":false})";
  send_text(peer, answer);
}

void FakeServer::subscribe(Peer& peer, const Command& command) {
  std::string answer;
  NativeSubscribed subscribed{answer, command.id};
  std::vector<std::pair<std::string, std::uint64_t>> missed;  // channel and the first seq to send
  for (const SubscribeItem& item : command.items) {
    const std::string name{item.channel};
    Channel& channel = channel_of(name);
    const std::uint64_t newest = channel.messages.size();
    SubscribedChannel entry{name, kEpoch, Sequence{newest}, std::nullopt, {}};
    if (peer.binary) entry.channel_id = channel.id;
    if (item.resumes) {
      entry.recovered = options_.recovers && item.resume.epoch == kEpoch && value(item.resume.seq) <= newest;
      if (*entry.recovered) missed.emplace_back(name, value(item.resume.seq) + 1);
    }
    subscribed.add(entry);
    channel.readers.push_back(&peer);
    peer.channels.push_back(name);
    ++subscribers_;
  }
  subscribed.finish();
  if (!peer.exchange) send_text(peer, answer);
  for (const auto& [name, from] : missed) {
    for (std::uint64_t seq = from; seq <= channels_[name].messages.size(); ++seq)
      send_message(peer, encode(form_of(peer), name, seq));
  }
}

void FakeServer::take_publish(Peer& peer, const Command& command) {
  const std::string channel{command.channel};
  const std::uint64_t nth = ++published_;
  std::string answer;
  const auto record = read_binary_id(command.id);
  if (options_.refuses && options_.refuses(channel, nth)) {
    constexpr std::string_view kWhy = "refused by the test";
    if (record) {
      append_binary_error(answer, {.request = record->number, .code = ErrorCode::overloaded, .message = kWhy});
    } else {
      append_native_error(answer, NativeError{command.id, ErrorCode::overloaded, kWhy, channel, std::nullopt});
    }
  } else {
    const Message message{.data = std::string{command.data},
                          .event = std::string{command.event},
                          .message_id = std::string{command.message_id},
                          .snapshot = command.snapshot,
                          .as_of = command.as_of,
                          .high_priority = command.high_priority};
    {
      const std::lock_guard lock{inside_mutex_};
      received_.push_back(message);
    }
    append(channel, message);
    const Sequence seq{channels_[channel].messages.size()};
    if (record && record->wants_answer) {
      append_binary_published(answer, {.request = record->number,
                                       .channel_id = channels_[channel].id,
                                       .epoch = kEpoch,
                                       .seq = seq,
                                       .duplicate = false});
    } else if (!record && !command.id.empty()) {
      append_native_published(answer, {command.id, channel, kEpoch, seq, false});
    }
  }
  if (!answer.empty()) send(peer, answer, record ? Opcode::binary : Opcode::text);
}

FakeServer::Channel& FakeServer::channel_of(const std::string& name) {
  Channel& channel = channels_[name];
  if (channel.id == 0) channel.id = static_cast<std::uint32_t>(channels_.size());
  return channel;
}

void FakeServer::append(const std::string& name, Message message) {
  Channel& channel = channel_of(name);
  channel.messages.push_back(std::move(message));
  std::string& data = channel.messages.back().data;
  if (options_.alters && data.size() > 2) data[data.size() / 2] ^= 1;
  const std::vector<Peer*> readers = channel.readers;
  for (Peer* reader : readers) deliver(*reader, name, channel.messages.size());
}

void FakeServer::deliver(Peer& peer, const std::string& channel, std::uint64_t seq) {
  const Delivery how = options_.delivery ? options_.delivery(peer.number, channel, seq) : Delivery::normal;
  const std::string text = encode(form_of(peer), channel, seq);
  switch (how) {
    case Delivery::normal: send_message(peer, text); break;
    case Delivery::drop: return;
    case Delivery::twice:
      send_message(peer, text);
      send_message(peer, text);
      break;
    case Delivery::swap_with_next: peer.held_back[channel] = text; return;
    case Delivery::notice: {
      const GapView gap{.channel = channel,
                        .from = Sequence{seq},
                        .to = Sequence{seq},
                        .reason = GapReason::dropped,
                        .epoch = kEpoch,
                        .channel_id = channel_of(channel).id};
      std::string notice(gap_payload_size(form_of(peer), gap), '\0');
      (void)write_gap_payload(form_of(peer), gap, reinterpret_cast<std::uint8_t*>(notice.data()));
      send_message(peer, notice);
      break;
    }
    case Delivery::close_slow: {
      std::array<std::uint8_t, kControlFrameBytesMax> frame;
      const std::size_t bytes = write_close_frame(frame, CloseCode::slow_consumer, "too slow");
      peer.output.insert(peer.output.end(), frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(bytes));
      peer.closing = true;
      return;
    }
  }
  if (const auto held = peer.held_back.find(channel); held != peer.held_back.end()) {
    send_message(peer, held->second);
    peer.held_back.erase(held);
  }
}

Form FakeServer::form_of(const Peer& peer) {
  if (peer.binary) return Form::binary;
  if (!peer.exchange) return Form::native_json;
  return peer.combined ? Form::exchange_combined : Form::exchange_raw;
}

std::string FakeServer::encode(Form form, const std::string& channel, std::uint64_t seq) const {
  const Message& kept = channels_.find(channel)->second.messages[seq - 1];
  const MessageView message{.channel = channel,
                            .epoch = kEpoch,
                            .seq = Sequence{seq},
                            .published_at = wall_now(),
                            .event = kept.event,
                            .message_id = kept.message_id,
                            .data = kept.data,
                            .snapshot = kept.snapshot,
                            .as_of = kept.as_of,
                            .channel_id = channels_.find(channel)->second.id};
  std::string text(message_payload_size(form, message), '\0');
  (void)write_message_payload(form, message, reinterpret_cast<std::uint8_t*>(text.data()));
  return text;
}

void FakeServer::send(Peer& peer, std::string_view payload, Opcode opcode) {
  if (!peer.closing) append_frame(peer.output, {.opcode = opcode}, as_bytes(payload));
}

void FakeServer::send_text(Peer& peer, std::string_view text) { send(peer, text, Opcode::text); }

/// A message or a gap notice.
void FakeServer::send_message(Peer& peer, std::string_view payload) {
  send(peer, payload, peer.binary ? Opcode::binary : Opcode::text);
}

void FakeServer::flush(Peer& peer) {
  while (peer.fd.is_open() && peer.output_sent < peer.output.size()) {
    const ssize_t sent = ::send(peer.fd.get(), peer.output.data() + peer.output_sent,
                                peer.output.size() - peer.output_sent, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) peer.fd.reset();
      return;
    }
    peer.output_sent += static_cast<std::size_t>(sent);
  }
  peer.output.clear();
  peer.output_sent = 0;
  if (peer.closing && peer.fd.is_open()) peer.fd.reset();
}

void FakeServer::drop_closed() {
  std::erase_if(peers_, [this](const std::unique_ptr<Peer>& peer) {
    if (peer->fd.is_open()) return false;
    for (const std::string& name : peer->channels) {
      std::erase(channels_[name].readers, peer.get());
      --subscribers_;
    }
    return true;
  });
}

}  // namespace ringcast
