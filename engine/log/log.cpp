#include "engine/log/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>

#include <chrono>
#include <utility>

namespace ringcast {

namespace {

spdlog::level::level_enum to_spdlog(LogSeverity severity) {
  switch (severity) {
    case LogSeverity::trace: return spdlog::level::trace;
    case LogSeverity::debug: return spdlog::level::debug;
    case LogSeverity::info: return spdlog::level::info;
    case LogSeverity::warn: return spdlog::level::warn;
    case LogSeverity::error: return spdlog::level::err;
    case LogSeverity::off: return spdlog::level::off;
  }
  return spdlog::level::off;
}

/// As JSON strings are written; control characters and quotes cannot end the line or the string.
void append_escaped(std::string& line, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      line += "\\u00";
      line += kHex[byte >> 4];
      line += kHex[byte & 0xf];
    } else {
      line += c;
    }
  }
}

bool needs_quotes(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '\\' || c == '=' || c == 0x7f) return true;
  }
  return text.empty();
}

void append_quoted(std::string& line, std::string_view text) {
  line += '"';
  append_escaped(line, text);
  line += '"';
}

}  // namespace

struct Log::Sink {
  explicit Sink(std::FILE* file)
      : logger{"ringcast", std::make_shared<spdlog::sinks::ansicolor_sink<spdlog::details::console_nullmutex>>(
                               file, spdlog::color_mode::automatic)} {}
  spdlog::logger logger;
};

Log::Log(const LogSetup& setup) : least_{}, json_{}, sink_{std::make_unique<Sink>(setup.file)} {
  change(setup.least, setup.json);
  sink_->logger.set_error_handler([](const std::string&) {});  // a full disk or closed terminal must not end the node
}
Log::~Log() = default;
Log::Log(Log&&) noexcept = default;
Log& Log::operator=(Log&&) noexcept = default;

void Log::change(LogSeverity least, bool json) {
  least_ = least;
  json_ = json;
  // Times are UTC. The text format colours the level, on a terminal only.
  const char* pattern =
      json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l",%v})" : "%Y-%m-%dT%H:%M:%S.%fZ %^%-7l%$ %v";
  sink_->logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
  sink_->logger.set_level(to_spdlog(least));
}

void Log::write(LogSeverity severity, WallTime when, std::string_view event, std::initializer_list<LogField> fields) {
  if (!wants(severity) || severity == LogSeverity::off) return;
  line_.clear();
  if (json_) line_ += "\"event\":";
  json_ ? append_quoted(line_, event) : static_cast<void>(line_.append(event));
  for (const LogField& field : fields) {
    if (field.text.empty()) continue;
    line_ += json_ ? ',' : ' ';
    json_ ? append_quoted(line_, field.key) : static_cast<void>(line_.append(field.key));
    line_ += json_ ? ':' : '=';
    if (field.is_number || (!json_ && !needs_quotes(field.text))) {
      line_ += field.text;
    } else {
      append_quoted(line_, field.text);
    }
  }
  using LogTime = spdlog::log_clock::time_point;
  sink_->logger.log(LogTime{std::chrono::duration_cast<LogTime::duration>(when.time_since_epoch())},
                    spdlog::source_loc{}, to_spdlog(severity), spdlog::string_view_t{line_.data(), line_.size()});
  sink_->logger.flush();
}

}  // namespace ringcast
