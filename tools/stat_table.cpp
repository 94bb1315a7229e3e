#include "tools/stat_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "codec/text/timestamp.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kPlain = "\x1b[0m";
constexpr std::size_t kEventsShown = 4'096;  // protocol.md section 6: all that the recorder keeps

std::string three_digits(double value, std::string_view unit) {
  const int decimals = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return fmt::format("{:.{}f} {}", value, decimals, unit);
}

/// Appends the lines of a table and colours words, if colours are wanted.
class Page {
 public:
  explicit Page(bool colours) : colours_{colours} {}
  template <class... Values>
  void line(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Values>(values)...);
    text_ += '\n';
  }
  void heading(std::string_view text) { line("\n{}", painted(text, kBold)); }
  [[nodiscard]] std::string painted(std::string_view text, std::string_view colour) const {
    return colours_ ? fmt::format("{}{}{}", colour, text, kPlain) : std::string{text};
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
  bool colours_;
};

std::string clock_time(std::uint64_t wall_ns) {
  std::string text;
  append_timestamp(text, WallTime{nanoseconds{static_cast<std::int64_t>(wall_ns)}});
  return text;
}

std::string_view health_colour(const HealthAnswer& answer) {
  return answer.exit_code == 0 ? kGreen : answer.exit_code == 1 ? kYellow : kRed;
}

std::string liveness_sentence(const Page& page, const NodeView& view) {
  switch (view.node.liveness) {
    case RCS_ALIVE: return fmt::format("alive, up {}", long_time(view.node.uptime_ns));
    case RCS_STALLED:
      return page.painted(fmt::format("stalled: no heartbeat for {}", long_time(view.node.heartbeat_age_ns)), kRed);
    case RCS_STOPPED: return page.painted(fmt::format("stopped at {}", clock_time(view.node.heartbeat_wall)), kYellow);
    default:
      return page.painted(fmt::format("dead since {} (last heartbeat; it did not stop by itself)",
                                      clock_time(view.node.heartbeat_wall)),
                          kRed);
  }
}

void add_overview(Page& page, const NodeView& view) {
  page.line("{}  {}, pid {}, {} shard{}, {}", page.painted(view.name, kBold), view.server, view.node.pid,
            view.node.shard_count, view.node.shard_count == 1 ? "" : "s", liveness_sentence(page, view));
  const HealthAnswer answer = health_answer(view);
  std::string reasons;
  for (const std::string& reason : view.health.reasons) reasons += (reasons.empty() ? ": " : "; ") + reason;
  page.line("health   {}{}", page.painted(answer.word, health_colour(answer)), reasons);
  const rcs_memory& memory = view.memory.record;
  if (view.memory.present) {
    page.line("memory   {} of {} accounted, {} resident, pressure {}", byte_size(memory.accounted_bytes),
              byte_size(memory.budget_bytes), byte_size(memory.rss_bytes), rcs_pressure_text(memory.pressure));
  }
  const Ledger& ledger = view.ledger.total;
  std::string verdict = page.painted("closed", kGreen);
  if (!ledger.closed()) verdict = page.painted("DOES NOT CLOSE", kRed);
  if (!view.ledger.whole) verdict = page.painted("a shard was met half written", kYellow);
  page.line("ledger   offered {} = sent {} + conflated {} + dropped {} + abandoned {} + queued {}: {}",
            grouped(ledger.offered), grouped(ledger.sent), grouped(ledger.conflated), grouped(ledger.dropped),
            grouped(ledger.abandoned), grouped(ledger.queued), verdict);
}

