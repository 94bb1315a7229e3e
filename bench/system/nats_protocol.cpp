#include "bench/system/nats_protocol.hpp"

#include <array>

#include "codec/text/numbers.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::uint64_t kPayloadBytesMax = 64U << 20;  // the greatest that a server may be configured for

struct KindRow {
  std::string_view word;
  NatsOperation::Kind kind;
};
constexpr std::array kKinds{
    KindRow{"PING", NatsOperation::Kind::ping},   KindRow{"PONG", NatsOperation::Kind::pong},
    KindRow{"INFO", NatsOperation::Kind::info},   KindRow{"+OK", NatsOperation::Kind::ok},
    KindRow{"-ERR", NatsOperation::Kind::error},
};

}  // namespace

std::optional<NatsOperation> next_nats_operation(std::string_view& input) {
  using Kind = NatsOperation::Kind;
  const std::size_t end = input.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = input.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("MSG ")) [[likely]] {
    const auto bytes = parse_uint64(line.substr(line.rfind(' ') + 1));  // MSG subject sid [reply-to] bytes
    const std::size_t begin = end + 1;
    if (bytes && *bytes <= kPayloadBytesMax) {
      if (input.size() < begin + *bytes + kLineEnd.size()) return std::nullopt;
      const NatsOperation message{Kind::message, input.substr(begin, *bytes)};
      if (input.substr(begin + *bytes, kLineEnd.size()) == kLineEnd) {
        input.remove_prefix(begin + *bytes + kLineEnd.size());
        return message;
      }
    }
    input.remove_prefix(begin);
    return NatsOperation{Kind::malformed, line};
  }
  input.remove_prefix(end + 1);
  const std::string_view word = line.substr(0, line.find(' '));
  for (const KindRow& row : kKinds) {
    if (word != row.word) continue;
    return NatsOperation{row.kind, word.size() == line.size() ? std::string_view{} : line.substr(word.size() + 1)};
  }
  return NatsOperation{Kind::malformed, line};
}

}  // namespace ringcast
