// tests/simulation/dice.hpp: the one source of chance of a run, and the shapes of chance that it needs.
//
// Owner    the world, by value; everybody else holds a reference.  Thread  one.  Memory  32 bytes.  Failure  none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/time/prng.hpp"

namespace ringcast::simulation {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : prng_{seed} {}

  std::uint64_t next() { return prng_.next(); }
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(prng_.below(bound)); }
  /// Both ends included.
  std::size_t between(std::size_t low, std::size_t high) { return low + below(high - low + 1); }
  bool one_in(std::size_t many) { return below(many) == 0; }
  bool percent(std::size_t chance) { return below(100) < chance; }
  /// Small sizes as often as large ones: the number of bits is drawn first.
  std::size_t size(std::size_t low, std::size_t high) {
    std::size_t bits = 0;
    while ((high - low) >> bits != 0) ++bits;
    const std::size_t drawn = below((std::size_t{1} << below(bits + 1)));
    return low + (drawn > high - low ? high - low : drawn);
  }
  template <class Item>
  const Item& pick(const std::vector<Item>& items) {
    return items[below(items.size())];
  }
  template <class Item>
  Item& pick(std::vector<Item>& items) {
    return items[below(items.size())];
  }

 private:
  Prng prng_;
};

}  // namespace ringcast::simulation
