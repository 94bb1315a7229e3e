// tests/simulation/trace.hpp: what happened in a run, in words; the end of it is kept, all of it can be printed.
//
// Owner    the world, by value.  Thread  one.  Memory  kLinesKept lines.  Failure  none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "alloc/base/time.hpp"

namespace ringcast::simulation {

class Trace {
 public:
  static constexpr std::size_t kLinesKept = 160;

  explicit Trace(bool print_all) : print_all_{print_all} {}

  void set_now(Instant now) { now_ = now; }

  template <class... Values>
  void note(fmt::format_string<Values...> format, Values&&... values) {
    std::string& line = lines_[noted_++ % kLinesKept];
    line = stamp();
    fmt::format_to(std::back_inserter(line), format, std::forward<Values>(values)...);
    for (const char c : line) {  // FNV-1a: the fingerprint of the whole run
      fingerprint_ = (fingerprint_ ^ static_cast<unsigned char>(c)) * 0x0000'0100'0000'01b3U;
    }
    if (print_all_) {
      line.push_back('\n');
      std::fwrite(line.data(), 1, line.size(), stdout);
      line.pop_back();
    }
  }

  /// What is too much to keep: only printed, where everything is.
  template <class... Values>
  void detail(fmt::format_string<Values...> format, Values&&... values) const {
    if (!print_all_) return;
    fmt::print("{}{}\n", stamp(), fmt::format(format, std::forward<Values>(values)...));
  }

  [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }
  [[nodiscard]] std::uint64_t events() const { return noted_; }

  /// Prints the last `count` lines; also from a signal handler, so it only writes what is there.
  void print_tail(std::size_t count, std::FILE* to) const {
    count = count < kLinesKept ? count : kLinesKept;
    const std::uint64_t first = noted_ > count ? noted_ - count : 0;
    for (std::uint64_t i = first; i < noted_; ++i) {
      const std::string& line = lines_[i % kLinesKept];
      std::fwrite("  ", 1, 2, to);
      std::fwrite(line.data(), 1, line.size(), to);
      std::fputc('\n', to);
    }
    std::fflush(to);
  }

 private:
  [[nodiscard]] std::string stamp() const {
    return fmt::format("{:>14.6f} ms  ", static_cast<double>(now_.time_since_epoch().count()) / 1e6);
  }

  std::array<std::string, kLinesKept> lines_;
  std::uint64_t noted_ = 0;
  std::uint64_t fingerprint_ = 0xcbf2'9ce4'8422'2325U;
  Instant now_{};
  bool print_all_;
};

}  // namespace ringcast::simulation