/// The latency of the time between two views; without an earlier one, since the start.
LatencyView between(const LatencyView& now, const LatencyView* before) {
  if (before == nullptr || before->buckets.size() != now.buckets.size()) return now;
  LatencyView interval = now;
  interval.distribution.count = 0;
  interval.distribution.max = 0;
  for (std::size_t i = 0; i < now.buckets.size(); ++i) {
    interval.buckets[i] = now.buckets[i] - std::min(now.buckets[i], before->buckets[i]);
    interval.distribution.count += interval.buckets[i];
  }
  interval.distribution.sum = now.distribution.sum - std::min(now.distribution.sum, before->distribution.sum);
  interval.distribution.max = now.distribution.max;  // an upper bound, for the search; below it becomes the interval's
  interval.distribution.max = interval.percentile(std::nextafter(1.0, 0.0));
  return interval;
}

void add_latencies(Page& page, const NodeView& view, const NodeView* before) {
  page.line("\n{:<20}{:>15}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}", "latency", "count", "mean", "p50", "p99", "p99.9",
            "p99.99", "max");
  for (const LatencyView& latency : view.latencies) {
    const LatencyView shown = between(latency, before == nullptr ? nullptr : before->latency(latency.label));
    page.line("{:<20}{:>15}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}", latency.label, grouped(shown.distribution.count),
              short_time(static_cast<std::uint64_t>(shown.mean())), short_time(shown.percentile(0.5)),
              short_time(shown.percentile(0.99)), short_time(shown.percentile(0.999)),
              short_time(shown.percentile(0.9999)), short_time(shown.distribution.max));
  }
}

void add_histograms(Page& page, const NodeView& view) {
  constexpr std::size_t kBarColumns = 50;
  for (const LatencyView& latency : view.latencies) {
    page.heading(fmt::format("{}: {} values", latency.label, grouped(latency.distribution.count)));
    if (latency.distribution.count == 0) continue;
    // One line for each power of two; the buckets behind it are sixty-four times finer.
    std::uint64_t below = 0;
    for (std::uint32_t power = 0; power < 64; ++power) {
      const std::uint64_t bound = (std::uint64_t{2} << power) - 1;
      const std::uint64_t upto = latency.count_at_most(bound);
      const std::uint64_t count = upto - below;
      below = upto;
      if (count == 0) continue;
      const double share = static_cast<double>(count) / static_cast<double>(latency.distribution.count);
      const auto bar = static_cast<std::size_t>(std::ceil(share * static_cast<double>(kBarColumns)));
      page.line("  < {:>9} {:>15} {:>6.2f}%  {}", short_time(bound + 1), grouped(count), share * 100,
                std::string(bar, '#'));
      if (upto == latency.distribution.count) break;
    }
  }
}

std::string full_name(const CounterView& counter) {
  return counter.label_set.empty() ? counter.label : fmt::format("{}{{{}}}", counter.label, counter.label_set);
}

std::string counter_text(const CounterView& counter, std::uint64_t value) {
  if (counter.unit == "bytes") return byte_size(value);
  if (counter.unit == "ns") return short_time(value);
  if (counter.unit == "ns since 1970") return value == 0 ? "never" : clock_time(value);
  return grouped(value);
}

const CounterView* same_counter(const NodeView* view, const CounterView& counter) {
  if (view == nullptr) return nullptr;
  for (const CounterView& other : view->counters) {
    if (other.label == counter.label && other.label_set == counter.label_set) return &other;
  }
  return nullptr;
}

