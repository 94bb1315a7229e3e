#include <algorithm>
#include <array>

#include "codec/dialect/exchange.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/numbers.hpp"

namespace ringcast {
namespace {

struct MethodRow {
  std::string_view method;
  CommandKind kind;
  std::size_t params_max;  // of a property method; the others count channels
};
constexpr std::array kMethods{
    MethodRow{"SUBSCRIBE", CommandKind::subscribe, 0},
    MethodRow{"UNSUBSCRIBE", CommandKind::unsubscribe, 0},
    MethodRow{"LIST_SUBSCRIPTIONS", CommandKind::list_subscriptions, 0},
    MethodRow{"SET_PROPERTY", CommandKind::set_property, 2},
    MethodRow{"GET_PROPERTY", CommandKind::get_property, 1},
};
constexpr std::string_view kUnknownMethod =
    "Invalid request: unknown variant, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, "
    "`SET_PROPERTY`, `GET_PROPERTY`";
constexpr std::string_view kTooManyParameters = "Invalid request: too many parameters";
constexpr std::size_t kIdCharactersMax = 36;  // the exchange's own bound for ids that are strings

// The exchange wants an unsigned integer; its newer documents also allow signed ones, short strings and null.
bool is_id(const JsonValue& id) {
  switch (id.kind) {
    case JsonKind::number: return parse_uint64(id.text.starts_with('-') ? id.text.substr(1) : id.text).has_value();
    case JsonKind::string: return id.inside_quotes().size() <= kIdCharactersMax;
    case JsonKind::null: return true;
    default: return false;
  }
}

bool is_empty_array(const JsonValue& value) { return value.kind == JsonKind::array && !ArrayWalk{value.text}.next(); }

}  // namespace

ExchangeDecoder::ExchangeDecoder(ExchangeLimits limits) : items_{limits.channels_max} {}

Result<Command, ExchangeError> ExchangeDecoder::decode(std::string_view text) {
  command_ = {};
  items_.clear();
  const Result<JsonKind, JsonError> kind = reader_.read(text);
  if (!kind) {
    return unexpected(ExchangeError{ExchangeCode::invalid_json, {}, kind.error().sentence});
  }
  if (*kind != JsonKind::object) {
    return unexpected(ExchangeError{ExchangeCode::invalid_request, {}, "Invalid request: it must be a JSON object"});
  }
  if (!read_request()) {
    return unexpected(error_);
  }
  return command_;
}

bool ExchangeDecoder::refuse(std::string_view sentence, ExchangeCode code) {
  error_ = {code, command_.id, sentence};
  return false;
}

bool ExchangeDecoder::read_request() {
  const JsonValue* id = reader_.find("id");
  if (id == nullptr || !is_id(*id)) {
    return refuse("Invalid request: request ID must be an unsigned integer");
  }
  command_.id = id->text;
  const JsonValue* method = reader_.find("method");
  if (method == nullptr) {
    return refuse("Invalid request: missing field `method`");
  }
  if (method->kind != JsonKind::string) {
    return refuse(kUnknownMethod);
  }
  const auto row = std::ranges::find(kMethods, reader_.string_of(*method), &MethodRow::method);
  if (row == kMethods.end()) {
    return refuse(kUnknownMethod);
  }
  command_.kind = row->kind;
  const JsonValue* params = reader_.find("params");
  switch (row->kind) {
    case CommandKind::list_subscriptions:
      return params == nullptr || params->kind == JsonKind::null || is_empty_array(*params) ||
             refuse(kTooManyParameters);
    case CommandKind::set_property:
    case CommandKind::get_property: return read_property(params, row->params_max);
    default: return read_channels(params);
  }
}

bool ExchangeDecoder::read_channels(const JsonValue* params) {
  constexpr std::string_view kSentence = "Invalid request: params must be an array of stream names";
  if (params == nullptr || params->kind != JsonKind::array) {
    return refuse(kSentence);
  }
  for (ArrayWalk walk{params->text}; const std::optional<JsonValue> channel = walk.next();) {
    if (channel->kind != JsonKind::string) {
      return refuse(kSentence);
    }
    if (!add_item(reader_.string_of(*channel))) {
      return false;
    }
  }
  return take_items();
}

bool ExchangeDecoder::add_item(std::string_view channel) {
  const ChannelNameFault fault = check_channel_name(channel);
  if (fault != ChannelNameFault::none) {
    return refuse(sentence_of(fault));
  }
  return items_.add(channel) || refuse(kTooManyParameters);
}

bool ExchangeDecoder::take_items() {
  items_.seal();
  command_.items = items_.items();
  return !command_.items.empty() || refuse("Invalid request: at least one stream must be named");
}

bool ExchangeDecoder::read_property(const JsonValue* params, std::size_t params_max) {
  std::array<std::optional<JsonValue>, 2> values;
  if (params != nullptr && params->kind == JsonKind::array) {
    std::size_t count = 0;
    for (ArrayWalk walk{params->text}; const std::optional<JsonValue> value = walk.next(); ++count) {
      if (count == params_max) {
        return refuse(kTooManyParameters);
      }
      values[count] = value;
    }
  }
  if (!values[0] || values[0]->kind != JsonKind::string) {
    return refuse("Invalid request: property name must be a string");
  }
  command_.property = reader_.string_of(*values[0]);
  if (command_.property != "combined") {
    return refuse("Unknown property", ExchangeCode::unknown_property);
  }
  if (command_.kind == CommandKind::get_property) {
    return true;
  }
  if (!values[1] || values[1]->kind != JsonKind::boolean) {
    return refuse("Invalid value type: expected Boolean", ExchangeCode::invalid_value_type);
  }
  command_.property_value = values[1]->is_true();
  return true;
}

Result<Command, ExchangeError> ExchangeDecoder::decode_streams(std::string_view list) {
  command_ = {};
  command_.kind = CommandKind::subscribe;
  items_.clear();
  if (list.ends_with('/')) {
    list.remove_suffix(1);
  }
  bool more = !list.empty();
  while (more) {
    const std::size_t end = list.find('/');
    if (!add_item(list.substr(0, end))) {
      return unexpected(error_);
    }
    more = end != std::string_view::npos;
    list.remove_prefix(more ? end + 1 : list.size());
  }
  if (!take_items()) {
    return unexpected(error_);
  }
  return command_;
}

}  // namespace ringcast
