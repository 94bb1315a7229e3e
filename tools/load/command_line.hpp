// tools/load/command_line.hpp: the options of a load generator, and a run with them: for `ringcast load` and for the
// benchmarks' own, which knows more wires.
//
// Owner    main.  Thread  main.  Memory  the options.
// Failure  run_load() says on stderr what is wrong and returns the exit status.
#pragma once

#include <span>

#include "tools/load/options.hpp"
#include "tools/load/wire.hpp"

namespace CLI {
class App;
}

namespace ringcast {

/// `options` outlives the parsing.
void add_load_options(CLI::App& command, LoadOptions& options, std::span<const WireRow> wires);

/// Runs, prints the summary, writes the files that were asked for.
[[nodiscard]] int run_load(const LoadOptions& options, std::span<const WireRow> wires);

}  // namespace ringcast
