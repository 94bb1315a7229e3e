// engine/config/print.hpp: the effective configuration for people, and the reference page made from the schema.
//
// Thread   any.  Memory  the text returned.  Failure  none.
#pragma once

#include <string>

#include "engine/config/load.hpp"

namespace ringcast {

/// TOML with the origin of each value as a comment. Loading it again gives the same options.
[[nodiscard]] std::string print_configuration(const Configuration& configuration);

/// docs/configuration.md: every key with its form, default, range, flag and variable.
[[nodiscard]] std::string configuration_reference();

}  // namespace ringcast
