#include "tools/load/command_line.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <fstream>
#include <memory>

#include "alloc/base/ensure.hpp"
#include "tools/load/run.hpp"
#include "tools/subcommand.hpp"
#include "tools/terminal.hpp"
#include "tools/trust_options.hpp"

namespace ringcast {
namespace {

bool write_file(const std::string& path, const std::string& text) {
  if (path.empty()) return true;
  std::ofstream file{path, std::ios::trunc};
  file << text;
  file.close();
  if (!file.fail()) return true;
  complain("load", fmt::format("{}: cannot be written", path));
  return false;
}

std::unique_ptr<Wire> make_wire(const std::string& name, std::span<const WireRow> wires) {
  for (const WireRow& row : wires) {
    if (row.name == name) return row.make();
  }
  return nullptr;
}

}  // namespace

void add_load_options(CLI::App& command, LoadOptions& options, std::span<const WireRow> wires) {
  std::vector<std::string> names;
  for (const WireRow& row : wires) names.emplace_back(row.name);
  command.add_option("--url", options.url, "where to connect to: ws://HOST:PORT, wss://HOST:PORT or unix:/PATH")
      ->capture_default_str();
  add_bearer_options(command, options.bearer);
  add_trust_options(command, options.trust);
  command.add_flag("--tls", options.tls, "connect by TLS although the URL says ws://");
  CLI::Option* compress = command.add_flag("--compress", options.compress, "the subscribers offer permessage-deflate");
  command
      .add_option("--inflate", options.inflate,
                  "percent of the subscribers that unpack what is compressed and compare it; the others count it")
      ->needs(compress)
      ->capture_default_str();
  command.add_option("--connections", options.connections, "subscribers")->capture_default_str();
  command.add_option("--channels", options.channels, "channels that they are spread over")->capture_default_str();
  command.add_option("--rate", options.rate, "messages published a second, over all channels")->capture_default_str();
  CLI::Option* wire =
      command
          .add_option("--wire", options.wire,
                      "how subscribers join and what they receive; with other than native and binary, bare payloads")
          ->check(CLI::IsMember(names))
          ->capture_default_str();
  command
      .add_flag_callback(
          "--binary", [&options] { options.wire = "binary"; },
          "subscribers and publishers speak the binary dialect: --wire binary")
      ->excludes(wire);
  command.add_option("--burst", options.burst, "messages that are due at the same instant, that much less often")
      ->capture_default_str();
  command.add_option("--payload", options.payload, "bytes of JSON a message")->capture_default_str();
  command.add_option("--duration", options.duration, "seconds that are measured")->capture_default_str();
  command.add_option("--warmup", options.warmup, "seconds before that, verified but not timed")->capture_default_str();
  command.add_option("--publishers", options.publishers, "publishing connections")->capture_default_str();
  command.add_option("--threads", options.threads, "receiving threads")->capture_default_str();
  command.add_flag("--one-thread", options.one_thread, "the receiving thread publishes as well");
  command.add_flag("--poll", options.poll, "and never sleeps: latency of microseconds, on a core of its own");
  CLI::Option* feed =
      command.add_option("--feed", options.feed, "publish these captures instead; may be repeated")->type_name("FILE");
  command.add_option("--speed", options.speed, "with --feed: how many times faster than recorded")
      ->needs(feed)
      ->capture_default_str();
  command
      .add_option("--streams-per-connection", options.streams_per_connection,
                  "with --feed: each subscriber takes 1 to so many streams")
      ->needs(feed)
      ->capture_default_str();
  command.add_option("--prefix", options.prefix, "in front of channel names (default: 'load.'; none with --feed)");
  command.add_option("--slow", options.slow, "percent of the subscribers that read slowly or not at all")
      ->capture_default_str();
  command.add_flag("--connect-only", options.connect_only,
                   "publish nothing: connect and subscribe all, hold them for --duration, leave");
  CLI::Option* churn = command.add_option("--churn", options.churn, "reconnects a second")->capture_default_str();
  CLI::Option* resume =
      command
          .add_flag("--resume", options.resume,
                    "who reconnects goes on where it was: half of them drop their connection without a word, and each "
                    "proves one unbroken run over all its connections")
          ->needs(churn);
  command.add_option("--away", options.away, "seconds that a subscriber stays away, at most, chosen at random")
      ->needs(resume)
      ->capture_default_str();
  command
      .add_option("--drain", options.drain, "seconds without progress at the end, after which what is missing is lost")
      ->capture_default_str();
  command.add_option("--json", options.json, "write the results to this file")->type_name("FILE");
  command.add_option("--report", options.report, "write a page with charts to this file")->type_name("FILE.html");
  command.add_option("--pid", options.pid, "the server's process: reports its CPU time and memory")
      ->check(CLI::PositiveNumber);
  command.add_option("--ledger", options.ledger, "compare what arrived with the ledger of the node of this name")
      ->type_name("NAME");
}

int run_load(const LoadOptions& options, std::span<const WireRow> wires) {
  Speed speed;
  if (const auto fault = check(options, speed)) {
    complain("load", *fault);
    return kExitUsage;
  }
  const auto endpoint = parse_endpoint(options.url).and_then([&](Endpoint place) {
    return with_token(std::move(place), options.bearer);
  });
  if (!endpoint) {
    complain("load", endpoint.error());
    return kExitUsage;
  }
  auto wire = make_wire(options.wire, wires);
  ensure(wire != nullptr, "the command line takes only names of wires");
  if (const auto fault = wire->check(options)) {
    complain("load", *fault);
    return kExitUsage;
  }
  const StopSignals stop;
  LoadRun run{options, speed, std::move(wire), stop};
  if (const auto prepared = run.prepare(); !prepared) {
    complain("load", prepared.error());
    return kExitFailure;
  }
  const LoadResult& result = run.execute();
  const auto complaints = result.complaints();
  if (result.published == 0 && !complaints.empty()) {  // it never began: a summary of nothing would only hide why
    complain("load", complaints.front());
    (void)write_file(options.json, summary_json(result));
    return kExitFailure;
  }
  Output output;
  output.append(summary_text(result));
  const bool written = output.flush();
  const bool files_written =
      write_file(options.json, summary_json(result)) && write_file(options.report, report_page(result));
  return complaints.empty() && written && files_written ? kExitSuccess : kExitFailure;
}

}  // namespace ringcast
