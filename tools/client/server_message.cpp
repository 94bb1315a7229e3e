#include "tools/client/server_message.hpp"

#include <array>

#include "codec/text/numbers.hpp"

namespace ringcast {
namespace {

struct KindRow {
  std::string_view type;
  ServerMessage::Kind kind;
};
constexpr std::array kKinds{
    KindRow{"message", ServerMessage::Kind::message},
    KindRow{"published", ServerMessage::Kind::published},
    KindRow{"gap", ServerMessage::Kind::gap},
    KindRow{"error", ServerMessage::Kind::error},
    KindRow{"subscribed", ServerMessage::Kind::subscribed},
    KindRow{"welcome", ServerMessage::Kind::welcome},
};

ServerMessage::Kind kind_of(std::string_view type) {
  for (const KindRow& row : kKinds) {
    if (row.type == type) return row.kind;
  }
  return ServerMessage::Kind::other;
}

}  // namespace

std::string_view ServerMessageReader::text_of(std::string_view member) {
  const JsonValue* value = reader_.find(member);
  if (value == nullptr || value->kind != JsonKind::string) return {};
  return reader_.string_of(*value);
}

std::optional<std::uint64_t> ServerMessageReader::number_of(std::string_view member) const {
  const JsonValue* value = reader_.find(member);
  if (value == nullptr || value->kind != JsonKind::number) return std::nullopt;
  return parse_uint64(value->text);
}

Result<ServerMessage, std::string_view> ServerMessageReader::read(std::string_view text) {
  const auto kind = reader_.read(text);
  if (!kind) return unexpected(kind.error().sentence);
  if (*kind != JsonKind::object) return unexpected(std::string_view{"not a JSON object"});
  ServerMessage message;
  message.type = text_of("type");
  message.kind = kind_of(message.type);
  message.channel = text_of("channel");
  if (const JsonValue* id = reader_.find("id")) message.id = id->text;
  if (const JsonValue* epoch = reader_.find("epoch")) message.epoch = parse_epoch(epoch->inside_quotes());
  const auto seq = number_of("seq");
  message.seq = Sequence{seq.value_or(0)};
  switch (message.kind) {
    case ServerMessage::Kind::message: {
      const JsonValue* data = reader_.find("data");
      if (data == nullptr || !seq || message.channel.empty()) {
        return unexpected(std::string_view{"a message without channel, seq or data"});
      }
      message.data = data->text;
      message.event = text_of("event");
      message.timestamp = text_of("timestamp");
      message.message_id = text_of("message_id");
      break;
    }
    case ServerMessage::Kind::published: {
      if (!seq) return unexpected(std::string_view{"published without seq"});
      const JsonValue* duplicate = reader_.find("duplicate");
      message.duplicate = duplicate != nullptr && duplicate->is_true();
      break;
    }
    case ServerMessage::Kind::gap: {
      const auto from = number_of("from"), to = number_of("to");
      if (!from || !to || message.channel.empty())
        return unexpected(std::string_view{"a gap without channel, from or to"});
      message.from = Sequence{*from};
      message.to = Sequence{*to};
      message.reason = text_of("reason");
      break;
    }
    case ServerMessage::Kind::subscribed: {
      const JsonValue* channels = reader_.find("channels");
      if (channels == nullptr || channels->kind != JsonKind::array) {
        return unexpected(std::string_view{"subscribed without channels"});
      }
      message.channels = channels->text;
      break;
    }
    case ServerMessage::Kind::error:
      message.code = text_of("code");
      message.words = text_of("message");
      break;
    case ServerMessage::Kind::welcome:
    case ServerMessage::Kind::other: break;
  }
  return message;
}

bool ServerMessageReader::for_each_subscribed(const ServerMessage& message,
                                              const std::function<void(const SubscribedEntry&)>& visit) {
  ArrayWalk walk{message.channels};
  while (const auto element = walk.next()) {
    const auto kind = entries_.read(element->text);
    if (!kind || *kind != JsonKind::object) return false;
    const JsonValue* channel = entries_.find("channel");
    const JsonValue* epoch = entries_.find("epoch");
    const JsonValue* seq = entries_.find("seq");
    const JsonValue* recovered = entries_.find("recovered");
    if (channel == nullptr || epoch == nullptr || seq == nullptr) return false;
    if (channel->kind != JsonKind::string || epoch->kind != JsonKind::string) return false;
    const auto incarnation = parse_epoch(epoch->inside_quotes());
    const auto newest = parse_uint64(seq->text);
    if (!incarnation || !newest) return false;
    SubscribedEntry entry{entries_.string_of(*channel), *incarnation, Sequence{*newest}, std::nullopt};
    if (recovered != nullptr) entry.recovered = recovered->is_true();
    if (const JsonValue* id = entries_.find("channel_id"); id != nullptr) {
      const auto number = parse_uint64(id->text);
      if (!number || *number > ~std::uint32_t{0}) return false;
      entry.channel_id = static_cast<std::uint32_t>(*number);
    }
    visit(entry);
  }
  return true;
}

}  // namespace ringcast
