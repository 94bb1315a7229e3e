// tools/load.cpp: `ringcast load`: open-loop load with verification and latency percentiles (protocol.md section 8).
#include <CLI/CLI.hpp>

#include <memory>

#include "tools/load/command_line.hpp"
#include "tools/load/own_wires.hpp"
#include "tools/subcommand.hpp"

namespace ringcast {

void add_load_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<LoadOptions>();
  CLI::App* command =
      app.add_subcommand("load", "open-loop load generator: verifies every message, reports latency percentiles");
  add_load_options(*command, *options, own_wires());
  command->callback([options, &exit_code] { exit_code = run_load(*options, own_wires()); });
}

}  // namespace ringcast
