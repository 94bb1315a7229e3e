#include "tools/load/run.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <ctime>
#include <limits>

#include "tools/load/own_wires.hpp"

namespace ringcast {
namespace {

constexpr milliseconds kSampleInterval{100};
constexpr milliseconds kSettleTime{100};  // between the last subscription and the first message
constexpr milliseconds kStartDelay{50};   // for the publisher's thread to be there in time
constexpr seconds kConnectStall{20};      // without a new subscriber for this long, connecting has failed
constexpr seconds kLedgerTime{5};         // the node publishes its ledger a few times a second
constexpr rlim_t kOtherDescriptors = 64;

void pause_for(nanoseconds time) {
  const timespec left{.tv_sec = time.count() / 1'000'000'000, .tv_nsec = time.count() % 1'000'000'000};
  nanosleep(&left, nullptr);
}

double in_seconds(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

/// Raises the limit on descriptors as far as it goes. A sentence if that is not enough.
std::optional<std::string> raise_descriptor_limit(std::uint64_t wanted) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= wanted + kOtherDescriptors) return std::nullopt;
  return fmt::format("{} descriptors are needed and the system's limit is {} (ulimit -Hn)", wanted + kOtherDescriptors,
                     static_cast<std::uint64_t>(limit.rlim_cur));
}

std::string query_of(const Endpoint& endpoint) {
  const std::size_t mark = endpoint.target.find('?');
  return mark == std::string::npos ? std::string{} : endpoint.target.substr(mark + 1);
}

rcs_ledger difference(const rcs_ledger& after, const rcs_ledger& before) {
  return {.offered = after.offered - before.offered,
          .sent = after.sent - before.sent,
          .conflated = after.conflated - before.conflated,
          .dropped = after.dropped - before.dropped,
          .abandoned = after.abandoned - before.abandoned,
          .queued = after.queued};
}

}  // namespace

Result<void, std::string> LoadRun::prepare() {
  if (options_.tls && options_.url.starts_with("ws://")) options_.url = std::string{"wss"}.append(options_.url, 2);
  auto endpoint = parse_endpoint(options_.url, options_.trust).and_then([&](Endpoint place) {
    return with_token(std::move(place), options_.bearer);
  });
  if (!endpoint) return unexpected(endpoint.error());
  endpoint_ = std::move(*endpoint);
  options_.publishers = wire_->publishers(options_);
  if (const auto fault = raise_descriptor_limit(options_.connections + options_.publishers)) return unexpected(*fault);
  if (options_.replays_feed()) {
    auto feed = Feed::load(options_.feed);
    if (!feed) return unexpected(feed.error());
    feed_ = std::move(*feed);
    options_.publishers = std::min(options_.publishers, static_cast<std::uint32_t>(feed_.streams().size()));
    plan_ = plan_feed(options_, feed_);
    source_ = std::make_unique<FeedSource>(feed_, clock_, options_.publishers);
    auto own = wire_->for_feed(feed_, clock_);
    wire_ = own ? std::move(own) : make_feed_wire(feed_, clock_);
    result_.scheduled = feed_.messages().size();
  } else {
    plan_ = plan_synthetic(options_);
    auto source =
        std::make_unique<SyntheticSource>(options_.rate, options_.warmup + options_.duration, options_.channels,
                                          options_.publishers, options_.payload, options_.burst);
    if (!options_.connect_only) result_.scheduled = source->total();
    source_ = std::move(source);
  }
  pid_ = options_.pid;
  if (!options_.ledger.empty()) {
    auto probe = LedgerProbe::open(options_.ledger);
    if (!probe) return unexpected(probe.error());
    ledger_probe_ = std::move(*probe);
    if (pid_ == 0) pid_ = ledger_probe_->pid();
  }
  if (pid_ != 0) {
    const auto usage = read_process_usage(pid_);
    if (!usage) return unexpected(fmt::format("there is no process {}", pid_));
    result_.server_rss_start = usage->rss_bytes;
  }
  return {};
}

