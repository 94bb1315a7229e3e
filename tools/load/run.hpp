// tools/load/run.hpp: one load run from the first connect to the summary.
//
// Owner    the load command.  Thread  main; it starts the others and only watches.
// Memory   what it owns: the feed, the plan, the threads.
// Failure  a run that could not begin is a sentence; one that ended early is a result that says why.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "alloc/base/result.hpp"
#include "tools/load/feed.hpp"
#include "tools/load/feed_verifier.hpp"
#include "tools/load/options.hpp"
#include "tools/load/plan.hpp"
#include "tools/load/publisher_thread.hpp"
#include "tools/load/result.hpp"
#include "tools/load/server_probe.hpp"
#include "tools/load/subscriber_thread.hpp"
#include "tools/load/wire.hpp"
#include "tools/terminal.hpp"

namespace ringcast {

class LoadRun {
 public:
  LoadRun(LoadOptions options, Speed speed, std::unique_ptr<Wire> wire, const StopSignals& stop)
      : options_{std::move(options)}, wire_{std::move(wire)}, stop_{stop} {
    clock_.speed = speed;
  }

  /// Reads the feed, makes the plan, checks what can be checked before anything is connected.
  [[nodiscard]] Result<void, std::string> prepare();
  /// Does it all. prepare() has succeeded.
  [[nodiscard]] const LoadResult& execute();

 private:
  void start_threads(const SocketAddress& address);
  [[nodiscard]] Result<SocketAddress, std::string> reach_server();
  [[nodiscard]] bool connect_all();
  void publish();
  void hold();
  void drain();
  void close_ledger();
  void collect();
  [[nodiscard]] bool publishes_between_rounds() const { return options_.one_thread || options_.poll; }
  [[nodiscard]] bool ended_early() const { return control_.failed() || StopSignals::requested(); }
  void sample(Instant now);
  [[nodiscard]] std::uint64_t delivered();
  [[nodiscard]] std::uint64_t payload_bytes();
  [[nodiscard]] std::uint64_t wire_bytes();

  LoadOptions options_;
  std::unique_ptr<Wire> wire_;
  const StopSignals& stop_;
  Endpoint endpoint_;
  Feed feed_;
  FeedClock clock_;
  LoadPlan plan_;
  std::unique_ptr<PublicationSource> source_;
  RunControl control_;
  std::unique_ptr<Publisher> publisher_;  // none with --connect-only
  std::vector<std::unique_ptr<SubscriberThread>> threads_;
  std::optional<LedgerProbe> ledger_probe_;
  rcs_ledger ledger_before_{};
  std::int32_t pid_ = 0;
  ProgressLine progress_;
  LoadResult result_;
  Instant publishing_began_{}, sample_next_{};
};

}  // namespace ringcast
