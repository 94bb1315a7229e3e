// tools/load.cpp: `ringcast load`: open-loop load with verification and latency percentiles (protocol.md section 8).
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <fstream>
#include <memory>

#include "tools/load/options.hpp"
#include "tools/load/run.hpp"
#include "tools/subcommand.hpp"
#include "tools/terminal.hpp"

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

int run_load(const LoadOptions& options) {
  Speed speed;
  if (const auto fault = check(options, speed)) {
    complain("load", *fault);
    return kExitUsage;
  }
  if (const auto endpoint = parse_endpoint(options.url); !endpoint) {
    complain("load", endpoint.error());
    return kExitUsage;
  }
  const StopSignals stop;
  LoadRun run{options, speed, stop};
  if (const auto prepared = run.prepare(); !prepared) {
    complain("load", prepared.error());
    return kExitFailure;
  }
  const LoadResult& result = run.execute();
  const auto complaints = result.complaints();
  if (result.published == 0 && !complaints.empty()) {  // it never began: a summary of nothing would only hide why
    complain("load", complaints.front());
    return kExitFailure;
  }
  Output output;
  output.append(summary_text(result));
  const bool written = output.flush();
  const bool files_written =
      write_file(options.json, summary_json(result)) && write_file(options.report, report_page(result));
  return complaints.empty() && written && files_written ? kExitSuccess : kExitFailure;
}

}  // namespace

void add_load_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<LoadOptions>();
  CLI::App* command =
      app.add_subcommand("load", "open-loop load generator: verifies every message, reports latency percentiles");
  command->add_option("--url", options->url, "where to connect to: ws://HOST:PORT or unix:/PATH")
      ->capture_default_str();
  command->add_option("--connections", options->connections, "subscribers")->capture_default_str();
  command->add_option("--channels", options->channels, "channels that they are spread over")->capture_default_str();
  command->add_option("--rate", options->rate, "messages published a second, over all channels")->capture_default_str();
  command->add_option("--payload", options->payload, "bytes of JSON a message")->capture_default_str();
  command->add_option("--duration", options->duration, "seconds that are measured")->capture_default_str();
  command->add_option("--warmup", options->warmup, "seconds before that, verified but not timed")
      ->capture_default_str();
  command->add_option("--publishers", options->publishers, "publishing connections")->capture_default_str();
  command->add_option("--threads", options->threads, "receiving threads")->capture_default_str();
  CLI::Option* feed = command->add_option("--feed", options->feed, "publish these captures instead; may be repeated")
                          ->type_name("FILE");
  command->add_option("--speed", options->speed, "with --feed: how many times faster than recorded")
      ->needs(feed)
      ->capture_default_str();
  command
      ->add_option("--streams-per-connection", options->streams_per_connection,
                   "with --feed: each subscriber takes 1 to so many streams")
      ->needs(feed)
      ->capture_default_str();
  command->add_option("--prefix", options->prefix, "in front of channel names (default: 'load.'; none with --feed)");
  command->add_option("--slow", options->slow, "percent of the subscribers that read slowly or not at all")
      ->capture_default_str();
  command->add_option("--churn", options->churn, "reconnects a second")->capture_default_str();
  command
      ->add_option("--drain", options->drain,
                   "seconds without progress at the end, after which what is missing is lost")
      ->capture_default_str();
  command->add_option("--json", options->json, "write the results to this file")->type_name("FILE");
  command->add_option("--report", options->report, "write a page with charts to this file")->type_name("FILE.html");
  command->add_option("--pid", options->pid, "the server's process: reports its CPU time and memory")
      ->check(CLI::PositiveNumber);
  command->add_option("--ledger", options->ledger, "compare what arrived with the ledger of the node of this name")
      ->type_name("NAME");
  command->callback([options, &exit_code] { exit_code = run_load(*options); });
}

}  // namespace ringcast
