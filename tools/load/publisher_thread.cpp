#include "tools/load/publisher_thread.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "alloc/base/ensure.hpp"
#include "codec/text/json_write.hpp"

namespace ringcast {
namespace {

constexpr nanoseconds kRoundGap{100'000};   // messages that are due within it go out together
constexpr milliseconds kAnswerInterval{5};  // how often a publisher looks for refusals and pings
constexpr seconds kStepPatience{2};
constexpr nanoseconds kSleepMax{50'000'000};

}  // namespace

// ---- what is published ----

SyntheticSource::SyntheticSource(double rate, double time, std::uint32_t channels, std::uint32_t publishers,
                                 std::uint32_t payload_bytes, std::uint32_t burst)
    : interval_ns_{1e9 / rate},
      total_{std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(rate * time)))},
      channels_{channels},
      publishers_{publishers},
      burst_{burst},
      template_{payload_bytes},
      sources_max_{(publishers + channels - 1) / channels} {
  published_.resize(channels);
  counters_.resize(std::size_t{channels} * sources_max_);
}

std::optional<PublicationSource::Next> SyntheticSource::peek() {
  if (sent_ == total_) return std::nullopt;
  const std::uint64_t burst = sent_ / burst_;
  const auto target = static_cast<std::uint32_t>(burst % channels_);
  std::uint32_t publisher = target % publishers_;
  if (publishers_ > channels_) {  // the channel's own publishers take turns
    const std::uint32_t own = publishers_ / channels_ + (target < publishers_ % channels_ ? 1U : 0U);
    publisher = target + channels_ * static_cast<std::uint32_t>(published_[target] % own);
  }
  const auto offset = static_cast<nanoseconds::rep>(static_cast<double>(burst * burst_) * interval_ns_);
  return Next{start_ + nanoseconds{offset}, target, publisher};
}

std::string_view SyntheticSource::take() {
  const auto next = peek();
  ensure(next.has_value(), "only what peek() showed is taken");
  const std::uint32_t source = publishers_ > channels_ ? next->publisher / channels_ : 0;
  ++sent_;
  ++published_[next->target];
  const std::uint64_t counter = ++counters_[std::size_t{next->target} * sources_max_ + source];
  return template_.write({next->due, counter, source});
}

std::optional<PublicationSource::Next> FeedSource::peek() {
  if (next_ == feed_.messages().size()) return std::nullopt;
  const FeedMessage& message = feed_.messages()[next_];
  return Next{clock_.due(feed_.streams()[message.stream].received[message.index]), message.stream,
              message.stream % publishers_};
}

std::string_view FeedSource::take() {
  const FeedMessage& message = feed_.messages()[next_++];
  return feed_.streams()[message.stream].payloads[message.index];
}

// ---- publishing ----

PublisherDialect::Around NativePublisherDialect::around(std::string_view channel) const {
  Around around{R"({"type":"publish","channel":)", "}"};
  append_json_string(around.before, channel);
  around.before += R"(,"data":)";
  return around;
}

PublisherDialect::Answer NativePublisherDialect::take(std::uint32_t, std::string_view text) {
  const auto message = reader_.read(text);
  if (!message) return {std::string{text.substr(0, 200)}, {}};
  if (message->kind != ServerMessage::Kind::error) return {};
  return {fmt::format("{}: {}", message->code, message->words), {}};
}

Result<SocketAddress, std::string> PublisherThread::connect(const Endpoint& endpoint, int stop_fd) {
  const bool binary = dialect_->opcode() == Opcode::binary;
  for (std::uint32_t i = 0; i < publishers_; ++i) {
    auto client = Client::open(dialect_->endpoint(endpoint, i), {.also_readable = stop_fd, .takes_binary = binary});
    if (!client) return unexpected("publisher: " + client.error().sentence);
    if (const std::string greeting = dialect_->greeting(); !greeting.empty()) {
      client->queue_message(dialect_->opcode(), std::array<std::string_view, 1>{greeting});
      client->flush();
    }
    clients_.push_back(std::move(*client));
  }
  for (const std::string& name : plan_.names) around_.push_back(dialect_->around(name));
  published_.resize(plan_.names.size());
  return clients_.front().peer();
}

void PublisherThread::start(Instant start) {
  source_.begin(start);
  answers_next_ = start;
  thread_ = std::thread{[this] { run(); }};
}

