// tools/terminal.hpp: what a command shows and to whom: results to stdout, diagnostics and progress to stderr.
//
// Owner    the command.  Thread  main; StopSignals::requested() any.
// Memory   the lines not yet written.
// Failure  Output::flush() is false when nobody reads any more: the command ends quietly.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "alloc/base/time.hpp"

namespace ringcast {

/// True if stderr is a terminal; colours also need NO_COLOR to be unset.
[[nodiscard]] bool stderr_is_terminal();
[[nodiscard]] bool stderr_takes_colours();

/// Prints "ringcast <command>: <sentence>" to stderr; the first words red on a terminal.
void complain(std::string_view command, std::string_view sentence);
/// The same without alarm: what the user should know although all is well.
void remark(std::string_view command, std::string_view sentence);

/// Turns SIGINT and SIGTERM into a descriptor that becomes readable, for as long as it lives; a second signal kills.
/// One a process. A write that waits for a reader is interrupted too.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  [[nodiscard]] int fd() const;
  [[nodiscard]] static bool requested();
};

/// Collects lines for stdout and writes them in large pieces.
class Output {
 public:
  void append(std::string_view text) { pending_ += text; }
  void append_line(std::string_view text) {
    pending_ += text;
    pending_ += '\n';
    if (pending_.size() >= kFlushBytes) (void)flush();
  }
  /// False once stdout has failed (a closed pipe, a full disk) or a stop was requested while it blocked.
  [[nodiscard]] bool flush();
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool pending() const { return !pending_.empty(); }

 private:
  static constexpr std::size_t kFlushBytes = 64U << 10;
  std::string pending_;
  bool failed_ = false;
};

/// One line that is drawn again and again on a terminal, and nothing at all elsewhere.
class ProgressLine {
 public:
  ProgressLine() : shown_{stderr_is_terminal()} {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// True if it is time to draw again, four times a second: spares the caller the formatting.
  [[nodiscard]] bool due(Instant now) const { return shown_ && now >= next_; }
  void draw(std::string_view text, Instant now);
  void clear();

 private:
  bool shown_;
  bool drawn_ = false;
  Instant next_{};
};

}  // namespace ringcast