void add_counters(Page& page, const NodeView& view, const NodeView* before, nanoseconds apart,
                  const StatTableOptions& options) {
  std::string head = fmt::format("\n{:<40}{:>28}", "counter", "value");
  if (before != nullptr) head += fmt::format("{:>18}", "a second");
  if (options.parts.shards) {
    for (std::uint32_t s = 0; s < view.node.shard_count; ++s) head += fmt::format("{:>16}", fmt::format("shard {}", s));
  }
  page.line("{}", head);
  const double elapsed = static_cast<double>(apart.count()) / 1e9;
  for (const CounterView& counter : view.counters) {
    const std::string name = full_name(counter);
    if (options.filter ? !std::regex_search(name, *options.filter) : counter.total == 0) continue;
    std::string line = fmt::format("{:<40}{:>28}", name, counter_text(counter, counter.total));
    if (before != nullptr) {
      const CounterView* earlier = same_counter(before, counter);
      const bool grows = counter.kind == RCS_KIND_COUNTER && earlier != nullptr && counter.total >= earlier->total;
      const double rate = grows && elapsed > 0 ? static_cast<double>(counter.total - earlier->total) / elapsed : 0;
      line += fmt::format("{:>18}", rate > 0 ? counter_text(counter, static_cast<std::uint64_t>(rate + 0.5)) : "");
    }
    if (options.parts.shards) {
      for (std::uint32_t s = 0; s < view.node.shard_count; ++s) {
        line += fmt::format("{:>16}", counter_text(counter, counter.shards[s]));
      }
    }
    page.line("{}", line);
  }
}

void add_shards(Page& page, const NodeView& view) {
  page.line("\n{:<8}{:>17}{:>17}{:>13}{:>13}{:>13}{:>13}  {}", "shard", "offered", "sent", "conflated", "dropped",
            "abandoned", "queued", "ledger");
  for (std::size_t s = 0; s < view.ledger.shards.size(); ++s) {
    const Ledger& ledger = view.ledger.shards[s];
    page.line("{:<8}{:>17}{:>17}{:>13}{:>13}{:>13}{:>13}  {}", s, grouped(ledger.offered), grouped(ledger.sent),
              grouped(ledger.conflated), grouped(ledger.dropped), grouped(ledger.abandoned), grouped(ledger.queued),
              ledger.closed() ? page.painted("closed", kGreen) : page.painted("DOES NOT CLOSE", kRed));
  }
}

void add_memory(Page& page, const NodeView& view) {
  const rcs_memory& memory = view.memory.record;
  page.line("\n{:<28}{:>14}{:>14}{:>10}", "memory", "now", "most", "budget");
  for (const PurposeView& purpose : view.memory.purposes) {
    const double share = memory.budget_bytes == 0
                             ? 0
                             : 100 * static_cast<double>(purpose.bytes) / static_cast<double>(memory.budget_bytes);
    page.line("{:<28}{:>14}{:>14}{:>9.1f}%", purpose.label, byte_size(purpose.bytes), byte_size(purpose.bytes_peak),
              share);
  }
  page.line("{:<28}{:>14}", "accounted", byte_size(memory.accounted_bytes));
  page.line("{:<28}{:>14}{:>14}", "allocator, committed", byte_size(memory.allocator_committed_bytes),
            byte_size(memory.allocator_committed_peak_bytes));
  page.line("{:<28}{:>14}", "resident", byte_size(memory.rss_bytes));
  page.line("{:<28}{:>14}", "budget", byte_size(memory.budget_bytes));
}

void add_channels(Page& page, const NodeView& view) {
  page.line("\n{:<44}{:>6}{:>14}{:>14}{:>12}{:>10}{:>12}", "busiest channels", "shard", "messages/s", "messages",
            "bytes", "readers", "lag");
  for (const ChannelView& channel : view.channels) {
    page.line("{:<44}{:>6}{:>14}{:>14}{:>12}{:>10}{:>12}", channel.channel, channel.shard,
              grouped(channel.row.messages_per_second), grouped(channel.row.messages), byte_size(channel.row.bytes),
              grouped(channel.row.readers), grouped(channel.row.lag_messages_max));
  }
}

void add_connections(Page& page, const NodeView& view) {
  page.line("\n{:<44}{:>6}{:>18}{:>12}{:>12}{:>12}{:>12}{:>6}", "slowest connections", "shard", "dialect", "lag",
            "bytes", "behind", "charged", "subs");
  for (const ConnectionView& connection : view.connections) {
    page.line("{:<44}{:>6}{:>18}{:>12}{:>12}{:>12}{:>12}{:>6}", connection.peer, connection.shard, connection.dialect,
              grouped(connection.row.lag_messages), byte_size(connection.row.lag_bytes),
              short_time(connection.row.lag_ns), byte_size(connection.row.charged_bytes), connection.row.subscriptions);
  }
}

