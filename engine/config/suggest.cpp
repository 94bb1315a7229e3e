#include "engine/config/suggest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace ringcast {
namespace {

constexpr std::size_t kKeystrokesMax = 2;
constexpr std::size_t kNameBytesMax = 100;  // longer than any key: not worth comparing

/// How many characters must be added, taken away or replaced to turn one text into the other.
std::size_t keystrokes_between(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

std::string_view last_part(std::string_view key) { return key.substr(key.rfind('.') + 1); }

}  // namespace

std::string did_you_mean(std::string_view name, std::span<const std::string> names) {
  if (name.empty() || name.size() > kNameBytesMax) return {};
  const std::string* best = nullptr;
  std::size_t fewest = kKeystrokesMax + 1;
  for (const std::string& candidate : names) {
    const std::size_t keystrokes = keystrokes_between(name, candidate);
    if (keystrokes < fewest) {
      fewest = keystrokes;
      best = &candidate;
    }
  }
  if (best == nullptr) {  // the right key in the wrong table, or in none
    const auto same = std::ranges::find(names, last_part(name), [](const std::string& key) { return last_part(key); });
    if (same != names.end()) best = &*same;
  }
  return best == nullptr ? std::string{} : fmt::format("; did you mean {}?", *best);
}

std::string printable(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += c;
    }
  }
  return shown;
}

}  // namespace ringcast
