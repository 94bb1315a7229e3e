#include "tools/client/subscribe_command.hpp"

#include <fmt/format.h>

#include "codec/text/json_write.hpp"
#include "codec/text/numbers.hpp"

namespace ringcast {
namespace {

void append_point(std::string& out, const ResumePoint& point) {
  out += R"({"epoch":")";
  append_epoch(out, point.epoch);
  out += R"(","seq":)";
  append_decimal(out, value(point.seq));
  out += '}';
}

std::string options_text(const SubscribeOptions& options) {
  std::string text;
  const auto add = [&](std::string_view member) {
    text += text.empty() ? "" : ",";
    text += member;
  };
  if (options.has_conflate) add(options.conflate ? R"("conflate":true)" : R"("conflate":false)");
  if (options.max_rate > 0) add(fmt::format(R"("max_rate":{})", options.max_rate));
  if (!options.snapshot) add(R"("snapshot":false)");
  return text;
}

}  // namespace

std::string subscribe_command(std::span<const std::string> channels, const ChannelPositions& positions,
                              const SubscribeOptions& options) {
  std::string command = R"({"type":"subscribe","id":1,"channels":[)";
  for (const std::string& channel : channels) {
    if (!command.ends_with('[')) command += ',';
    append_json_string(command, channel);
  }
  command += ']';
  std::string resume;
  for (const auto& [channel, position] : positions) {
    const auto point = position.resume_point();
    if (!point) continue;
    if (!resume.empty()) resume += ',';
    append_json_string(resume, channel);
    resume += ':';
    append_point(resume, *point);
  }
  if (!resume.empty()) command += R"(,"resume":{)" + resume + "}";
  if (const std::string text = options_text(options); !text.empty()) command += R"(,"options":{)" + text + "}";
  return command + "}";
}

std::string history_command(std::string_view channel, const std::optional<ResumePoint>& after, std::uint64_t limit) {
  std::string command = R"({"type":"history","id":2,"channel":)";
  append_json_string(command, channel);
  if (after) {
    command += R"(,"after":)";
    append_point(command, *after);
  }
  command += R"(,"limit":)";
  append_decimal(command, limit);
  return command + "}";
}

}  // namespace ringcast
