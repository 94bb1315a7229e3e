// engine/ring/kernel_constants.hpp: io_uring's constants that liburing 2.3's header does not know, by kernel version.
//
// Thread  any (constants).  Memory  none.  Failure  none: each is probed before it is relied on.
#pragma once

#include <cstdint>

namespace ringcast {

// io_uring_buf_reg.flags (named `pad` in liburing 2.3): buffers are consumed in pieces. Linux 6.12.
inline constexpr std::uint16_t kBufferRingIncremental = 1U << 1;

// io_uring_params.features
inline constexpr std::uint32_t kFeatureRegisterRegisteredRing = 1U << 13;  // Linux 6.3
inline constexpr std::uint32_t kFeatureSendReceiveBundle = 1U << 14;       // Linux 6.10
inline constexpr std::uint32_t kFeatureMinimumTimeout = 1U << 15;          // Linux 6.12

}  // namespace ringcast
