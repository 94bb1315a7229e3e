#include "tools/load/subscriber_thread.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "alloc/base/ensure.hpp"
#include "alloc/memory/give_back.hpp"
#include "codec/websocket/frame_parser.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kBufferBytes = 512U << 10;
constexpr std::size_t kPartialBytesMax = 64U << 10;  // a larger unfinished frame is left to the assembler
constexpr std::size_t kTrickleBytes = 2'048;         // what a slow reader reads at a time
constexpr milliseconds kTrickleInterval{50};
constexpr int kSlowReceiveBufferBytes = 16 << 10;  // so that the server, not our kernel, holds what is not read
constexpr int kEventsMax = 1'024;
constexpr std::uint32_t kConnectingMax = 64;  // below any listener's backlog
constexpr milliseconds kHandshakeTime{15'000};
constexpr milliseconds kLeavingTime{5'000};
constexpr nanoseconds kRoundGap{100'000};  // measurements.md: a tight-polling client costs the server up to 20%
constexpr milliseconds kDrainInterval{20};
constexpr milliseconds kDeadlineInterval{250};
constexpr milliseconds kReconnectPause{50};  // after an attempt that failed

/// A whole unmasked message of this kind in one frame at the front of `input`, the usual case. `bytes` is the frame's
/// size, also when not all of it is there yet; 0 if it is something else.
struct PlainFrame {
  std::size_t header_bytes = 0, bytes = 0;
};
PlainFrame plain_frame(MutableBytes input, Opcode opcode) {
  if (input.size() < 4 || input[0] != (kFinBit | static_cast<std::uint8_t>(opcode))) return {};
  if (input[1] < kLength16) return {2, 2U + input[1]};
  if (input[1] != kLength16) return {};
  const auto length = load_big_endian<std::uint16_t>(input.data() + 2);
  if (length < kLength16) return {};  // not minimal: the general parser says so
  return {4, 4U + length};
}

/// The calling thread's CPU time so far, with these counts.
ReceiveCost thread_cost(std::uint64_t deliveries, std::uint64_t reads) {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const auto time = [](const timeval& value) { return seconds{value.tv_sec} + microseconds{value.tv_usec}; };
  return {time(usage.ru_utime), time(usage.ru_stime), deliveries, reads};
}

}  // namespace

SubscriberThread::SubscriberThread(RunControl& control, SubscriberOptions options,
                                   std::span<const PlannedConnection> connections, std::unique_ptr<Verifier> verifier)
    : control_{control},
      options_{std::move(options)},
      connections_{connections},
      verifier_{std::move(verifier)},
      opcode_{verifier_->opcode()},
      links_(connections.size()),
      epoll_{epoll_create1(EPOLL_CLOEXEC)},
      buffer_{std::make_unique_for_overwrite<std::uint8_t[]>(kBufferBytes)} {
  ensure(epoll_.is_open(), "the process has a descriptor for each thread's epoll");
  counts_.slow_connections = static_cast<std::uint64_t>(std::ranges::count_if(connections, &PlannedConnection::slow));
}

SubscriberThread::~SubscriberThread() { join(); }

void SubscriberThread::start() {
  thread_ = std::thread{[this] { run(); }};
}

void SubscriberThread::join() {
  if (thread_.joinable()) thread_.join();
}

void SubscriberThread::run() {
  prctl(PR_SET_NAME, "load-subscriber");
  prctl(PR_SET_TIMERSLACK, 1);  // the gap is to be 100 us, not 150
  while (control_.phase.load(std::memory_order_acquire) != RunControl::Phase::closing && !control_.failed()) {
    const Instant begun = monotonic_now();
    round(begun);
    std::optional<Instant> due;
    if (options_.publisher != nullptr) due = options_.publisher->step(monotonic_now());
    if (options_.polls || control_.phase.load(std::memory_order_relaxed) == RunControl::Phase::connecting) continue;
    const Instant next_round = begun + kRoundGap;
    if (due && *due < next_round) {  // published in time; the sockets are left alone until their round
      sleep_until(*due);
      options_.publisher->step(monotonic_now());
    }
    sleep_until(next_round);
  }
  finish();
}

/// Takes the thread's CPU time when the measurement begins and when publishing has ended.
void SubscriberThread::measure(Instant now) {
  const auto phase = control_.phase.load(std::memory_order_relaxed);
  const bool measured = phase == RunControl::Phase::running && now.time_since_epoch().count() >= control_.measure_from;
  if (measured == measuring_) return;
  const ReceiveCost cost = thread_cost(verifier_->live().delivered.load(std::memory_order_relaxed), reads_);
  if (measured) {
    cost_before_ = cost;
  } else {
    cost_ = {cost.user - cost_before_.user, cost.system - cost_before_.system,
             cost.deliveries - cost_before_.deliveries, cost.reads - cost_before_.reads};
  }
  measuring_ = measured;
}

void SubscriberThread::round(Instant now) {
  measure(now);
  begin_connects(now);
  std::array<epoll_event, kEventsMax> events;
  const int ready = epoll_wait(epoll_.get(), events.data(), kEventsMax, waits_ms());
  for (int i = 0; i < ready; ++i)
    handle(events[static_cast<std::size_t>(i)].data.u32, events[static_cast<std::size_t>(i)].events);
  if (now >= deadlines_next_) check_deadlines(now);
  const auto phase = control_.phase.load(std::memory_order_acquire);
  if (phase == RunControl::Phase::running) {
    if (now >= trickle_next_) trickle(now);
    churn(now);
  }
  if (phase == RunControl::Phase::draining && now >= drain_next_) drain(now);
}

// ---- connecting ----

void SubscriberThread::begin_connects(Instant now) {
  while (connecting_ < kConnectingMax && next_connect_ < links_.size()) {
    if (!begin_connect(next_connect_, now)) return;
    ++next_connect_;
  }
  for (std::size_t i = 0; i < again_.size() && connecting_ < kConnectingMax;) {
    if (again_[i].due > now) {
      ++i;
      continue;
    }
    const std::uint32_t index = again_[i].index;
    again_[i] = again_.back();
    again_.pop_back();
    if (!begin_connect(index, now)) return;
  }
}

bool SubscriberThread::begin_connect(std::uint32_t index, Instant now) {
  Link& link = links_[index];
  SocketOptions socket_options;
  if (connections_[index].slow) socket_options.receive_buffer_bytes = kSlowReceiveBufferBytes;
  auto fd = start_connect(options_.address, socket_options);
  if (!fd) {
    control_.fail(fmt::format("connection {} to {}: {}", index, options_.endpoint.text, fd.error()));
    return false;
  }
  const bool joined_once = link.joined_once;
  link = Link{};
  link.joined_once = joined_once;
  link.fd = Stream{std::move(*fd), options_.endpoint};
  link.state = State::connecting;
  link.deadline = now + kHandshakeTime;
  ++connecting_;
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.u32 = index}};
  link.watches_writable = true;
  ensure(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, link.fd.get(), &event) == 0, "a new socket can be watched");
  return true;
}