void add_events(Page& page, const NodeView& view) {
  page.heading("events");
  const std::size_t first = view.events.size() > kEventsShown ? view.events.size() - kEventsShown : 0;
  for (std::size_t i = first; i < view.events.size(); ++i) {
    const EventView& event = view.events[i];
    const std::string shard = event.shard == RCS_SHARD_NODE ? "node" : std::to_string(event.shard);
    std::string line = fmt::format("{}  {:>5}  ", clock_time(event.wall), shard);
    const std::string_view colour = event.severity == RCS_SEVERITY_ERROR     ? kRed
                                    : event.severity == RCS_SEVERITY_WARNING ? kYellow
                                                                             : std::string_view{};
    line += colour.empty() ? event.label : page.painted(event.label, colour);
    if (!event.a_label.empty()) line += fmt::format("  {} {}", event.a_label, event.a);
    if (!event.b_label.empty()) line += fmt::format("  {} {}", event.b_label, event.b);
    if (!event.text.empty()) line += fmt::format("  {}", event.text);
    if (event.repeats != 0) line += fmt::format("  (and {} more like it)", grouped(event.repeats));
    page.line("{}", line);
  }
}

void add_findings(Page& page, const NodeView& view) {
  if (view.findings.empty()) return;
  page.heading("kernel");
  for (const FindingView& finding : view.findings) page.line("{:<32} {}", finding.key, finding.value);
}

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string short_time(std::uint64_t ns) {
  constexpr std::array<std::pair<double, const char*>, 3> units{{{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}}};
  for (const auto& [size, unit] : units) {
    if (static_cast<double>(ns) >= size) return three_digits(static_cast<double>(ns) / size, unit);
  }
  return fmt::format("{} ns", ns);
}

std::string long_time(std::uint64_t ns) {
  const std::uint64_t total = ns / 1'000'000'000;
  const std::uint64_t day = total / 86'400;
  const std::uint64_t hour = total / 3'600 % 24;
  const std::uint64_t minute = total / 60 % 60;
  if (day > 0) return fmt::format("{}d {}h", day, hour);
  if (hour > 0) return fmt::format("{}h {}m", hour, minute);
  return minute > 0 ? fmt::format("{}m {}s", minute, total % 60) : fmt::format("{}s", total);
}

std::string byte_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> units{"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1'024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (value /= 1'024; value >= 1'024 && unit + 1 < units.size(); ++unit) value /= 1'024;
  return three_digits(value, units[unit]);
}

std::string stat_table(const NodeView& view, const NodeView* before, nanoseconds apart,
                       const StatTableOptions& options) {
  const ReportParts& parts = options.parts;
  const bool sections = options.memory || parts.channels || parts.connections || parts.events || parts.histograms;
  Page page{options.colours};
  add_overview(page, view);
  if (!sections) add_latencies(page, view, before);
  if (parts.histograms) add_histograms(page, view);
  if (options.memory) add_memory(page, view);
  if (parts.shards) add_shards(page, view);
  if (!sections || options.filter || parts.shards) add_counters(page, view, before, apart, options);
  if (parts.channels) add_channels(page, view);
  if (parts.connections) add_connections(page, view);
  if (parts.events) add_events(page, view);
  if (!sections && !options.filter) add_findings(page, view);
  return page.take();
}

std::string health_text(const NodeView& view) {
  std::string text = health_answer(view).word + '\n';
  if (view.node.liveness != RCS_ALIVE) text += "last seen alive at " + clock_time(view.node.heartbeat_wall) + '\n';
  for (const std::string& reason : view.health.reasons) text += reason + '\n';
  return text;
}

}  // namespace ringcast
