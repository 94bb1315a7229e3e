// bench/system/limit/options.hpp: what the limit program is asked to do, and what it found.
//
// Owner    main, by value.  Thread  main.  Memory  none to speak of.  Failure  check() gives a sentence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ringcast {

struct LimitOptions {
  std::uint16_t port = 9100;
  std::uint32_t connections = 1'000;
  std::uint32_t channels = 1;
  double rate = 1'000;          // messages a second over all channels; 0: closed loop
  std::uint32_t burst = 1;      // messages due at the same instant
  std::int64_t batch = -1;      // frames a send; 0: whatever is due; -1: as many as a burst has
  std::uint32_t payload = 136;  // bytes
  double seconds = 10;
  std::uint32_t start_after_ms = 500;
  bool io_uring = true;
  bool spin = false;
  std::string json;  // a file

  [[nodiscard]] bool closed_loop() const { return rate == 0; }
  [[nodiscard]] std::uint64_t frames_a_send() const { return batch < 0 ? burst : static_cast<std::uint64_t>(batch); }
};

[[nodiscard]] std::optional<std::string> check(const LimitOptions& options);

struct LimitResult {
  std::uint64_t messages = 0, deliveries = 0, sends = 0;
  std::uint64_t short_sends = 0;   // finished by waiting for the socket
  std::uint64_t lost_readers = 0;  // their connection broke
  double elapsed_seconds = 0, cpu_seconds = 0, late_max_seconds = 0;
};
[[nodiscard]] std::string to_json(const LimitOptions& options, const LimitResult& result);

}  // namespace ringcast
