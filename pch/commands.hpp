// pch/commands.hpp: what the sources of the command line parse beside pch/standard.hpp.
#include "standard.hpp"

#include <fstream>

#include <CLI/CLI.hpp>
