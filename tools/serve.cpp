// tools/serve.cpp: `ringcast serve`: a node with the configuration of its flags, the environment and a file.
#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "engine/node/run_node.hpp"
#include "tools/config.hpp"
#include "tools/subcommand.hpp"

namespace ringcast {

void add_serve_command(CLI::App& app, int& exit_code) {
  CLI::App* serve = app.add_subcommand("serve", "run a node");
  const auto arguments = std::make_shared<ConfigArguments>();
  add_configuration_options(*serve, *arguments);
  serve->callback([arguments, &exit_code] {
    auto configuration = load_or_report(*arguments);
    exit_code = configuration ? run_node(*std::move(configuration), sources_of(*arguments)) : configuration.error();
  });
}

}  // namespace ringcast