void PublisherThread::start_stepped(Instant start) {
  source_.begin(start);
  answers_next_ = start;
  stepped_.store(true, std::memory_order_release);
}

std::optional<Instant> PublisherThread::step(Instant now) {
  if (!stepped_.load(std::memory_order_acquire) || done()) return std::nullopt;
  const std::uint64_t sent_before = sent();
  if (!turn(now)) {
    done_.store(true, std::memory_order_release);
    return std::nullopt;
  }
  const auto next = source_.peek();
  if (!next || next->due <= now || sent() != sent_before) return std::nullopt;
  return next->due;
}

void PublisherThread::stop_and_join() {
  stopping_.store(true, std::memory_order_release);
  const Instant patience = monotonic_now() + kStepPatience;
  while (stepped_.load(std::memory_order_relaxed) && !done() && monotonic_now() < patience) {
    sleep_until(monotonic_now() + kAnswerInterval);
  }
  done_.store(true, std::memory_order_release);  // who stepped may have given up
  join();
}

void PublisherThread::join() {
  if (thread_.joinable()) thread_.join();
}

void PublisherThread::run() {
  prctl(PR_SET_NAME, "load-publisher");
  prctl(PR_SET_TIMERSLACK, 1);
  for (Instant now = monotonic_now(); turn(now); now = monotonic_now()) {
    const auto next = stopping_.load(std::memory_order_relaxed) ? std::nullopt : source_.peek();
    sleep_until(next ? std::clamp(next->due, now + kRoundGap, now + kSleepMax) : now + kRoundGap);
  }
  done_.store(true, std::memory_order_release);
}

/// Publishes what is due and hears what was answered. False when that was all, or the connection is lost; what was
/// taken from the source has been promised to the verifiers, so it goes out also when publishing is to stop.
bool PublisherThread::turn(Instant now) {
  const bool stopping = stopping_.load(std::memory_order_acquire);
  if (!stopping) publish_due(now);
  bool queued = false;
  for (Client& client : clients_) {
    client.flush();
    queued = queued || client.queued_bytes() > 0;
  }
  if (now >= answers_next_) {
    answers_next_ = now + kAnswerInterval;
    if (!look_at_answers()) return false;
  }
  return queued || (!stopping && source_.peek());
}

/// Queues everything that is due and has room.
void PublisherThread::publish_due(Instant now) {
  const Opcode opcode = dialect_->opcode();
  while (const auto next = source_.peek()) {
    if (next->due > now) break;
    Client& client = clients_[next->publisher];
    if (client.queued_bytes() >= kQueuedBytesMax) break;  // back pressure: order across channels is kept, so all wait
    const std::int64_t late = (now - next->due).count();
    if (late > late_max_.load(std::memory_order_relaxed)) late_max_.store(late, std::memory_order_relaxed);
    const PublisherDialect::Around& around = around_[next->target];
    client.queue_message(opcode, std::array<std::string_view, 3>{around.before, source_.take(), around.after});
    ++published_[next->target];
    sent_.store(sent_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
}

/// Takes what the server said, without waiting. False: a connection is lost.
bool PublisherThread::look_at_answers() {
  for (std::uint32_t i = 0; i < clients_.size(); ++i) {
    while (true) {
      const auto event = clients_[i].wait(Instant{});
      if (event.kind == Client::Event::Kind::text) {
        take_answer(i, event);
      } else if (event.kind == Client::Event::Kind::closed) {
        failure_ = fmt::format("a publisher's connection was lost: {} {}", value(event.code), event.reason);
        return false;
      } else {
        break;
      }
    }
  }
  return true;
}

void PublisherThread::take_answer(std::uint32_t index, const Client::Event& event) {
  const bool usual = event.binary == (dialect_->opcode() == Opcode::binary);
  PublisherDialect::Answer answer = usual ? dialect_->take(index, event.text) : dialect_->take_other(index, event.text);
  if (!answer.reply.empty()) {
    clients_[index].queue_message(dialect_->opcode(), std::array<std::string_view, 1>{answer.reply});
  }
  if (answer.refusal.empty()) return;
  refused_.store(refused_.load(std::memory_order_relaxed) + answer.refusals, std::memory_order_relaxed);
  if (first_refusal_.empty()) first_refusal_ = std::move(answer.refusal);
}

void PublisherThread::close(milliseconds patience) {
  join();
  if (failure_.empty()) (void)look_at_answers();
  for (Client& client : clients_) client.close(monotonic_now() + patience);
}

}  // namespace ringcast
