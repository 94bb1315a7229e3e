#include <array>
#include <charconv>

#include "codec/text/numbers.hpp"
#include "engine/stats/report.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kPrefix = "ringcast_";
constexpr double kNsPerSecond = 1e9;
constexpr std::array<double, 22> kLatencyBounds{  // seconds; 1, 2.5 and 5 of each power of ten from 1 us to 10 s
    1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3,
    5e-3, 1e-2,   2.5e-2, 5e-2, 1e-1, 2.5e-1, 5e-1, 1,    2.5,  5,    10};

std::string decimal(double value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  return {digits, end.ptr};
}

/// Metric names are letters, digits and underscores; a newer writer might call its rows otherwise.
std::string metric_name(std::string_view label) {
  std::string name{kPrefix};
  for (const char c : label) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    name += good ? c : '_';
  }
  return name;
}

void append_escaped(std::string& out, std::string_view text, bool in_quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '"' && in_quotes) {
      out += "\\\"";
    } else {
      out += c;  // a view's texts have no line feed
    }
  }
}

/// One line of the exposition.
class Sample {
 public:
  Sample(std::string& out, std::string_view name) : out_{out} { out_ += name; }
  Sample& label(std::string_view name, std::string_view value) {
    out_ += labels_++ == 0 ? '{' : ',';
    out_ += name;
    out_ += "=\"";
    append_escaped(out_, value, true);
    out_ += '"';
    return *this;
  }
  void value(std::string_view text) {
    if (labels_ > 0) out_ += '}';
    out_ += ' ';
    out_ += text;
    out_ += '\n';
  }
  void value(std::uint64_t number) { value(std::to_string(number)); }

 private:
  std::string& out_;
  int labels_ = 0;
};

void write_head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out += "# HELP ";
  out += name;
  out += ' ';
  append_escaped(out, help, false);
  out += "\n# TYPE ";
  out += name;
  out += ' ';
  out += type;
  out += '\n';
}

template <class Value>
void write_one(std::string& out, std::string_view label, std::string_view help, const Value& value) {
  const std::string name = metric_name(label);
  write_head(out, name, "gauge", help);
  Sample{out, name}.value(value);
}

void write_counter_family(std::string& out, const NodeView& view, std::size_t first) {
  const CounterView& row = view.counters[first];
  const bool grows = row.kind == RCS_KIND_COUNTER;
  const std::string name = metric_name(row.label) + (grows ? "_total" : "");
  write_head(out, name, grows ? "counter" : "gauge", row.description);
  for (std::size_t i = first; i < view.counters.size(); ++i) {
    const CounterView& counter = view.counters[i];
    if (counter.label != row.label || counter.kind != row.kind) continue;
    for (std::size_t s = 0; s < counter.shards.size(); ++s) {
      const bool own = s + 1 == counter.shards.size();
      if (own && counter.shards[s] == 0) continue;  // few rows have one
      Sample sample{out, name};
      if (const std::size_t equals = counter.label_set.find('='); equals != std::string::npos) {
        sample.label(counter.label_set.substr(0, equals), counter.label_set.substr(equals + 1));
      }
      sample.label("shard", own ? "node" : std::to_string(s));
      sample.value(counter.shards[s]);
    }
  }
}

void write_counters(std::string& out, const NodeView& view) {
  for (std::size_t i = 0; i < view.counters.size(); ++i) {
    bool seen = false;  // all samples of a metric stand together, whatever the order of the rows
    for (std::size_t before = 0; before < i && !seen; ++before) {
      seen = view.counters[before].label == view.counters[i].label;
    }
    if (!seen) write_counter_family(out, view, i);
  }
}

void write_latency(std::string& out, const LatencyView& latency) {
  const std::string name = metric_name(latency.label) + "_seconds";
  write_head(out, name, "histogram", latency.description);
  for (const double bound : kLatencyBounds) {
    const auto ns = static_cast<std::uint64_t>(bound * kNsPerSecond + 0.5);
    Sample{out, name + "_bucket"}.label("le", decimal(bound)).value(latency.count_at_most(ns));
  }
  Sample{out, name + "_bucket"}.label("le", "+Inf").value(latency.distribution.count);
  Sample{out, name + "_sum"}.value(decimal(static_cast<double>(latency.distribution.sum) / kNsPerSecond));
  Sample{out, name + "_count"}.value(latency.distribution.count);
}

void write_memory(std::string& out, const NodeView& view) {
  const rcs_memory& memory = view.memory.record;
  write_one(out, "memory_budget_bytes", "Bytes the node may hold", memory.budget_bytes);
  write_one(out, "memory_accounted_bytes", "Bytes charged to the budget", memory.accounted_bytes);
  write_one(out, "memory_rss_bytes", "Resident set size", memory.rss_bytes);
  write_one(out, "memory_pressure", "0 normal, 1 warning, 2 critical, 3 emergency", std::uint64_t{memory.pressure});
  const std::string name = metric_name("memory_purpose_bytes");
  write_head(out, name, "gauge", "Bytes charged to the budget for a purpose");
  for (const PurposeView& purpose : view.memory.purposes) {
    Sample{out, name}.label("purpose", purpose.label).value(purpose.bytes);
  }
}

}  // namespace

std::string prometheus_text(const NodeView& view) {
  std::string out;
  const std::string info = metric_name("info");
  write_head(out, info, "gauge", "The node");
  Sample{out, info}.label("name", view.name).label("server", view.server).value(1);
  write_one(out, "up", "1 if the node is alive and not stalled", std::uint64_t{view.node.liveness == RCS_ALIVE});
  write_one(out, "start_time_seconds", "When the node started, since 1970",
            decimal(static_cast<double>(view.node.start_wall) / kNsPerSecond));
  write_one(out, "heartbeat_age_seconds", "Time since the node's last heartbeat",
            decimal(static_cast<double>(view.node.heartbeat_age_ns) / kNsPerSecond));
  write_one(out, "health_state", "0 healthy, 1 degraded, 2 unhealthy, 3 critical", std::uint64_t{view.health.state});
  write_one(out, "ledger_closed", "1 if every message offered is accounted for",
            std::uint64_t{view.ledger.total.closed()});
  write_memory(out, view);
  write_counters(out, view);
  for (const LatencyView& latency : view.latencies) write_latency(out, latency);
  return out;
}

}  // namespace ringcast
