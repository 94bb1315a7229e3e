// tools/load/sequence_check.hpp: numbers that should count up by one: finds what is lost, doubled or out of order.
//
// Owner    a verifier, by value, one a subscription and numbering.  Thread  the verifier's.
// Memory   the holes, at most kHolesMax; none in a run without faults.
// Failure  none. With more holes than it remembers, a late number in a forgotten hole counts as a duplicate.
#pragma once

#include <cstdint>
#include <vector>

namespace ringcast {

class SequenceCheck {
 public:
  enum class Verdict : std::uint8_t {
    next,       // as it should be
    ahead,      // some are missing before it
    late,       // one of those that were missing: reordered
    duplicate,  // was there already
  };
  static constexpr std::size_t kHolesMax = 1'024;
  static constexpr std::uint64_t kUnknown = ~std::uint64_t{0};

  /// last  the number before the first that is expected; kUnknown: whatever comes first is right.
  explicit SequenceCheck(std::uint64_t last = 0) : last_{last} {}

  Verdict see(std::uint64_t number) {
    if (number == last_ + 1 || last_ == kUnknown) [[likely]] {
      last_ = number;
      return Verdict::next;
    }
    return see_other(number);
  }

  /// We were told that [from, to] will not come. Returns how many that accounts for: 0 for a notice that tells nothing
  /// new.
  std::uint64_t told_missing(std::uint64_t from, std::uint64_t to);

  /// The greatest number seen or told to be missing.
  [[nodiscard]] std::uint64_t last() const { return last_; }
  [[nodiscard]] bool started() const { return last_ != kUnknown; }
  /// How many below last() neither came nor were told of.
  [[nodiscard]] std::uint64_t missing() const { return missing_; }

 private:
  struct Hole {
    std::uint64_t from, to;
  };
  Verdict see_other(std::uint64_t number);
  void open_hole(std::uint64_t from, std::uint64_t to);

  std::uint64_t last_;
  std::uint64_t missing_ = 0;
  std::vector<Hole> holes_;  // in ascending order
};

}  // namespace ringcast