void SubscriberThread::begin_upgrade(std::uint32_t index) {
  Link& link = links_[index];
  if (const int error = connect_error(link.fd.get()); error != 0) {
    ended(index, CloseCode::abnormal, system_sentence(error));
    return;
  }
  link.state = State::upgrading;
  Endpoint endpoint = options_.endpoint;
  endpoint.target = verifier_->target(index, options_.query);
  endpoint.subprotocol = verifier_->subprotocol();
  link.handshake = std::make_unique<ClientHandshake>(endpoint, random_, options_.compress);
  link.output.append_raw(link.handshake->request());
  flush(index);
}

/// The handshake is answered.
void SubscriberThread::greet(std::uint32_t index) {
  Link& link = links_[index];
  if (link.handshake->agreed_deflate()) {
    link.assembler.negotiate({.deflate = true});
    ++agreements_.deflate;
  }
  if (agreements_.tls.empty()) agreements_.tls = link.fd.agreed();
  link.handshake.reset();
  link.state = State::joining;
  if (const std::string greeting = verifier_->greeting(index); !greeting.empty()) {
    const std::array<std::string_view, 1> pieces{greeting};
    link.output.append_message(verifier_->greeting_opcode(), pieces, random_);
    flush(index);
  } else if (link.watches_writable) {
    watch(index, true, false);
  }
  if (verifier_->opened(index)) joined(index);
}

void SubscriberThread::joined(std::uint32_t index) {
  Link& link = links_[index];
  link.state = State::open;
  --connecting_;
  if (link.joined_once) {
    ++counts_.reconnects;
  } else {
    link.joined_once = true;
    LiveCounters::add(counts_.ready, 1);
  }
  if (!reads_normally(index)) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, link.fd.get(), nullptr);
}