void LoadRun::start_threads(const SocketAddress& address) {
  const std::uint32_t threads = std::min(options_.threads, options_.connections);
  const std::span<const PlannedConnection> all{plan_.connections};
  for (std::uint32_t i = 0; i < threads; ++i) {
    const std::size_t begin = all.size() * i / threads, end = all.size() * (i + 1) / threads;
    const auto own = all.subspan(begin, end - begin);
    auto verifier = wire_->verifier({options_, plan_, control_}, own);
    SubscriberOptions options{
        .endpoint = endpoint_,
        .address = address,
        .query = query_of(endpoint_),
        .churn_per_second = options_.churn * static_cast<double>(own.size()) / static_cast<double>(all.size()),
        .resumes = options_.resume,
        .away_max = nanoseconds{static_cast<nanoseconds::rep>(options_.away * 1e9)},
        .publisher = publishes_between_rounds() ? publisher_.get() : nullptr,
        .polls = options_.poll,
        .compress = options_.compress};
    threads_.push_back(std::make_unique<SubscriberThread>(control_, std::move(options), own, std::move(verifier)));
    threads_.back()->start();
  }
}

Result<SocketAddress, std::string> LoadRun::reach_server() {
  if (options_.connect_only) {
    const auto addresses = resolve(endpoint_);
    if (!addresses) return unexpected(addresses.error());
    return addresses->front();
  }
  publisher_ = wire_->publisher({options_, plan_, control_}, *source_);
  return publisher_->connect(endpoint_, stop_.fd());
}

bool LoadRun::connect_all() {
  const auto address = reach_server();
  if (!address) {
    control_.fail(address.error());  // before a thousand others find out the same
    return false;
  }
  const Instant began = monotonic_now();
  start_threads(*address);
  Instant moved = began;
  for (std::uint64_t ready = 0, before = 0; ready < options_.connections; before = ready) {
    if (ended_early()) return false;
    pause_for(milliseconds{2});
    ready = 0;
    for (const auto& thread : threads_) ready += thread->counts().ready.load();
    const Instant now = monotonic_now();
    if (ready != before) moved = now;
    if (now - moved > kConnectStall) {
      control_.fail(fmt::format("only {} of {} subscribers could connect", ready, options_.connections));
      return false;
    }
    if (progress_.due(now)) progress_.draw(fmt::format("load: {} of {} connected", ready, options_.connections), now);
  }
  result_.connect_seconds = in_seconds(monotonic_now() - began);
  pause_for(kSettleTime);
  return true;
}

void LoadRun::publish() {
  if (ledger_probe_) {
    if (const auto before = ledger_probe_->read()) ledger_before_ = *before;
  }
  const Instant start = publisher_->start_time(monotonic_now() + kStartDelay);
  const auto warmup = nanoseconds{static_cast<nanoseconds::rep>((options_.replays_feed() ? 0 : options_.warmup) * 1e9)};
  clock_.start.store(start.time_since_epoch().count(), std::memory_order_release);
  control_.measure_from.store((start + warmup).time_since_epoch().count(), std::memory_order_release);
  control_.publishing.store(true, std::memory_order_release);
  control_.phase.store(RunControl::Phase::running, std::memory_order_release);
  publishing_began_ = start;
  if (publishes_between_rounds()) {
    publisher_->start_stepped(start);
  } else {
    publisher_->start(start);
  }

  std::optional<ProcessUsage> usage_before;
  std::uint64_t delivered_before = 0, bytes_before = 0, wire_before = 0;
  Instant measured_since{};
  while (!publisher_->done() && !ended_early()) {
    pause_for(milliseconds{5});
    const Instant now = monotonic_now();
    sample(now);
    if (measured_since == Instant{} && now >= start + warmup) {
      measured_since = now;
      delivered_before = delivered();
      bytes_before = payload_bytes();
      wire_before = wire_bytes();
      if (pid_ != 0) usage_before = read_process_usage(pid_);
    }
  }
  const Instant ended = monotonic_now();
  if (measured_since != Instant{}) {
    result_.measured_seconds = in_seconds(ended - measured_since);
    result_.measured_deliveries = delivered() - delivered_before;
    result_.measured_bytes = payload_bytes() - bytes_before;
    result_.measured_wire_bytes = wire_bytes() - wire_before;
    const auto usage = pid_ != 0 ? read_process_usage(pid_) : std::nullopt;
    if (usage && usage_before) result_.server_cpu_seconds = in_seconds(usage->cpu - usage_before->cpu);
    if (usage) result_.server_rss_bytes = usage->rss_bytes;
  }
  result_.publish_seconds = in_seconds(ended - start);
  publisher_->stop_and_join();
  if (!publisher_->failure().empty()) control_.fail(publisher_->failure());
}

