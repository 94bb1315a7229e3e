// engine/ring/features.hpp: what the running kernel's io_uring can do, found by asking and trying, never by its
// version.
//
// Owner    node probes once, before any shard starts.  Thread  the one that probes; the result is a value.
// Memory   a few strings.
// Failure  no usable io_uring: a sentence that says why and how to enable it.
// Not here using what was found (ring.hpp, doorbell.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alloc/base/result.hpp"

namespace ringcast {

struct RingFinding {
  std::string key;
  std::string value;
};

struct RingFeatures {
  /// SEND with MSG_DONTWAIT | MSG_WAITALL and CQE_SKIP is silent on success and reports all else, as proven on a socket
  /// pair. Otherwise every send asks for its completion.
  bool silent_sends = false;
  /// One ring can wake another (MSG_RING). Otherwise shards wake each other by eventfd.
  bool message_ring = false;
  /// The kernel sets a flag in memory when it has completions to hand over: polling needs no system call.
  bool taskrun_flag = false;
  /// Provided buffers can be consumed in pieces (Linux 6.12). Found, not used yet.
  bool incremental_buffers = false;

  std::vector<RingFinding> findings;  // all of the above and more, as text for the log and the segment
};

/// Opens rings and sockets on the loopback, tries each feature, closes them again.
[[nodiscard]] Result<RingFeatures, std::string> probe_ring_features();

/// Why io_uring_setup failed, and what the reader can do about it.
///
/// error            errno of io_uring_setup.
/// disabled_sysctl  kernel.io_uring_disabled: 0, 1 or 2; -1 when the kernel has no such setting.
[[nodiscard]] std::string explain_ring_failure(int error, int disabled_sysctl);
/// Reads kernel.io_uring_disabled; -1 when there is none.
[[nodiscard]] int read_ring_disabled_sysctl();

}  // namespace ringcast
