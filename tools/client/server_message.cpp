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
    KindRow{"unsubscribed", ServerMessage::Kind::unsubscribed},
    KindRow{"history", ServerMessage::Kind::history},
    KindRow{"channel_state", ServerMessage::Kind::channel_state},
    KindRow{"user_joined", ServerMessage::Kind::user_joined},
    KindRow{"user_left", ServerMessage::Kind::user_left},
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
      const JsonValue* state = reader_.find("state");
      message.snapshot = state != nullptr && state->text == "\"snapshot\"";
      const JsonValue* stored = reader_.find("stored");
      message.stored = stored != nullptr && stored->is_true();
      if (const auto as_of = number_of("as_of_seq")) message.as_of = Sequence{*as_of};
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
    case ServerMessage::Kind::subscribed:
    case ServerMessage::Kind::unsubscribed: {
      const JsonValue* channels = reader_.find("channels");
      if (channels == nullptr || channels->kind != JsonKind::array) {
        return unexpected(std::string_view{"subscribed or unsubscribed without channels"});
      }
      message.channels = channels->text;
      message.pattern = text_of("pattern");
      break;
    }
    case ServerMessage::Kind::history: {
      const JsonValue* messages = reader_.find("messages");
      if (messages == nullptr || messages->kind != JsonKind::array || !seq || !message.epoch) {
        return unexpected(std::string_view{"history without epoch, seq or messages"});
      }
      message.messages = messages->text;
      const JsonValue* more = reader_.find("more");
      message.more = more != nullptr && more->is_true();
      if (const JsonValue* recovered = reader_.find("recovered")) message.recovered = recovered->is_true();
      break;
    }
    case ServerMessage::Kind::channel_state: message.state = text_of("state"); break;
    case ServerMessage::Kind::user_joined:
    case ServerMessage::Kind::user_left: message.user = text_of("user"); break;
    case ServerMessage::Kind::error:
      message.code = text_of("code");
      message.words = text_of("message");
      break;
    case ServerMessage::Kind::welcome:
    case ServerMessage::Kind::other: break;
  }
  return message;
}

/// The entry whose object entries_ has read. False: it is not as the protocol says.
bool ServerMessageReader::read_entry(SubscribedEntry& entry) {
  const JsonValue* channel = entries_.find("channel");
  if (channel == nullptr || channel->kind != JsonKind::string) return false;
  entry.channel = entries_.string_of(*channel);
  if (const JsonValue* pattern = entries_.find("pattern"); pattern != nullptr && pattern->is_true()) {
    const JsonValue* matched = entries_.find("matched");
    const auto count = matched == nullptr ? std::nullopt : parse_uint64(matched->text);
    entry.is_pattern = true;
    entry.matched = count.value_or(0);
    return count.has_value();
  }
  const JsonValue* epoch = entries_.find("epoch");
  const JsonValue* seq = entries_.find("seq");
  if (epoch == nullptr || seq == nullptr || epoch->kind != JsonKind::string) return false;
  const auto incarnation = parse_epoch(epoch->inside_quotes());
  const auto newest = parse_uint64(seq->text);
  if (!incarnation || !newest) return false;
  entry.epoch = *incarnation;
  entry.seq = Sequence{*newest};
  if (const JsonValue* recovered = entries_.find("recovered")) entry.recovered = recovered->is_true();
  if (const JsonValue* state = entries_.find("state"); state != nullptr && state->kind == JsonKind::string) {
    entry.state = state->inside_quotes();
  }
  if (const JsonValue* as_of = entries_.find("as_of_seq")) {
    const auto from = parse_uint64(as_of->text);
    if (!from) return false;
    entry.as_of = Sequence{*from};
  }
  if (const JsonValue* id = entries_.find("channel_id")) {
    const auto number = parse_uint64(id->text);
    if (!number || *number > ~std::uint32_t{0}) return false;
    entry.channel_id = static_cast<std::uint32_t>(*number);
  }
  return true;
}

bool ServerMessageReader::for_each_subscribed(const ServerMessage& message,
                                              const std::function<void(const SubscribedEntry&)>& visit) {
  ArrayWalk walk{message.channels};
  while (const auto element = walk.next()) {
    const auto kind = entries_.read(element->text);
    SubscribedEntry entry;
    if (!kind || *kind != JsonKind::object || !read_entry(entry)) return false;
    visit(entry);
  }
  return true;
}

bool ServerMessageReader::for_each_unsubscribed(const ServerMessage& message,
                                                const std::function<void(std::string_view channel)>& visit) {
  ArrayWalk walk{message.channels};
  while (const auto element = walk.next()) {
    if (element->kind != JsonKind::string) return false;
    visit(reader_.string_of(*element));
  }
  return true;
}

}  // namespace ringcast
