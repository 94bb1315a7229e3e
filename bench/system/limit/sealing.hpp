// bench/system/limit/sealing.hpp: what it costs one core to seal records as TLS 1.3 does, and nothing else of TLS.
//
// Owner    main, for one run.  Thread  main.
// Memory   a key's context a reader, two buffers of a record.
// Failure  a sentence: an unknown cipher, a size that no record has.
// Not here sending what was sealed: the floor of a TLS server is this and a plain send (docs/benchmarks.md).
//
// Each reader has a key of its own, as each connection has, so that what is measured includes fetching it from memory.
#pragma once

#include <cstdint>
#include <string>

#include "alloc/base/result.hpp"

namespace ringcast {

struct SealOptions {
  std::string cipher = "AES-256-GCM";  // as EVP_CIPHER_fetch(3) knows it
  std::uint32_t bytes = 140;           // of a record's content
  std::uint32_t readers = 1'000;
  double seconds = 0.5;
};

struct SealResult {
  std::uint64_t records = 0;
  double cpu_seconds = 0;
};

inline constexpr std::uint32_t kSealBytesMax = 16'384;     // RFC 8446 section 5.1
inline constexpr std::uint32_t kSealReadersMax = 100'000;  // a context is about 1 KB

[[nodiscard]] Result<SealResult, std::string> measure_sealing(const SealOptions& options);
[[nodiscard]] std::string to_json(const SealOptions& options, const SealResult& result);

}  // namespace ringcast
