// bench/system/limit_wire.hpp: the limit program, which makes the messages itself: it says when it starts and how many
// there were.
//
// Owner    the run.  Thread  see tools/load/wire.hpp; LimitAccount is written by the verifiers' threads, read by main.
// Memory   a number a channel.
// Failure  a program that never says that it ended is a failure of the run, after the time that it was given.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "alloc/base/time.hpp"
#include "tools/load/wire.hpp"

namespace ringcast {

/// "start <ns of CLOCK_MONOTONIC>" and "end <messages>", whole texts.
struct LimitNotice {
  enum class Kind : std::uint8_t { start, end };
  Kind kind = Kind::start;
  std::uint64_t number = 0;
};
[[nodiscard]] std::optional<LimitNotice> parse_limit_notice(std::string_view text);

/// What the program has said so far, to whomever.
class LimitAccount {
 public:
  explicit LimitAccount(std::size_t targets) : ends_(targets) {}

  /// False: it has told another subscriber something else.
  [[nodiscard]] bool agree_start(std::uint64_t ns) { return agree(start_, ns); }
  [[nodiscard]] bool agree_end(std::uint32_t target, std::uint64_t messages) {
    return agree(ends_[target], messages + 1);
  }
  [[nodiscard]] Instant start() const {
    return Instant{nanoseconds{static_cast<nanoseconds::rep>(start_.load(std::memory_order_acquire))}};
  }
  [[nodiscard]] bool ended() const;
  /// By target; 0 where the end has not been told.
  [[nodiscard]] std::vector<std::uint64_t> published() const;

 private:
  static bool agree(std::atomic<std::uint64_t>& told, std::uint64_t number) {
    std::uint64_t unset = 0;
    return told.compare_exchange_strong(unset, number) || unset == number;
  }
  std::atomic<std::uint64_t> start_{0};
  std::vector<std::atomic<std::uint64_t>> ends_;  // messages + 1; 0 is unset
};

[[nodiscard]] std::unique_ptr<Wire> make_limit_wire();

}  // namespace ringcast
