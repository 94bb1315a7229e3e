// bench/system/bench_load.cpp: `ringcast load` with the wires of the servers that it is compared with.
#include <CLI/CLI.hpp>

#include <vector>

#include "bench/system/limit_wire.hpp"
#include "bench/system/nats_wire.hpp"
#include "bench/system/peer_wires.hpp"
#include "tools/load/command_line.hpp"
#include "tools/load/own_wires.hpp"
#include "tools/subcommand.hpp"

namespace ringcast {
namespace {

std::vector<WireRow> all_wires() {
  std::vector<WireRow> wires{own_wires().begin(), own_wires().end()};
  for (const std::string_view hub : {"bun", "ws", "gorilla"}) wires.push_back({hub, make_hub_wire});
  wires.push_back({"nchan", make_nchan_wire});
  wires.push_back({"nats", make_nats_wire});
  wires.push_back({"limit", make_limit_wire});
  return wires;
}

int run(int argc, char** argv) {
  CLI::App app{"open-loop load for any of the compared servers: verifies every message, reports latency percentiles",
               "bench_load"};
  const std::vector<WireRow> wires = all_wires();
  LoadOptions options;
  options.payload = 136;  // 140 bytes a frame: what all comparisons use
  add_load_options(app, options, wires);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitSuccess : kExitUsage;
  }
  return run_load(options, wires);
}

}  // namespace
}  // namespace ringcast

int main(int argc, char** argv) { return ringcast::run(argc, argv); }
