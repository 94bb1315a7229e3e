// tools/config.hpp: configuration on a command line: `ringcast config`, and the flags that `serve` shares with it.
//
// Owner    the command that parses owns its ConfigArguments.  Thread  main.  Memory  one configuration.
// Failure  problems go to stderr, one a line; the exit code says whether flags alone were to blame (bad usage) or not.
// Not here keys and their checks (engine/config).
#pragma once

#include <string>
#include <vector>

#include "alloc/base/result.hpp"
#include "engine/config/load.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace ringcast {

/// What a command that needs a configuration takes from its command line.
struct ConfigArguments {
  struct Flag {
    std::string name;
    const CLI::Option* option = nullptr;  // the command's; holds what was given once the line is parsed
  };
  std::string file;  // empty: none
  std::vector<Flag> flags;
};

/// Adds a flag for every key of the schema to `command`. `arguments` must live as long as the command.
void add_configuration_flags(CLI::App& command, ConfigArguments& arguments);

/// Adds those and `--config FILE`, whose default is RINGCAST_CONFIG: what `serve` takes.
void add_configuration_options(CLI::App& command, ConfigArguments& arguments);

/// Where the values come from: file, environment and flags, as they were given.
[[nodiscard]] ConfigSources sources_of(const ConfigArguments& arguments);

/// Loads them. On failure every problem has been printed to stderr and the error is the exit
/// code: kExitUsage if only flags were wrong, otherwise kExitFailure.
[[nodiscard]] Result<Configuration, int> load_or_report(const ConfigArguments& arguments);

}  // namespace ringcast
