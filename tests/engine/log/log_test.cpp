#include "engine/log/log.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace ringcast {
namespace {

constexpr WallTime kWhen{nanoseconds{1'795'168'800'123'456'000}};  // 2026-11-20T10:00:00.123456Z

/// What a log writes into a file.
template <class Write>
std::string written(const LogSetup& setup, Write&& write) {
  std::FILE* file = std::tmpfile();
  EXPECT_NE(file, nullptr);
  LogSetup into_file = setup;
  into_file.file = file;
  {
    Log log{into_file};
    write(log);
  }
  std::rewind(file);
  std::string text;
  std::array<char, 512> chunk{};
  while (const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), file)) text.append(chunk.data(), got);
  std::fclose(file);
  return text;
}

struct LineRow {
  const char* sentence;
  bool json;
  std::string_view text_field;
  std::string_view line;
};
constexpr LineRow kLineRows[] = {
    {"plain words", false, "binance", "2026-11-20T10:00:00.123456Z warning slow_dropped messages=4097 text=binance\n"},
    {"an empty field is left out", false, "", "2026-11-20T10:00:00.123456Z warning slow_dropped messages=4097\n"},
    {"words with a space are quoted", false, "too far",
     "2026-11-20T10:00:00.123456Z warning slow_dropped messages=4097 text=\"too far\"\n"},
    {"a line end cannot make a line", false, "a\nb",
     "2026-11-20T10:00:00.123456Z warning slow_dropped messages=4097 text=\"a\\u000ab\"\n"},
    {"json", true, "too \"far\"",
     R"({"time":"2026-11-20T10:00:00.123456Z","level":"warning",)"
     R"("event":"slow_dropped","messages":4097,"text":"too \"far\""})"
     "\n"},
    {"json escapes a terminal's escape", true, "\x1b[2J",
     R"({"time":"2026-11-20T10:00:00.123456Z","level":"warning",)"
     R"("event":"slow_dropped","messages":4097,"text":"\u001b[2J"})"
     "\n"},
};

TEST(Log, LevelAndFormatMayChange) {
  const std::string text = written({.least = LogSeverity::warn, .json = false, .file = nullptr}, [&](Log& log) {
    log.write(LogSeverity::info, kWhen, "first", {});
    log.change(LogSeverity::info, true);
    log.write(LogSeverity::info, kWhen, "second", {});
    log.change(LogSeverity::off, false);
    log.write(LogSeverity::error, kWhen, "third", {});
    log.change(LogSeverity::error, false);
    log.write(LogSeverity::error, kWhen, "fourth", {});
  });
  EXPECT_EQ(text,
            "{\"time\":\"2026-11-20T10:00:00.123456Z\",\"level\":\"info\",\"event\":\"second\"}\n"
            "2026-11-20T10:00:00.123456Z error   fourth\n");
}

TEST(Log, WritesOneLineAnEvent) {
  for (const LineRow& row : kLineRows) {
    const std::string text = written({.least = LogSeverity::info, .json = row.json, .file = nullptr}, [&](Log& log) {
      log.write(LogSeverity::warn, kWhen, "slow_dropped",
                {LogField::number("messages", 4'097), LogField::words("text", row.text_field)});
    });
    EXPECT_EQ(text, row.line) << row.sentence;
  }
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  const auto lines = [](LogSeverity least) {
    return written({.least = least, .json = false, .file = nullptr}, [](Log& log) {
      for (const LogSeverity severity : {LogSeverity::trace, LogSeverity::debug, LogSeverity::info, LogSeverity::warn,
                                         LogSeverity::error, LogSeverity::off}) {
        log.write(severity, kWhen, "event", {});
      }
    });
  };
  const auto count = [&](LogSeverity least) {
    const std::string text = lines(least);
    return std::count(text.begin(), text.end(), '\n');
  };
  EXPECT_EQ(count(LogSeverity::trace), 5);
  EXPECT_EQ(count(LogSeverity::info), 3);
  EXPECT_EQ(count(LogSeverity::error), 1);
  EXPECT_EQ(count(LogSeverity::off), 0);
}

}  // namespace
}  // namespace ringcast
