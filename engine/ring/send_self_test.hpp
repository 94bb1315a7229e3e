// engine/ring/send_self_test.hpp: proves on the running kernel what the send path relies on.
//
// Owner    probe_ring_features(), once at start.  Thread  the caller's.
// Memory   a ring, a socket pair and 1 MiB for the time of the test.
// Failure  not silent: a verdict that says what was seen. Not even reported sends behave: `broken`.
// Not here the send path (transport/send_path).
//
// The measurement behind it: of all flags, only MSG_DONTWAIT | MSG_WAITALL with CQE_SKIP is silent on success and still
// reports every short count and -EAGAIN. With any other, a stream is corrupted in silence.
#pragma once

#include <string>

#include "engine/ring/features.hpp"
#include "engine/ring/ring.hpp"

namespace ringcast {

struct SendSelfTest {
  bool silent = false;
  bool broken = false;
  std::string verdict;
};

[[nodiscard]] SendSelfTest run_send_self_test(const RingFeatures& features);

/// One shape against one fresh socket pair; empty if it behaves, else what was seen instead.
[[nodiscard]] std::string try_send_shape(const RingFeatures& features, SendShape shape);

}  // namespace ringcast
