// tools/load/wire.hpp: how one kind of server is spoken to: how subscribers join, how a message is published.
//
// Owner    the run, one.  Thread  main makes the parts; each part says whose it is.
// Memory   what its parts share.
// Failure  check() gives a sentence before anything is connected.
// Not here the product's own wires (own_wires.hpp), those of the servers it is compared with (bench/system).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tools/load/options.hpp"
#include "tools/load/plan.hpp"
#include "tools/load/publisher.hpp"
#include "tools/load/publisher_thread.hpp"
#include "tools/load/run_control.hpp"
#include "tools/load/verifier.hpp"

namespace ringcast {

/// What a run lends to its wire. Outlives everything that the wire makes.
struct RunParts {
  const LoadOptions& options;
  const LoadPlan& plan;
  const RunControl& control;
};

class Wire {
 public:
  Wire() = default;
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  virtual ~Wire() = default;

  /// What is asked for and this wire cannot do, if anything.
  [[nodiscard]] virtual std::optional<std::string> check(const LoadOptions&) const { return std::nullopt; }
  /// How many publishing connections there are when `options.publishers` are asked for.
  [[nodiscard]] virtual std::uint32_t publishers(const LoadOptions& options) const { return options.publishers; }

  /// The same server's wire for captured feeds; nothing: feeds take ringcast's exchange dialect.
  [[nodiscard]] virtual std::unique_ptr<Wire> for_feed(const Feed&, const FeedClock&) const { return nullptr; }

  /// For a thread's connections.
  [[nodiscard]] virtual std::unique_ptr<Verifier> verifier(const RunParts& parts,
                                                           std::span<const PlannedConnection> connections) = 0;
  [[nodiscard]] virtual std::unique_ptr<Publisher> publisher(const RunParts& parts, PublicationSource& source) = 0;
};

/// A wire by its name; a program has a table of them.
struct WireRow {
  std::string_view name;
  std::unique_ptr<Wire> (*make)();
};

}  // namespace ringcast
