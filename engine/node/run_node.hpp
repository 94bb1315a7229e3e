// engine/node/run_node.hpp: a node from its first line to its last: start, signals, graceful end, exit code.
//
// Owner    the process: `ringcast serve`.  Thread  the main thread, which becomes the control thread; call it before
// any
//          other thread exists, so that all inherit the blocked signals.
// Memory   the node.
// Failure  a node that cannot start: one sentence on standard error, and 1.
// Not here options (config), the parts (node.hpp).
//
// SIGTERM, SIGINT  graceful: no new connections, everybody gets what is owed and 1001, at most shutdown.deadline long;
//                  then 0. A second one ends at once: connections are reset; then 1.
// SIGHUP           a reload (reloader.hpp), which also reads keys and revocations again and opens the usage log anew.
#pragma once

#include "engine/config/load.hpp"

namespace ringcast {

/// sources  what `configuration` was loaded from: a reload loads them again.
[[nodiscard]] int run_node(Configuration configuration, ConfigSources sources);

}  // namespace ringcast
