// tools/load/server_probe.hpp: what the server costs (from /proc) and what its ledger says (from its segment).
//
// Owner    main.  Thread  main.  Memory  the segment's mapping.
// Failure  a sentence; the run goes on without what cannot be read, except for a ledger that was asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "alloc/segment/ringcast_stats.h"

namespace ringcast {

struct ProcessUsage {
  nanoseconds cpu{};  // user and system, all threads
  std::uint64_t rss_bytes = 0;
};
/// Nothing if there is no such process.
[[nodiscard]] std::optional<ProcessUsage> read_process_usage(std::int32_t pid);

/// A node's ledger, read from its statistics segment.
class LedgerProbe {
 public:
  [[nodiscard]] static Result<LedgerProbe, std::string> open(const std::string& name);

  /// The node's sums now.
  [[nodiscard]] Result<rcs_ledger, std::string> read() const;
  [[nodiscard]] std::int32_t pid() const;

 private:
  struct Close {
    void operator()(rcs_reader* reader) const { rcs_close(reader); }
  };
  std::unique_ptr<rcs_reader, Close> reader_;
};

}  // namespace ringcast
