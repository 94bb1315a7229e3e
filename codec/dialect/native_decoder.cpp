#include <algorithm>
#include <cstring>
#include <limits>

#include "codec/dialect/native.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/numbers.hpp"
#include "codec/text/pattern.hpp"

namespace ringcast {
namespace {

// The member of that name inside a nested object. False if it is there twice: which one is meant would be a guess.
bool find_once(std::string_view object, std::string_view name, std::optional<JsonValue>& found) {
  found.reset();
  for (ObjectWalk walk{object}; const std::optional<JsonMember> member = walk.next();) {
    if (escaped_equals(member->name, name)) {
      if (found) {
        return false;
      }
      found = member->value;
    }
  }
  return true;
}

std::optional<std::uint64_t> whole_number(const JsonValue& value) {
  return value.kind == JsonKind::number ? parse_uint64(value.text) : std::nullopt;
}

bool is_string(const std::optional<JsonValue>& value) { return value && value->kind == JsonKind::string; }

// {"epoch":"5f3c9a1e07d2b846","seq":41}
std::optional<ResumePoint> read_point(const JsonValue& object) {
  std::optional<JsonValue> epoch_text, seq_text;
  if (object.kind != JsonKind::object || !find_once(object.text, "epoch", epoch_text) ||
      !find_once(object.text, "seq", seq_text) || !is_string(epoch_text) || !seq_text) {
    return std::nullopt;
  }
  const std::optional<Epoch> epoch = parse_epoch(epoch_text->inside_quotes());
  const std::optional<std::uint64_t> seq = whole_number(*seq_text);
  if (!epoch || !seq) {
    return std::nullopt;
  }
  return ResumePoint{*epoch, Sequence{*seq}};
}

constexpr std::string_view kPointSentence =
    "a place to resume from is an object of epoch (16 hexadecimal digits) and seq (a whole number)";

}  // namespace

struct NativeDecoder::TypeRow {
  std::string_view type;
  CommandKind kind;
  bool (NativeDecoder::*read)();
};
const NativeDecoder::TypeRow NativeDecoder::kTypes[] = {
    {"publish", CommandKind::publish, &NativeDecoder::read_publish},
    {"subscribe", CommandKind::subscribe, &NativeDecoder::read_subscribe},
    {"unsubscribe", CommandKind::unsubscribe, &NativeDecoder::read_unsubscribe},
    {"ping", CommandKind::ping, &NativeDecoder::read_ping},
    {"ack", CommandKind::ack, &NativeDecoder::read_ack},
    {"history", CommandKind::history, &NativeDecoder::read_history},
    {"presence", CommandKind::presence, &NativeDecoder::read_presence},
    {"auth", CommandKind::auth, &NativeDecoder::read_auth},
    {"subscription", CommandKind::subscribe, &NativeDecoder::read_subscription},
};

NativeDecoder::NativeDecoder(NativeLimits limits) : items_{limits.channels_max}, resumes_{limits.channels_max} {}

Result<Command, CommandError> NativeDecoder::decode(std::string_view text) {
  command_ = {};
  error_ = {};
  items_.clear();
  resumes_.clear();
  has_pattern_ = false;
  const Result<JsonKind, JsonError> kind = reader_.read(text);
  const bool understood = !kind                       ? refuse(kind.error().sentence)
                          : *kind != JsonKind::object ? refuse("a message must be a JSON object")
                                                      : read_id() && read_kind_and_rest();
  if (!understood) {
    return unexpected(error_);
  }
  return command_;
}

bool NativeDecoder::refuse(std::string_view sentence, std::string_view channel, ErrorCode code) {
  error_ = {code, command_.id, sentence, channel};
  return false;
}

bool NativeDecoder::read_id() {
  const JsonValue* id = reader_.find("id");
  if (id == nullptr) {
    return true;
  }
  if (id->kind != JsonKind::number && id->kind != JsonKind::string) {
    return refuse("id must be a number or a string");
  }
  if (id->text.size() > kIdBytesMax) {
    return refuse("id is too long");
  }
  command_.id = id->text;
  return true;
}

bool NativeDecoder::read_kind_and_rest() {
  const JsonValue* type = reader_.find("type");
  if (type == nullptr) {
    return refuse("a message must have a type");
  }
  if (type->kind != JsonKind::string) {
    return refuse("type must be a string");
  }
  const std::string_view name = reader_.string_of(*type);
  const auto row = std::ranges::find(kTypes, name, &TypeRow::type);
  if (row == std::end(kTypes)) {
    return refuse("the type of the message is not known");
  }
  command_.kind = row->kind;
  return (this->*row->read)();
}

bool NativeDecoder::add_item(std::string_view channel) {
  const ChannelNameFault fault = check_channel_name(channel);
  if (fault != ChannelNameFault::none) {
    return refuse(sentence_of(fault), fault == ChannelNameFault::too_long ? std::string_view{} : channel);
  }
  if (!items_.add(channel)) {
    return refuse("a message names too many channels", {}, ErrorCode::too_many_subscriptions);
  }
  has_pattern_ = has_pattern_ || is_pattern(channel);
  return true;
}

bool NativeDecoder::read_channels(const JsonValue& channels) {
  if (channels.kind != JsonKind::array) {
    return refuse("channels must be an array of channel names");
  }
  for (ArrayWalk walk{channels.text}; const std::optional<JsonValue> channel = walk.next();) {
    if (channel->kind != JsonKind::string) {
      return refuse("channels must be an array of channel names");
    }
    if (!add_item(reader_.string_of(*channel))) {
      return false;
    }
  }
  items_.seal();
  command_.items = items_.items();
  return !command_.items.empty() || refuse("channels must name at least one channel");
}

bool NativeDecoder::read_resume(const JsonValue& resume) {
  if (resume.kind != JsonKind::object) {
    return refuse("resume must be an object of channel names");
  }
  for (ObjectWalk walk{resume.text}; const std::optional<JsonMember> member = walk.next();) {
    const std::optional<ResumePoint> point = read_point(member->value);
    if (!point) {
      return refuse(kPointSentence);
    }
    const std::string_view name = reader_.unescaped(member->name, member->name_has_escapes);
    SubscribeItem* item = items_.find(name);
    if (item == nullptr && has_pattern_ && is_valid_channel_name(name)) {  // perhaps of a channel that a pattern binds
      if (!resumes_.add({.channel = name, .resumes = true, .resume = *point})) {
        return refuse("resume names too many channels", {}, ErrorCode::too_many_subscriptions);
      }
      continue;
    }
    if (item == nullptr) {
      continue;  // not subscribed to by this message: nothing to resume
    }
    if (item->resumes) {
      return refuse("resume names a channel twice", item->channel);
    }
    item->resumes = true;
    item->resume = *point;
  }
  const std::size_t named = resumes_.items().size();
  resumes_.seal();
  command_.resumes = resumes_.items();
  return command_.resumes.size() == named || refuse("resume names a channel twice");
}

bool NativeDecoder::read_options(const JsonValue& options) {
  if (options.kind != JsonKind::object) {
    return refuse("options must be an object");
  }
  std::optional<JsonValue> conflate, max_rate, snapshot;
  if (!find_once(options.text, "conflate", conflate) || !find_once(options.text, "max_rate", max_rate) ||
      !find_once(options.text, "snapshot", snapshot)) {
    return refuse("options name one option twice");
  }
  if ((conflate && conflate->kind != JsonKind::boolean) || (snapshot && snapshot->kind != JsonKind::boolean)) {
    return refuse("the options conflate and snapshot must be true or false");
  }
  if (conflate) {
    command_.options.has_conflate = true;
    command_.options.conflate = conflate->is_true();
  }
  if (snapshot) {
    command_.options.snapshot = snapshot->is_true();
  }
  if (max_rate) {
    const std::optional<std::uint64_t> rate = whole_number(*max_rate);
    if (!rate || *rate == 0 || *rate > std::numeric_limits<std::uint32_t>::max()) {
      return refuse("the option max_rate must be a whole number of messages a second");
    }
    command_.options.max_rate = static_cast<std::uint32_t>(*rate);
  }
  if (max_rate && conflate && !command_.options.conflate) {
    return refuse("the option max_rate leaves messages out, and \"conflate\":false says that none may be");
  }
  return true;
}

bool NativeDecoder::read_subscribe() {
  const JsonValue* channels = reader_.find("channels");
  if (channels == nullptr) {
    const JsonValue* data = reader_.find("data");
    if (data == nullptr || data->kind != JsonKind::object) {
      return refuse("subscribe needs channels");
    }
    return read_legacy_channel("bill:", *data, "bill_id");
  }
  if (!read_channels(*channels)) {
    return false;
  }
  const JsonValue* resume = reader_.find("resume");
  if (resume != nullptr && !read_resume(*resume)) {
    return false;
  }
  const JsonValue* options = reader_.find("options");
  return options == nullptr || read_options(*options);
}

bool NativeDecoder::read_unsubscribe() {
  const JsonValue* channels = reader_.find("channels");
  return channels != nullptr ? read_channels(*channels) : refuse("unsubscribe needs channels");
}

// {"type":"subscription","data":{"action":"subscribe","project_id":"X"}}, as clients of an older server send it.
bool NativeDecoder::read_subscription() {
  const JsonValue* data = reader_.find("data");
  if (data == nullptr || data->kind != JsonKind::object) {
    return refuse("subscription needs data with action and project_id");
  }
  std::optional<JsonValue> action;
  if (!find_once(data->text, "action", action) || !is_string(action)) {
    return refuse("a subscription's action must be \"subscribe\" or \"unsubscribe\"");
  }
  if (escaped_equals(action->inside_quotes(), "unsubscribe")) {
    command_.kind = CommandKind::unsubscribe;
  } else if (!escaped_equals(action->inside_quotes(), "subscribe")) {
    return refuse("a subscription's action must be \"subscribe\" or \"unsubscribe\"");
  }
  return read_legacy_channel("project:", *data, "project_id");
}

bool NativeDecoder::read_legacy_channel(std::string_view prefix, const JsonValue& object, std::string_view member) {
  std::optional<JsonValue> id;
  if (!find_once(object.text, member, id)) {
    return refuse("data names its id twice");
  }
  if (!id || (id->kind != JsonKind::string && !whole_number(*id))) {
    return refuse("data must have an id that is a string or a whole number");
  }
  const std::string_view name = id->kind == JsonKind::string ? reader_.string_of(*id) : id->text;
  if (name.empty()) {
    return refuse("data must have an id that is not empty");
  }
  if (prefix.size() + name.size() > kChannelNameBytesMax) {
    return refuse(sentence_of(ChannelNameFault::too_long));
  }
  char* channel = reader_.spare(prefix.size() + name.size());
  std::memcpy(channel, prefix.data(), prefix.size());
  std::memcpy(channel + prefix.size(), name.data(), name.size());
  if (!add_item({channel, prefix.size() + name.size()})) {
    return false;
  }
  items_.seal();
  command_.items = items_.items();
  return true;
}

bool NativeDecoder::read_channel() {
  const JsonValue* channel = reader_.find("channel");
  if (channel == nullptr || channel->kind != JsonKind::string) {
    return refuse("channel must be the name of a channel");
  }
  const std::string_view name = reader_.string_of(*channel);
  const ChannelNameFault fault = check_channel_name(name);
  if (fault != ChannelNameFault::none) {
    return refuse(sentence_of(fault), fault == ChannelNameFault::too_long ? std::string_view{} : name);
  }
  command_.channel = name;
  return true;
}

bool NativeDecoder::read_string(std::string_view member, std::size_t bytes_max, std::string_view& into,
                                std::string_view sentence) {
  const JsonValue* string = reader_.find(member);
  if (string == nullptr) {
    return true;
  }
  if (string->kind != JsonKind::string) {
    return refuse(sentence, command_.channel);
  }
  into = reader_.string_of(*string);
  return into.size() <= bytes_max || refuse(sentence, command_.channel);
}

bool NativeDecoder::read_publish() {
  std::string_view priority = "normal";
  std::string_view state;
  constexpr std::size_t kWordBytesMax = 16;  // "high", "snapshot": anything longer is no word of ours
  if (!read_channel() ||
      !read_string("event", kEventBytesMax, command_.event, "event must be a string of at most 255 bytes") ||
      !read_string("message_id", kMessageIdBytesMax, command_.message_id,
                   "message_id must be a string of at most 255 bytes") ||
      !read_string("priority", kWordBytesMax, priority, "priority must be \"high\" or \"normal\"") ||
      !read_string("state", kWordBytesMax, state, "state must be \"snapshot\"")) {
    return false;
  }
  if (priority != "high" && priority != "normal") {
    return refuse("priority must be \"high\" or \"normal\"", command_.channel);
  }
  command_.high_priority = priority == "high";
  if (reader_.find("state") != nullptr && state != "snapshot") {
    return refuse("state must be \"snapshot\"", command_.channel);
  }
  command_.snapshot = state == "snapshot";
  if (const JsonValue* as_of = reader_.find("as_of_seq")) {
    const std::optional<std::uint64_t> seq = whole_number(*as_of);
    if (!seq || !command_.snapshot) {
      return refuse("as_of_seq must be a whole number, and goes with \"state\":\"snapshot\"", command_.channel);
    }
    command_.has_as_of = true;
    command_.as_of = Sequence{*seq};
  }
  const JsonValue* data = reader_.find("data");
  if (data == nullptr) {
    return refuse("publish needs data", command_.channel);
  }
  command_.data = data->text;
  return true;
}

bool NativeDecoder::read_history() {
  if (!read_channel()) {
    return false;
  }
  if (const JsonValue* after = reader_.find("after")) {
    const std::optional<ResumePoint> point = read_point(*after);
    if (!point) {
      return refuse(kPointSentence, command_.channel);
    }
    command_.has_after = true;
    command_.after = *point;
  }
  return read_limit("limit must be a whole number of messages");
}

bool NativeDecoder::read_limit(std::string_view sentence) {
  if (const JsonValue* limit = reader_.find("limit")) {
    const std::optional<std::uint64_t> number = whole_number(*limit);
    if (!number || *number == 0 || *number > std::numeric_limits<std::uint32_t>::max()) {
      return refuse(sentence, command_.channel);
    }
    command_.limit = static_cast<std::uint32_t>(*number);
  }
  return true;
}

// {"channel":"orders"}, {"user":"42"} or {"user":"*"}; "after" and "limit" choose the page.
bool NativeDecoder::read_presence() {
  const JsonValue* user = reader_.find("user");
  if (user == nullptr) {
    if (!read_channel()) {
      return false;
    }
  } else {
    if (reader_.find("channel") != nullptr) {
      return refuse("presence is of a channel or of a user, not of both");
    }
    if (user->kind != JsonKind::string) {
      return refuse("user must be a user's id, or \"*\"");
    }
    command_.user = reader_.string_of(*user);
    if (command_.user != "*" && !is_valid_user_id(command_.user)) {
      return refuse("user must be a user's id, or \"*\"");
    }
  }
  return read_string("after", kChannelNameBytesMax, command_.after_name,
                     "after must be the last name of the page before") &&
         read_limit("limit must be a whole number of names");
}

bool NativeDecoder::read_ack() {
  if (!read_channel()) {
    return false;
  }
  const JsonValue* seq = reader_.find("seq");
  const std::optional<std::uint64_t> number = seq != nullptr ? whole_number(*seq) : std::nullopt;
  if (!number) {
    return refuse("ack needs seq, a whole number", command_.channel);
  }
  command_.acknowledged = Sequence{*number};
  return true;
}

bool NativeDecoder::read_auth() {
  const JsonValue* token = reader_.find("token");
  if (token == nullptr || token->kind != JsonKind::string || token->text.size() <= 2) {
    return refuse("auth needs a token, a string");
  }
  command_.token = reader_.string_of(*token);
  return true;
}

bool NativeDecoder::read_ping() { return true; }

}  // namespace ringcast
