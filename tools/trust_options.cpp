#include "tools/trust_options.hpp"

#include <CLI/CLI.hpp>

namespace ringcast {

void add_trust_options(CLI::App& command, TlsTrustOptions& options) {
  CLI::Option* ca = command.add_option("--ca", options.ca, "with wss://: believe who these authorities vouch for")
                        ->check(CLI::ExistingFile)
                        ->type_name("FILE.pem");
  command.add_flag("--insecure", options.insecure, "with wss://: believe anybody")->excludes(ca);
}

}  // namespace ringcast
