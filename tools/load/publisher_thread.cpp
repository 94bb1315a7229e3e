#include "tools/load/publisher_thread.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include "alloc/base/ensure.hpp"
#include "codec/text/json_write.hpp"

namespace ringcast {
namespace {

constexpr nanoseconds kRoundGap{100'000};   // messages that are due within it go out together
constexpr milliseconds kAnswerInterval{5};  // how often a publisher looks for refusals and pings
constexpr nanoseconds kSleepMax{50'000'000};

void sleep_until(Instant until) {
  const nanoseconds left = std::min(kSleepMax, nanoseconds{until - monotonic_now()});
  if (left <= nanoseconds{0}) return;
  const timespec time{.tv_sec = 0, .tv_nsec = left.count()};
  nanosleep(&time, nullptr);
}

}  // namespace

// ---- what is published ----

SyntheticSource::SyntheticSource(double rate, double time, std::uint32_t channels, std::uint32_t publishers,
                                 std::uint32_t payload_bytes)
    : interval_ns_{1e9 / rate},
      total_{std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(rate * time)))},
      channels_{channels},
      publishers_{publishers},
      template_{payload_bytes},
      sources_max_{(publishers + channels - 1) / channels} {
  counters_.resize(std::size_t{channels} * sources_max_);
}

std::optional<PublicationSource::Next> SyntheticSource::peek() {
  if (sent_ == total_) return std::nullopt;
  const auto target = static_cast<std::uint32_t>(sent_ % channels_);
  std::uint32_t publisher = target % publishers_;
  if (publishers_ > channels_) {  // the channel's own publishers take turns
    const std::uint32_t own = publishers_ / channels_ + (target < publishers_ % channels_ ? 1U : 0U);
    publisher = target + channels_ * static_cast<std::uint32_t>(sent_ / channels_ % own);
  }
  const auto offset = static_cast<nanoseconds::rep>(static_cast<double>(sent_) * interval_ns_);
  return Next{start_ + nanoseconds{offset}, target, publisher};
}

std::string_view SyntheticSource::take() {
  const auto next = peek();
  ensure(next.has_value(), "only what peek() showed is taken");
  const std::uint32_t source = publishers_ > channels_ ? next->publisher / channels_ : 0;
  ++sent_;
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

Result<void, std::string> PublisherThread::connect(const Endpoint& endpoint, std::uint32_t publishers, int stop_fd) {
  for (std::uint32_t i = 0; i < publishers; ++i) {
    auto client = Client::open(with_native_target(endpoint), {.also_readable = stop_fd});
    if (!client) return unexpected("publisher: " + client.error().sentence);
    clients_.push_back(std::move(*client));
  }
  for (const std::string& name : plan_.names) {
    std::string& head = heads_.emplace_back(R"({"type":"publish","channel":)");
    append_json_string(head, name);
    head += R"(,"data":)";
  }
  published_.resize(plan_.names.size());
  return {};
}

void PublisherThread::start(Instant start) {
  source_.begin(start);
  thread_ = std::thread{[this, start] { run(start); }};
}

void PublisherThread::join() {
  if (thread_.joinable()) thread_.join();
}

void PublisherThread::run(Instant start) {
  prctl(PR_SET_NAME, "load-publisher");
  prctl(PR_SET_TIMERSLACK, 1);
  Instant answers_next = start;
  while (!stopping_.load(std::memory_order_acquire)) {
    const Instant now = monotonic_now();
    publish_due(now);
    for (Client& client : clients_) client.flush();
    if (now >= answers_next) {
      answers_next = now + kAnswerInterval;
      if (!look_at_answers()) break;
    }
    const auto next = source_.peek();
    const bool queued = std::ranges::any_of(clients_, [](const Client& client) { return client.queued_bytes() > 0; });
    if (!next && !queued) break;
    sleep_until(next ? std::max(next->due, now + kRoundGap) : now + kRoundGap);
  }
  while (failure_.empty() &&
         std::ranges::any_of(clients_, [](const Client& client) { return client.queued_bytes() > 0; })) {
    for (Client& client : clients_)
      client.flush();  // what was taken from the source has been promised to the verifiers
    if (!look_at_answers()) break;
    sleep_until(monotonic_now() + kRoundGap);
  }
  done_.store(true, std::memory_order_release);
}

/// Queues everything that is due and has room.
void PublisherThread::publish_due(Instant now) {
  while (const auto next = source_.peek()) {
    if (next->due > now) break;
    Client& client = clients_[next->publisher];
    if (client.queued_bytes() >= kQueuedBytesMax) break;  // back pressure: order across channels is kept, so all wait
    const std::int64_t late = (now - next->due).count();
    if (late > late_max_.load(std::memory_order_relaxed)) late_max_.store(late, std::memory_order_relaxed);
    client.queue_text(std::array<std::string_view, 3>{heads_[next->target], source_.take(), "}"});
    ++published_[next->target];
    sent_.store(sent_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
}

/// Takes what the server said, without waiting. False: a connection is lost.
bool PublisherThread::look_at_answers() {
  for (Client& client : clients_) {
    while (true) {
      const auto event = client.wait(Instant{});
      if (event.kind == Client::Event::Kind::text) {
        take_answer(event.text);
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

void PublisherThread::take_answer(std::string_view text) {
  const auto message = reader_.read(text);
  if (message && message->kind != ServerMessage::Kind::error) return;
  refused_.store(refused_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (!first_refusal_.empty()) return;
  first_refusal_ = message ? fmt::format("{}: {}", message->code, message->words) : std::string{text.substr(0, 200)};
}

void PublisherThread::close(milliseconds patience) {
  join();
  if (failure_.empty()) (void)look_at_answers();
  for (Client& client : clients_) client.close(monotonic_now() + patience);
}

}  // namespace ringcast