// ---- receiving ----

bool SubscriberThread::reads_normally(std::uint32_t index) const {
  return !connections_[index].slow || draining_ || links_[index].state != State::open;
}

void SubscriberThread::handle(std::uint32_t index, std::uint32_t events) {
  Link& link = links_[index];
  if (link.state == State::idle || link.state == State::over) return;
  if (link.state == State::connecting) {
    begin_upgrade(index);
    return;
  }
  if ((events & EPOLLOUT) != 0) flush(index);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) == 0) return;
  // Edge triggered, so that a round does not look at every socket twice: a read that filled the buffer is not the last.
  while (link.fd.is_open() && receive(index, kBufferBytes)) {}
  // The request waits for the end of the TLS handshake, which came with what was read.
  if (link.fd.is_open() && link.fd.waits_to_read() && link.output.pending_bytes() != 0) flush(index);
}

/// Reads once. True: there may be more.
bool SubscriberThread::receive(std::uint32_t index, std::size_t bytes_max) {
  Link& link = links_[index];
  const std::size_t held = link.partial.size();
  if (held > 0) std::memcpy(buffer_.get(), link.partial.data(), held);
  const std::size_t room = std::min(bytes_max, kBufferBytes - held);
  const ssize_t got = link.fd.receive(buffer_.get() + held, room);
  if (got <= 0) {
    if (got < 0 && errno == EINTR) return true;
    if (got < 0 && errno == EAGAIN) return false;
    ended(index, CloseCode::abnormal, got == 0 ? "the server closed the connection" : link.fd.trouble());
    return false;
  }
  link.partial.clear();
  ++reads_;
  LiveCounters::add(verifier_->live().wire_bytes, static_cast<std::uint64_t>(got));
  MutableBytes input{buffer_.get(), held + static_cast<std::size_t>(got)};
  const Instant now = monotonic_now();
  if (link.state == State::upgrading) {
    const auto answered = link.handshake->feed(input);
    if (!answered) {
      ended(index, CloseCode::abnormal, answered.error().sentence);
      return false;
    }
    if (!*answered) return false;
    input = input.subspan(**answered);
    greet(index);
  }
  if (link.fd.is_open()) consume(index, input, now);
  return static_cast<std::size_t>(got) == room;
}

void SubscriberThread::consume(std::uint32_t index, MutableBytes input, Instant now) {
  Link& link = links_[index];
  while (!input.empty()) {
    if (!link.assembler.mid_message()) {
      const PlainFrame frame = plain_frame(input, opcode_);
      if (frame.bytes > 0 && frame.bytes <= input.size()) [[likely]] {
        if (!take_message(index, as_text(input.subspan(frame.header_bytes, frame.bytes - frame.header_bytes)), now))
          return;
        input = input.subspan(frame.bytes);
        continue;
      }
      if (frame.bytes > 0 && frame.bytes <= kPartialBytesMax) {
        link.partial.assign(input.begin(), input.end());
        return;
      }
    }
    const auto event = link.assembler.next(input);
    if (!event) return;
    if (!take_event(index, *event, now)) return;
  }
}

/// False: the connection is over.
bool SubscriberThread::take_message(std::uint32_t index, std::string_view text, Instant now) {
  const Verifier::Taken taken = verifier_->take(index, text, now);
  return taken == Verifier::Taken::message || judged(index, taken);
}

/// The same for one that is compressed.
bool SubscriberThread::take_packed(std::uint32_t index, Bytes packed, Instant now) {
  if (connections_[index].skims && verifier_->take_packed(index, now)) {
    ++agreements_.skimmed;
    return true;
  }
  const auto unpacked = inflater_.inflate(packed);
  if (!unpacked) {
    control_.fail("the server sent a compressed message that does not unpack");
    return false;
  }
  ++agreements_.inflated;
  agreements_.packed_bytes += packed.size();
  agreements_.unpacked_bytes += unpacked->size();
  return take_message(index, as_text(*unpacked), now);
}

/// A message of the other kind. False: the connection is over.
bool SubscriberThread::take_other(std::uint32_t index, std::string_view text) {
  if (const auto taken = verifier_->take_other(index, text)) return judged(index, *taken);
  ended(index, CloseCode::unsupported_data, "the server sent a message of the wrong kind");
  return false;
}

