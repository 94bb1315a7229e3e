#include "tools/load/result.hpp"

#include <fmt/format.h>

#include "codec/text/json_write.hpp"

namespace ringcast {
namespace {

void add_tally(std::vector<std::string>& complaints, const Tally& tally, bool slow) {
  const char* whose = slow ? " (slow readers)" : "";
  const auto add = [&](std::uint64_t number, const char* what) {
    if (number > 0) complaints.push_back(fmt::format("{} messages {}{}", number, what, whose));
  };
  add(tally.lost, "lost");
  add(tally.duplicated, "duplicated");
  add(tally.reordered, "reordered");
  add(tally.altered, "not as they were published");
  if (!slow) add(tally.depth_breaks, "break the continuity of depth updates");
}

/// Milliseconds with three digits that matter.
std::string ms(std::uint64_t ns) {
  const double value = static_cast<double>(ns) / 1e6;
  return fmt::format("{:.{}f} ms", value, value < 10 ? 3 : value < 100 ? 2 : 1);
}

std::string codes_text(const std::map<std::uint16_t, std::uint64_t>& closed) {
  std::string text;
  for (const auto& [code, count] : closed) text += fmt::format("{}{} × {}", text.empty() ? "" : ", ", code, count);
  return text;
}

std::string latency_line(const LoadResult& result) {
  if (result.latency.count() == 0) return "nothing was measured";
  std::string line = fmt::format("min {}", ms(result.latency_min));
  for (std::size_t i = 0; i < kLatencyShares.size(); ++i) {
    line += fmt::format("   {} {}", kLatencyLabels[i], ms(result.latency.percentile(kLatencyShares[i])));
  }
  return line + fmt::format("   max {}", ms(result.latency.max()));
}

void append_server_text(std::string& out, const LoadResult& result) {
  if (!result.server_cpu_seconds) return;
  out += "server        ";
  if (result.measured_deliveries > 0) out += fmt::format("{:.0f} ns of CPU a delivery, ", result.cpu_ns_per_delivery());
  out +=
      fmt::format("{:.1f}% of a core, RSS {:.1f} MB (at most {:.1f}; {:.1f} before the first connection)\n",
                  100 * *result.server_cpu_seconds / std::max(result.measured_seconds, 1e-9),
                  static_cast<double>(result.server_rss_bytes) / 1e6, static_cast<double>(result.server_rss_max) / 1e6,
                  static_cast<double>(result.server_rss_start) / 1e6);
}

std::string verdict_text(const LoadResult& result) {
  const auto complaints = result.complaints();
  std::string out = complaints.empty() ? "result        ok\n" : "result        FAILED\n";
  for (const std::string& complaint : complaints) out += fmt::format("              {}\n", complaint);
  if (!result.first_fault.empty()) out += fmt::format("              first fault: {}\n", result.first_fault);
  return out;
}

/// The distribution as [share, milliseconds] pairs: every percent, then the tail.
void append_curve_json(std::string& out, const LoadResult& result) {
  out += R"("latency_curve":[)";
  const auto add = [&](double share) {
    out += fmt::format("{}[{:.6g},{}]", out.ends_with('[') ? "" : ",", share,
                       static_cast<double>(result.latency.percentile(share)) / 1e6);
  };
  for (int percent = 0; percent < 100 && result.latency.count() > 0; ++percent) add(percent / 100.0);
  for (const double share : {0.995, 0.999, 0.9995, 0.9999, 0.99995, 0.99999, 1.0}) {
    if (result.latency.count() > 0) add(share);
  }
  out += "],";
}

void append_client_json(std::string& out, const ReceiveCost& client) {
  if (client.deliveries == 0) return;
  const auto deliveries = static_cast<double>(client.deliveries);
  out += fmt::format(R"(,"client":{{"user_ns_per_delivery":{},"system_ns_per_delivery":{},"deliveries_per_read":{}}})",
                     static_cast<double>(client.user.count()) / deliveries,
                     static_cast<double>(client.system.count()) / deliveries,
                     deliveries / static_cast<double>(client.reads));
}

/// What was agreed beyond plain WebSocket, a line each.
void append_agreements_text(std::string& out, const LoadResult& result) {
  const Agreements& agreed = result.agreements;
  if (!agreed.tls.empty()) out += fmt::format("tls           {}\n", agreed.tls);
  if (!result.options.compress) return;
  out += fmt::format("compression   {} of {} connections", agreed.deflate, result.options.connections);
  if (agreed.unpacked_bytes > 0) {
    out += fmt::format("; {} messages unpacked, of {:.1f}% of their size", agreed.inflated,
                       100 * static_cast<double>(agreed.packed_bytes) / static_cast<double>(agreed.unpacked_bytes));
  }
  if (agreed.skimmed > 0) out += fmt::format("; {} counted and left packed", agreed.skimmed);
  out += '\n';
}

void append_agreements_json(std::string& out, const LoadResult& result) {
  const Agreements& agreed = result.agreements;
  out += R"(,"tls":)";
  append_json_string(out, agreed.tls);
  if (!result.options.compress) return;
  out += fmt::format(R"(,"deflate":{{"connections":{},"inflated":{},"skimmed":{},"packed_bytes":{},)"
                     R"("unpacked_bytes":{}}})",
                     agreed.deflate, agreed.inflated, agreed.skimmed, agreed.packed_bytes, agreed.unpacked_bytes);
}

void append_feed_text(std::string& out, const LoadResult& result) {
  std::uint64_t messages = 0;
  for (const StreamResult& stream : result.streams) messages += stream.messages;
  out += fmt::format("feed          {} messages of {} streams, {:.0f} s of market at {} times its speed\n", messages,
                     result.streams.size(), result.feed_seconds, result.options.speed);
  for (const StreamResult& stream : result.streams) {
    out += fmt::format("              {:<24} {:>8} messages × {:>5} subscribers{}\n", stream.name, stream.messages,
                       stream.subscribers, stream.depth ? "   depth updates, U/u followed" : "");
  }
}

void append_tally_json(std::string& out, const Tally& tally) {
  out += fmt::format(R"("expected":{},"delivered":{},"lost":{},"duplicated":{},"reordered":{},"gap_notices":{},)"
                     R"("gap_messages":{},"altered":{},"cut_off":{},"resumed":{},"unrecovered":{},"caught_up":{},)"
                     R"("depth_updates":{},"depth_breaks":{})",
                     tally.expected, tally.delivered, tally.lost, tally.duplicated, tally.reordered, tally.gap_notices,
                     tally.gap_messages, tally.altered, tally.cut_off, tally.resumed, tally.unrecovered,
                     tally.caught_up, tally.depth_updates, tally.depth_breaks);
}

void append_codes_json(std::string& out, const std::map<std::uint16_t, std::uint64_t>& closed) {
  out += '{';
  for (const auto& [code, count] : closed)
    out += fmt::format("{}\"{}\":{}", out.ends_with('{') ? "" : ",", code, count);
  out += '}';
}

}  // namespace

std::vector<std::string> LoadResult::complaints() const {
  std::vector<std::string> complaints;
  if (!failure.empty()) complaints.push_back(failure);
  if (interrupted) complaints.push_back("interrupted");
  add_tally(complaints, ordinary, false);
  add_tally(complaints, slow, true);
  if (refused > 0) complaints.push_back(fmt::format("{} publishes refused ({})", refused, first_refusal));
  if (!closed_ordinary.empty() && !options.resume)  // who resumes has to bear that too
    complaints.push_back(fmt::format("the server closed connections ({})", codes_text(closed_ordinary)));
  if (reconnect_failures > 0) complaints.push_back(fmt::format("{} reconnects failed", reconnect_failures));
  if (const std::uint64_t lost = ordinary.unrecovered + slow.unrecovered; lost > 0) {
    complaints.push_back(fmt::format("{} resumes could not be recovered: does history reach far enough back?", lost));
  }
  if (ledger && !ledger->closed()) complaints.push_back("the ledger does not close");
  return complaints;
}

std::string summary_text(const LoadResult& result) {
  const LoadOptions& options = result.options;
  std::string out;
  if (options.replays_feed()) {
    append_feed_text(out, result);
  } else if (!options.connect_only) {
    out += fmt::format(
        "load          {} channels, {:.0f} messages/s for {:.1f} s (after {:.1f} s of warm-up), {} bytes each\n",
        options.channels, options.rate, options.duration, options.warmup, options.payload);
  }
  out += fmt::format("connected     {} subscribers in {:.2f} s ({:.0f}/s), {} publishers\n", options.connections,
                     result.connect_seconds, options.connections / std::max(result.connect_seconds, 1e-9),
                     options.connect_only ? 0 : options.publishers);
  append_agreements_text(out, result);
  if (options.connect_only) {
    out += fmt::format("held          all of them for {:.1f} s\n", result.measured_seconds);
    append_server_text(out, result);
    return out + verdict_text(result);
  }
  out += fmt::format("published     {} of {} messages in {:.2f} s; {} refused; at most {:.3f} ms behind schedule\n",
                     result.published, result.scheduled, result.publish_seconds, result.refused,
                     result.publish_late_max * 1e3);
  const Tally& tally = result.ordinary;
  out += fmt::format("expected      {}   delivered {}   lost {}   duplicated {}   reordered {}\n", tally.expected,
                     tally.delivered, tally.lost, tally.duplicated, tally.reordered);
  out += fmt::format("              gap notices {} ({} messages)   altered {}\n", tally.gap_notices, tally.gap_messages,
                     tally.altered);
  if (options.replays_feed() && tally.clean() && tally.delivered == tally.expected) {
    out += "verified      every subscriber received every message of its streams, in order, byte for byte\n";
  }
  if (tally.depth_updates > 0) {
    out += fmt::format("depth         {} updates {} by the exchange's own ids\n", tally.depth_updates,
                       tally.depth_breaks == 0 ? "continuous" : fmt::format("with {} breaks", tally.depth_breaks));
  }
  out += fmt::format(
      "throughput    {:.0f} deliveries/s, {:.1f} MB/s of payload\n", result.delivery_rate(),
      result.measured_seconds > 0 ? static_cast<double>(result.measured_bytes) / 1e6 / result.measured_seconds : 0);
  out += fmt::format("latency       {}\n", latency_line(result));
  append_server_text(out, result);
  if (result.client.deliveries > 0) {
    const auto deliveries = static_cast<double>(result.client.deliveries);
    out += fmt::format("client        {:.0f} ns of CPU a delivery, {:.0f} of them its own; {:.1f} deliveries a read\n",
                       static_cast<double>((result.client.user + result.client.system).count()) / deliveries,
                       static_cast<double>(result.client.user.count()) / deliveries,
                       deliveries / static_cast<double>(result.client.reads));
  }
  if (options.churn > 0) {
    out += fmt::format("churn         {} reconnects, {} failed\n", result.reconnects, result.reconnect_failures);
  }
  if (options.resume) {
    out += fmt::format(
        "resumed       {} subscriptions, {} not recovered; {} messages caught up\n"
        "              {} connections were dropped without a close frame{}{}\n",
        tally.resumed, tally.unrecovered, tally.caught_up, result.drops,
        result.closed_ordinary.empty() ? "" : ", the server closed ", codes_text(result.closed_ordinary));
  }
  if (result.slow_connections > 0) {
    out += fmt::format(
        "slow readers  {}: {} still open{}{}; delivered {}, told or seen missing {} ({} notices), cut off {}\n",
        result.slow_connections, result.slow_open, result.closed_slow.empty() ? "" : ", closed with ",
        codes_text(result.closed_slow), result.slow.delivered, result.slow.gap_messages, result.slow.gap_notices,
        result.slow.cut_off);
  }
  if (result.ledger) {
    const LedgerResult& ledger = *result.ledger;
    out +=
        fmt::format("ledger        {}: offered {} = sent {} + conflated {} + dropped {} + abandoned {} + queued {}\n",
                    ledger.closed() ? "closed" : "NOT CLOSED", ledger.delta.offered, ledger.delta.sent,
                    ledger.delta.conflated, ledger.delta.dropped, ledger.delta.abandoned, ledger.delta.queued);
    out += fmt::format("              received by all our connections {}{}\n", ledger.received,
                       ledger.comparable ? "" : " (some were cut off: what their kernel buffers held is not seen)");
  }
  return out + verdict_text(result);
}

std::string summary_json(const LoadResult& result) {
  const LoadOptions& options = result.options;
  std::string out = R"({"wire":)";
  append_json_string(out, options.wire);
  out += fmt::format(R"(,"connections":{},"channels":{},"rate":{},"burst":{},"payload":{},"duration":{},"warmup":{},)"
                     R"("publishers":{},"threads":{},"connect_only":{},)",
                     options.connections, options.channels, options.rate, options.burst, options.payload,
                     options.duration, options.warmup, options.publishers, options.threads, options.connect_only);
  if (options.replays_feed()) {
    out += fmt::format(R"("feed":{{"speed":{},"seconds":{},"streams":[)", options.speed, result.feed_seconds);
    for (const StreamResult& stream : result.streams) {
      if (!out.ends_with('[')) out += ',';
      out += R"({"stream":)";
      append_json_string(out, stream.name);
      out += fmt::format(R"(,"messages":{},"subscribers":{},"depth":{}}})", stream.messages, stream.subscribers,
                         stream.depth);
    }
    out += "]},";
  }
  append_tally_json(out, result.ordinary);
  out += fmt::format(R"(,"published":{},"scheduled":{},"refused":{},"publish_seconds":{},"publish_late_max_ms":{},)"
                     R"("held_back":{},"connect_seconds":{},"connect_rate":{},)",
                     result.published, result.scheduled, result.refused, result.publish_seconds,
                     result.publish_late_max * 1e3, result.held_back(), result.connect_seconds,
                     options.connections / std::max(result.connect_seconds, 1e-9));
  out += fmt::format(R"("deliveries_per_second":{},"wire_bytes_per_delivery":{},)", result.delivery_rate(),
                     result.wire_bytes_per_delivery());
  out += fmt::format(R"("latency_ms":{{"count":{},"min":{},)", result.latency.count(),
                     static_cast<double>(result.latency_min) / 1e6);
  for (std::size_t i = 0; i < kLatencyShares.size(); ++i) {
    out += fmt::format(R"("{}":{},)", kLatencyLabels[i],
                       static_cast<double>(result.latency.percentile(kLatencyShares[i])) / 1e6);
  }
  out += fmt::format(R"("max":{}}},)", static_cast<double>(result.latency.max()) / 1e6);
  append_curve_json(out, result);
  out += fmt::format(R"("reconnects":{},"reconnect_failures":{},"drops":{},"closed":)", result.reconnects,
                     result.reconnect_failures, result.drops);
  append_codes_json(out, result.closed_ordinary);
  if (result.server_cpu_seconds) {
    out += fmt::format(R"(,"server":{{"cpu_ns_per_delivery":{},"cpu_seconds":{},"rss_start_bytes":{},)"
                       R"("rss_bytes":{},"rss_max_bytes":{}}})",
                       result.cpu_ns_per_delivery(), *result.server_cpu_seconds, result.server_rss_start,
                       result.server_rss_bytes, result.server_rss_max);
  }
  append_client_json(out, result.client);
  append_agreements_json(out, result);
  if (result.slow_connections > 0) {
    out += fmt::format(R"(,"slow":{{"connections":{},"open":{},"closed":)", result.slow_connections, result.slow_open);
    append_codes_json(out, result.closed_slow);
    out += ',';
    append_tally_json(out, result.slow);
    out += '}';
  }
  if (result.ledger) {
    const LedgerResult& ledger = *result.ledger;
    out += fmt::format(R"(,"ledger":{{"offered":{},"sent":{},"conflated":{},"dropped":{},"abandoned":{},"queued":{},)"
                       R"("received":{},"closed":{}}})",
                       ledger.delta.offered, ledger.delta.sent, ledger.delta.conflated, ledger.delta.dropped,
                       ledger.delta.abandoned, ledger.delta.queued, ledger.received, ledger.closed());
  }
  out += R"(,"complaints":[)";
  for (const std::string& complaint : result.complaints()) {
    if (!out.ends_with('[')) out += ',';
    append_json_string(out, complaint);
  }
  return out + fmt::format(R"(],"ok":{}}})", result.complaints().empty()) + "\n";
}

}  // namespace ringcast
