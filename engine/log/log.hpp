// engine/log/log.hpp: the node's log: one line an event, for people (text) or programs (json), on standard error.
//
// Owner    node.  Thread  the control thread's alone: shards note events in their flight recorder and never format.
// Memory   one line.
// Failure  a line that cannot be written is lost; the node goes on.
// Not here what happened (engine/stats/events.hpp), following the recorders (node/event_tail).
#pragma once

#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "alloc/base/time.hpp"

namespace ringcast {

enum class LogSeverity : std::uint8_t { trace, debug, info, warn, error, off };

struct LogSetup {
  LogSeverity least = LogSeverity::info;
  bool json = false;
  std::FILE* file = stderr;
};

/// A named value of a line. Text that comes from outside is escaped: it cannot make a second line.
struct LogField {
  std::string_view key;
  std::string text;
  bool is_number = false;

  static LogField number(std::string_view key, std::uint64_t value) { return {key, std::to_string(value), true}; }
  static LogField words(std::string_view key, std::string_view value) { return {key, std::string{value}, false}; }
};

class Log {
 public:
  explicit Log(const LogSetup& setup);
  ~Log();
  Log(Log&&) noexcept;
  Log& operator=(Log&&) noexcept;

  /// Another level and format from the next line on; where it goes to stays.
  void change(LogSeverity least, bool json);
  [[nodiscard]] bool wants(LogSeverity severity) const { return severity >= least_; }
  /// One line: "2026-11-20T10:00:00.123456Z info  slow_disconnected messages=4097", or the same as a JSON object.
  void write(LogSeverity severity, WallTime when, std::string_view event, std::initializer_list<LogField> fields);

 private:
  struct Sink;
  LogSeverity least_;
  bool json_;
  std::unique_ptr<Sink> sink_;
  std::string line_;
};

}  // namespace ringcast