/// --connect-only: everybody stays for a while, and nothing happens.
void LoadRun::hold() {
  control_.measure_from.store(std::numeric_limits<std::int64_t>::max());
  control_.phase.store(RunControl::Phase::running, std::memory_order_release);
  const auto usage_before = pid_ != 0 ? read_process_usage(pid_) : std::nullopt;
  const Instant began = monotonic_now();
  const Instant end = began + nanoseconds{static_cast<nanoseconds::rep>(options_.duration * 1e9)};
  while (monotonic_now() < end && !ended_early()) {
    pause_for(milliseconds{20});
    const auto usage = pid_ != 0 ? read_process_usage(pid_) : std::nullopt;
    if (!usage || !usage_before) continue;
    result_.server_rss_bytes = usage->rss_bytes;
    result_.server_rss_max = std::max(result_.server_rss_max, usage->rss_bytes);
    result_.server_cpu_seconds = in_seconds(usage->cpu - usage_before->cpu);
  }
  result_.measured_seconds = in_seconds(monotonic_now() - began);
}

/// Waits until every subscriber has what is due to it, or nothing moves any more.
void LoadRun::drain() {
  control_.published = publisher_->published();
  for (const auto& thread : threads_) thread->verifier().live().behind.store(~std::uint64_t{0} >> 16);
  control_.phase.store(RunControl::Phase::draining, std::memory_order_release);
  const auto patience = nanoseconds{static_cast<nanoseconds::rep>(options_.drain * 1e9)};
  std::uint64_t before = delivered();
  Instant moved = monotonic_now();
  while (!control_.failed()) {
    pause_for(milliseconds{5});
    const Instant now = monotonic_now();
    sample(now);
    std::uint64_t behind = 0;
    for (const auto& thread : threads_) behind += thread->verifier().live().behind.load(std::memory_order_acquire);
    if (behind == 0 || now - moved > patience) return;
    if (const std::uint64_t moving = delivered(); moving != before) {
      before = moving;
      moved = now;
    }
  }
}

/// Compares what arrived with what the node says it sent, while all connections are still open.
void LoadRun::close_ledger() {
  if (!ledger_probe_) return;
  LedgerResult ledger;
  const Instant deadline = monotonic_now() + kLedgerTime;
  do {
    const auto now = ledger_probe_->read();
    if (!now) {
      control_.fail(now.error());
      return;
    }
    ledger.delta = difference(*now, ledger_before_);
    ledger.identity = rcs_ledger_closed(&*now) != 0;
    ledger.received = delivered();
    if (ledger.closed()) break;
    pause_for(milliseconds{50});
  } while (monotonic_now() < deadline);
  result_.ledger = ledger;
}

const LoadResult& LoadRun::execute() {
  result_.options = options_;
  result_.options.speed = fmt::format("{}", clock_.speed.factor);  // a JSON number, however it was written
  if (connect_all()) {
    if (options_.connect_only) {
      hold();
    } else {
      publish();
      if (!control_.failed()) drain();
      if (!control_.failed()) close_ledger();
    }
  }
  progress_.clear();
  if (publisher_) publisher_->close(seconds{1});
  control_.phase.store(RunControl::Phase::closing, std::memory_order_release);
  for (const auto& thread : threads_) thread->join();
  collect();
  return result_;
}

