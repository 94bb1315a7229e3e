// tools/trust_options.hpp: --ca and --insecure, the same for every command that connects.
//
// Owner    the command's options.  Thread  main.  Memory  none.  Failure  CLI11's, for a file that is not there.
#pragma once

#include "tools/client/tls_trust.hpp"

namespace CLI {
class App;
}

namespace ringcast {

void add_trust_options(CLI::App& command, TlsTrustOptions& options);

}  // namespace ringcast