bool SubscriberThread::judged(std::uint32_t index, Verifier::Taken taken) {
  switch (taken) {
    case Verifier::Taken::message: return true;
    case Verifier::Taken::joined:
      if (links_[index].state == State::joining) joined(index);
      return true;
    case Verifier::Taken::notice: return true;
    case Verifier::Taken::refused: control_.fail(verifier_->trouble()); return false;
    case Verifier::Taken::reply: {
      const std::array<std::string_view, 1> pieces{verifier_->reply()};
      links_[index].output.append_message(opcode_, pieces, random_);
      flush(index);
      return links_[index].fd.is_open();
    }
  }
  return true;
}

bool SubscriberThread::take_event(std::uint32_t index, const WsEvent& event, Instant now) {
  Link& link = links_[index];
  switch (event.kind) {
    case WsEvent::Kind::text:
    case WsEvent::Kind::binary:
      if ((event.kind == WsEvent::Kind::binary) == (opcode_ == Opcode::binary)) {
        return event.compressed ? take_packed(index, event.payload, now) : take_message(index, event.text(), now);
      }
      return take_other(index, event.text());
    case WsEvent::Kind::ping:
      link.output.append_control(Opcode::pong, event.payload, random_);
      flush(index);
      return link.fd.is_open();
    case WsEvent::Kind::pong: return true;
    case WsEvent::Kind::close: {
      const CloseCode code = event.code;
      const std::string reason{event.what};
      if (link.state != State::leaving) {
        link.output.append_close(close_reply_code(code), {}, random_);
        (void)link.output.flush(link.fd);
      }
      ended(index, code, reason);
      return false;
    }
    case WsEvent::Kind::error:
      control_.fail(fmt::format("the server broke the WebSocket protocol: {}", event.what));
      return false;
  }
  return true;
}

void SubscriberThread::flush(std::uint32_t index) {
  Link& link = links_[index];
  switch (link.output.flush(link.fd)) {
    case FrameOutput::Flushed::all:
      if (link.watches_writable) watch(index, true, false);
      break;
    case FrameOutput::Flushed::blocked:
      if (!link.watches_writable) watch(index, true, true);
      break;
    case FrameOutput::Flushed::failed:  // what the server said before it closed is read first
      if (link.watches_writable) watch(index, true, false);
      break;
  }
}

void SubscriberThread::watch(std::uint32_t index, bool readable, bool writable) {
  Link& link = links_[index];
  epoll_event event{.events = EPOLLET | (readable ? EPOLLIN : 0U) | (writable ? EPOLLOUT : 0U), .data = {.u32 = index}};
  link.watches_writable = writable;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, link.fd.get(), &event) != 0 && errno == ENOENT && reads_normally(index)) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, link.fd.get(), &event);
  }
}

// ---- ending ----

void SubscriberThread::ended(std::uint32_t index, CloseCode code, const std::string& reason) {
  Link& link = links_[index];
  const State was = link.state;
  link.fd.reset();
  give_back(link.partial);
  link.assembler.release();
  link.state = State::over;
  link.close_code = code;
  const bool was_connecting = was == State::connecting || was == State::upgrading || was == State::joining;
  if (was_connecting) --connecting_;
  if (was_connecting && !link.joined_once) {
    control_.fail(fmt::format("connection {} to {}: {}", index, options_.endpoint.text, reason));
  } else if (was_connecting) {
    ++counts_.reconnect_failures;
    verifier_->left(index);  // some of its channels may have been joined
    come_again(index, kReconnectPause);
  } else if (was == State::leaving) {
    verifier_->left(index);
    come_again(index, nanoseconds{0});
  } else {
    auto& closed = connections_[index].slow ? counts_.closed_slow : counts_.closed_ordinary;
    ++closed[value(code)];
    if (!options_.resumes || connections_[index].slow) return;
    verifier_->left(index);  // whoever closed it: it goes on where it was
    come_again(index, kReconnectPause);
  }
}

void SubscriberThread::leave(std::uint32_t index, Instant now) {
  Link& link = links_[index];
  link.state = State::leaving;
  link.deadline = now + kLeavingTime;
  link.output.append_close(CloseCode::normal, {}, random_);
  flush(index);
}

/// As a client does whose host, process or network is gone: what it was sent and has not read is lost.
void SubscriberThread::drop(std::uint32_t index) {
  Link& link = links_[index];
  ++counts_.drops;
  link.fd.reset();
  give_back(link.partial);
  link.assembler.release();
  verifier_->left(index);
  come_again(index, nanoseconds{0});
}