void LoadRun::collect() {
  result_.interrupted = StopSignals::requested();
  result_.failure = control_.failure();
  if (publisher_) {
    result_.published = publisher_->sent();
    result_.refused = publisher_->refused();
    result_.first_refusal = publisher_->first_refusal();
    result_.publish_late_max = in_seconds(publisher_->late_max());
  }
  result_.latency_min = ~std::uint64_t{0};
  for (const auto& thread : threads_) {
    Verifier& verifier = thread->verifier();
    const LinkCounts& counts = thread->counts();
    result_.ordinary += verifier.ordinary();
    result_.slow += verifier.slow();
    result_.latency.merge(verifier.latency());
    result_.latency_min = std::min(result_.latency_min, verifier.latency_min());
    if (result_.first_fault.empty()) result_.first_fault = verifier.first_fault();
    const ReceiveCost& cost = thread->cost();
    result_.client.user += cost.user;
    result_.client.system += cost.system;
    result_.client.deliveries += cost.deliveries;
    result_.client.reads += cost.reads;
    const Agreements& agreed = thread->agreements();
    if (result_.agreements.tls.empty()) result_.agreements.tls = agreed.tls;
    result_.agreements.deflate += agreed.deflate;
    result_.agreements.inflated += agreed.inflated;
    result_.agreements.skimmed += agreed.skimmed;
    result_.agreements.packed_bytes += agreed.packed_bytes;
    result_.agreements.unpacked_bytes += agreed.unpacked_bytes;
    result_.reconnects += counts.reconnects;
    result_.reconnect_failures += counts.reconnect_failures;
    result_.drops += counts.drops;
    result_.slow_connections += counts.slow_connections;
    result_.slow_open += counts.slow_open;
    for (const auto& [code, count] : counts.closed_ordinary) result_.closed_ordinary[code] += count;
    for (const auto& [code, count] : counts.closed_slow) result_.closed_slow[code] += count;
  }
  if (result_.latency.count() == 0) result_.latency_min = 0;
  const bool cut_off = !result_.closed_slow.empty() || !result_.closed_ordinary.empty() || result_.drops > 0;
  if (result_.ledger && cut_off && !result_.ledger->closed()) result_.ledger->comparable = false;
  if (!options_.replays_feed()) return;
  const auto readers = plan_.readers();
  for (std::size_t i = 0; i < feed_.streams().size(); ++i) {
    const FeedStream& stream = feed_.streams()[i];
    result_.streams.push_back({plan_.names[i], stream.payloads.size(), readers[i], !stream.depth_ids.empty()});
  }
  result_.feed_seconds = in_seconds(feed_.length());
}

std::uint64_t LoadRun::delivered() {
  std::uint64_t total = 0;
  for (const auto& thread : threads_) total += thread->verifier().live().delivered.load(std::memory_order_relaxed);
  return total;
}

std::uint64_t LoadRun::payload_bytes() {
  std::uint64_t total = 0;
  for (const auto& thread : threads_) total += thread->verifier().live().payload_bytes.load(std::memory_order_relaxed);
  return total;
}

std::uint64_t LoadRun::wire_bytes() {
  std::uint64_t total = 0;
  for (const auto& thread : threads_) total += thread->verifier().live().wire_bytes.load(std::memory_order_relaxed);
  return total;
}

void LoadRun::sample(Instant now) {
  if (now < sample_next_ || now < publishing_began_) return;
  sample_next_ = now + kSampleInterval;
  result_.samples.push_back({in_seconds(now - publishing_began_), publisher_->sent(), delivered(), payload_bytes()});
  if (pid_ != 0) {
    if (const auto usage = read_process_usage(pid_))
      result_.server_rss_max = std::max(result_.server_rss_max, usage->rss_bytes);
  }
  if (!progress_.due(now)) return;
  const LoadSample& last = result_.samples.back();
  const LoadSample& before = result_.samples[result_.samples.size() > 5 ? result_.samples.size() - 6 : 0];
  const double time = std::max(last.seconds - before.seconds, 1e-9);
  progress_.draw(fmt::format("load: {:.1f} s  {} of {} published  {} delivered  {:.0f} deliveries/s  refused {}",
                             last.seconds, last.published, result_.scheduled, last.delivered,
                             static_cast<double>(last.delivered - before.delivered) / time, publisher_->refused()),
                 now);
}

}  // namespace ringcast
