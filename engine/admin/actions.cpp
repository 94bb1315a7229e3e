// What changes something: publishing, disconnecting, forgetting, reading the configuration again, ending.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codec/dialect/native.hpp"
#include "codec/hash/xxh3.hpp"
#include "codec/text/json.hpp"
#include "codec/text/pattern.hpp"
#include "engine/admin/answers.hpp"
#include "engine/admin/parameters.hpp"

namespace ringcast {
namespace {

constexpr std::uint16_t kAccepted = 202;
constexpr std::size_t kBroadcastChannelsMax = 100;  // each is a question to a shard, one after the other
constexpr milliseconds kBroadcastTime{10'000};      // for all of them; none is begun after it

AdminAnswer refusal_of(AdminError error) { return refusal(error, sentence_of(error)); }

/// The members of a body but those that the path, or the command that is made of it, says itself.
/// returns  them as the inside of a JSON object, with a comma in front of each; or what is wrong.
Result<std::string, std::string_view> members_of(JsonReader& reader, std::string_view body, bool names_channels) {
  const auto kind = reader.read(body);
  if (!kind) return unexpected(kind.error().sentence);
  if (*kind != JsonKind::object) return unexpected(std::string_view{"the body is a JSON object"});
  std::string members;
  for (const JsonMember& member : reader.members()) {
    if (member.name == "type" || member.name == "id") {
      return unexpected(std::string_view{"the body has no type and no id: the path says what it is"});
    }
    if (member.name == "channel" || member.name == "channels") {
      if (names_channels) continue;
      return unexpected(std::string_view{"the path names the channel"});
    }
    members += ',';
    append_json_string(members, member.name);
    members += ':';
    members += member.value.text;
  }
  return members;
}

/// The channels that a broadcast is for; empty: none is named, or not as they should be.
std::vector<std::string> channels_of(JsonReader& reader) {
  std::vector<std::string> channels;
  if (const JsonValue* one = reader.find("channel"); one != nullptr && one->kind == JsonKind::string) {
    channels.emplace_back(reader.string_of(*one));
  }
  const JsonValue* list = reader.find("channels");
  if (list == nullptr) return channels;
  if (list->kind != JsonKind::array || !channels.empty()) return {};
  for (ArrayWalk walk{list->text}; const auto element = walk.next();) {
    if (element->kind != JsonKind::string || channels.size() == kBroadcastChannelsMax) return {};
    channels.emplace_back(reader.string_of(*element));
  }
  return channels;
}

void write_list(JsonDocument& out, std::string_view name, const std::vector<std::string>& texts) {
  out.open_array(name);
  for (const std::string& text : texts) out.element(text);
  out.close_array();
}

}  // namespace

/// One message to one channel: read as a client's publish is read, sequenced where a client's is sequenced.
AdminAnswers::Outcome AdminAnswers::publish_to(std::string channel, std::string_view members, std::string_view user) {
  Outcome outcome{.channel = std::move(channel), .sentence = {}};
  const auto refuse = [&](AdminError error, std::string_view sentence) {
    outcome.error = error;
    outcome.sentence = sentence;
  };
  if (const auto fault = check_channel_name(outcome.channel); fault != ChannelNameFault::none) {
    refuse(AdminError::invalid_parameter, sentence_of(fault));
    return outcome;
  }
  if (is_pattern(outcome.channel)) {
    refuse(AdminError::invalid_parameter, "a message is published to a name, not to a pattern");
    return outcome;
  }
  if (is_user_channel(outcome.channel) && !is_valid_user_id(outcome.channel.substr(kUserPrefix.size()))) {
    refuse(AdminError::invalid_parameter, "a personal channel names one user");
    return outcome;
  }
  std::string text = R"({"type":"publish","channel":)";
  append_json_string(text, outcome.channel);
  text += members;
  text += '}';
  NativeDecoder decoder;
  const auto command = decoder.decode(text);
  if (!command) {
    refuse(AdminError::invalid_message, command.error().sentence);
    return outcome;
  }
  const auto answer =
      questions_->ask(questions_->home_of(outcome.channel),
                      {.head = {.ask = AdminAsk::publish,
                                .snapshot = command->snapshot ? std::uint8_t{1} : std::uint8_t{0},
                                .high = command->high_priority ? std::uint8_t{1} : std::uint8_t{0},
                                .publisher = hash64(std::string{"admin:"}.append(user)),
                                .as_of = command->has_as_of ? std::max(command->as_of, Sequence{1}) : Sequence{}},
                       .channel = outcome.channel,
                       .event = command->event,
                       .message_id = command->message_id,
                       .data = command->data});
  if (!answer) {
    refuse(answer.error(), sentence_of(answer.error()));
  } else if (answer->head.refused != 0) {
    const AdminError error = admin_error_of(answer->head.code);
    refuse(error, sentence_of(error));
  } else {
    outcome.head = answer->head;
  }
  return outcome;
}

AdminAnswer AdminAnswers::publish(const AdminRequest& request, std::string channel) {
  JsonReader reader;
  const auto members = members_of(reader, request.body, false);
  if (!members) return refusal(AdminError::invalid_message, members.error());
  const Outcome outcome = publish_to(std::move(channel), *members, request.user);
  if (outcome.error) return refusal(*outcome.error, outcome.sentence);
  JsonDocument out;
  out.open_object();
  out.text("channel", outcome.channel);
  std::string epoch;
  append_epoch(epoch, outcome.head.epoch);
  out.text("epoch", epoch);
  out.number("seq", value(outcome.head.seq));
  out.boolean("duplicate", outcome.head.duplicate != 0);
  out.close_object();
  return {.body = out.take()};
}

/// Each channel has its own outcome: what the others are is no reason to hide that it was published here. A shard or a
/// store that is ill may take seconds for each; then the rest is left.
AdminAnswer AdminAnswers::broadcast(const AdminRequest& request) {
  JsonReader reader;
  const auto members = members_of(reader, request.body, true);
  if (!members) return refusal(AdminError::invalid_message, members.error());
  std::vector<std::string> channels = channels_of(reader);
  if (channels.empty()) {
    return refusal(AdminError::invalid_message, "channel is a name, or channels a list of 1 to 100 names");
  }
  std::uint64_t published = 0;
  JsonDocument out;
  out.open_object();
  out.open_array("results");
  std::optional<Outcome> refused;
  const Instant last = questions_->now() + kBroadcastTime;
  for (std::string& channel : channels) {
    Outcome outcome = questions_->now() < last
                          ? publish_to(std::move(channel), *members, request.user)
                          : Outcome{.channel = std::move(channel),
                                    .error = AdminError::overloaded,
                                    .sentence = "those before it took too long; nothing was published here"};
    out.open_object();
    out.text("channel", outcome.channel);
    if (outcome.error) {
      out.open_object("error");
      out.text("code", row_of(*outcome.error).code);
      out.text("message", outcome.sentence);
      out.close_object();
      refused = std::move(outcome);
    } else {
      ++published;
      std::string epoch;
      append_epoch(epoch, outcome.head.epoch);
      out.text("epoch", epoch);
      out.number("seq", value(outcome.head.seq));
      out.boolean("duplicate", outcome.head.duplicate != 0);
    }
    out.close_object();
  }
  out.close_array();
  out.number("published", published);
  out.close_object();
  if (published == 0) return refusal(*refused->error, refused->sentence);
  return {.body = out.take()};
}

AdminAnswer AdminAnswers::disconnect(const Filter& filter, bool one) {
  if (filter.user.size() > kChannelNameBytesMax || filter.channel.size() > kChannelNameBytesMax) {
    return refusal(AdminError::invalid_parameter, "a user or a channel has at most 255 bytes");
  }
  std::uint64_t count = 0;
  for (std::uint32_t shard = 0; shard < questions_->shards(); ++shard) {
    const auto answer = questions_->ask(ShardIndex{static_cast<std::uint16_t>(shard)},
                                        {.head = {.ask = AdminAsk::disconnect, .connection = filter.connection},
                                         .channel = filter.channel,
                                         .user = filter.user});
    if (!answer) return refusal_of(answer.error());
    count += answer->head.count;
    if (one && count != 0) break;
  }
  if (one && count == 0) return refusal_of(AdminError::unknown_connection);
  JsonDocument out;
  out.open_object();
  out.number("disconnected", count);
  out.close_object();
  return {.body = out.take()};
}

AdminAnswer AdminAnswers::clean_up() {
  std::uint64_t forgotten = 0;
  for (std::uint32_t shard = 0; shard < questions_->shards(); ++shard) {
    const auto answer =
        questions_->ask(ShardIndex{static_cast<std::uint16_t>(shard)}, {.head = {.ask = AdminAsk::cleanup}});
    if (!answer) return refusal_of(answer.error());
    forgotten += answer->head.count;
  }
  JsonDocument out;
  out.open_object();
  out.number("channels", forgotten);
  out.close_object();
  return {.body = out.take()};
}

AdminAnswer AdminAnswers::reload(const AdminRequest& request) {
  const auto report = calls_->call([host = host_, who = request.actor] { return host->reload(who); });
  if (!report) return refusal_of(AdminError::busy);
  if (!*report) return refusal(AdminError::not_supported, "this version reads its configuration when it starts");
  const AdminReload& said = **report;
  JsonDocument out;
  out.open_object();
  out.boolean("loaded", said.loaded);
  write_list(out, "changed", said.changed);
  write_list(out, "needs_restart", said.needs_restart);
  write_list(out, "problems", said.problems);
  out.close_object();
  return {.body = out.take()};
}

/// 202: it has begun. The node ends by itself, and this port with it.
AdminAnswer AdminAnswers::drain() {
  if (!calls_->post([host = host_] { host->drain(); })) return refusal_of(AdminError::busy);
  JsonDocument out;
  out.open_object();
  out.boolean("draining", true);
  out.close_object();
  return {.status = kAccepted, .body = out.take()};
}

}  // namespace ringcast