/// Connects again after a while; who resumes stays away for some time besides, so that there is something to catch up.
void SubscriberThread::come_again(std::uint32_t index, nanoseconds after) {
  links_[index].state = State::idle;
  if (options_.resumes) {
    const auto most = static_cast<std::uint64_t>(options_.away_max.count());
    after += nanoseconds{static_cast<nanoseconds::rep>(random_.up_to(most))};
  }
  again_.push_back({monotonic_now() + after, index});
}

void SubscriberThread::churn(Instant now) {
  if (options_.churn_per_second <= 0) return;
  const auto interval = nanoseconds{static_cast<nanoseconds::rep>(1e9 / options_.churn_per_second)};
  if (churn_next_ == Instant{}) churn_next_ = now + interval;
  while (churn_next_ <= now) {
    churn_next_ += interval;
    const auto index = static_cast<std::uint32_t>(random_.up_to(links_.size() - 1));
    if (links_[index].state != State::open || connections_[index].slow) continue;
    if (options_.resumes && random_.up_to(1) == 1) {
      drop(index);
    } else {
      leave(index, now);
    }
  }
}

/// The slow readers that read at all read a little.
void SubscriberThread::trickle(Instant now) {
  trickle_next_ = now + kTrickleInterval;
  for (std::uint32_t i = 0; i < links_.size(); ++i) {
    if (connections_[i].slow && !connections_[i].never_reads && links_[i].state == State::open)
      (void)receive(i, kTrickleBytes);
  }
}

void SubscriberThread::check_deadlines(Instant now) {
  deadlines_next_ = now + kDeadlineInterval;
  for (std::uint32_t i = 0; i < links_.size(); ++i) {
    const State state = links_[i].state;
    const bool waits =
        state == State::connecting || state == State::upgrading || state == State::joining || state == State::leaving;
    if (waits && now > links_[i].deadline) ended(i, CloseCode::abnormal, "timed out during the handshake");
  }
}

// ---- the end of the run ----

void SubscriberThread::drain(Instant now) {
  drain_next_ = now + kDrainInterval;
  if (!draining_) {
    draining_ = true;
    verifier_->publishing_ended(control_.published);
    for (std::uint32_t i = 0; i < links_.size(); ++i) {  // the slow ones read everything now
      if (!connections_[i].slow || links_[i].state != State::open) continue;
      watch(i, true, links_[i].output.pending_bytes() > 0);
      while (links_[i].fd.holds_more() && receive(i, kBufferBytes)) {}  // the socket says nothing of what TLS holds
    }
  }
  const auto leaving = static_cast<std::uint64_t>(std::ranges::count_if(links_, [](const Link& link) {
    return link.state == State::leaving || link.state == State::idle || link.state == State::connecting ||
           link.state == State::upgrading || link.state == State::joining;
  }));
  verifier_->live().behind.store(verifier_->behind(open_links()) + leaving, std::memory_order_release);
}

std::vector<bool> SubscriberThread::open_links() const {
  std::vector<bool> open;
  for (const Link& link : links_) open.push_back(link.state == State::open);
  return open;
}

void SubscriberThread::finish() {
  for (std::uint32_t i = 0; i < links_.size(); ++i) {
    counts_.slow_open += connections_[i].slow && links_[i].state == State::open ? 1 : 0;
  }
  if (draining_) verifier_->settle(open_links());
  close_all();
}

/// Says goodbye to all and gives the server a moment to answer.
void SubscriberThread::close_all() {
  for (std::uint32_t i = 0; i < links_.size(); ++i) {
    Link& link = links_[i];
    if (link.state != State::open) continue;
    link.output.append_close(CloseCode::normal, {}, random_);
    (void)link.output.flush(link.fd);
    link.fd.shut_down();
  }
  const Instant deadline = monotonic_now() + seconds{2};
  for (Link& link : links_) {
    while (link.fd.is_open() && link.state == State::open && monotonic_now() < deadline) {
      const ssize_t got = link.fd.receive(buffer_.get(), kBufferBytes);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) break;
      if (got < 0) {
        const timespec pause{.tv_sec = 0, .tv_nsec = 1'000'000};
        nanosleep(&pause, nullptr);
      }
    }
    link.fd.reset();
  }
}

}  // namespace ringcast
