// engine/config/contradictions.hpp: what no single value shows: names, pairs of values, rules that can never apply.
//
// Thread   any.  Memory  the problems.  Failure  it reports; it changes nothing.
// Not here types and ranges (assign.hpp).
#pragma once

#include <vector>

#include "engine/config/load.hpp"

namespace ringcast {

/// Everything that is wrong with values each of which is well-formed, in the order of the schema.
[[nodiscard]] std::vector<ConfigProblem> find_contradictions(const Configuration& configuration);

/// Whether anything can be resumed from, or asked for.
[[nodiscard]] bool keeps_history(const NamespaceRule& rule);

}  // namespace ringcast
