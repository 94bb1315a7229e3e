// What shards are asked: connections, channels, subscribers, history. Pages begin at a shard and a slot.
#include <algorithm>
#include <string>
#include <utility>

#include "codec/dialect/command.hpp"
#include "codec/text/ip_address.hpp"
#include "engine/admin/answers.hpp"
#include "engine/admin/parameters.hpp"

namespace ringcast {
namespace {

constexpr std::uint32_t kRowsDefault = 100;
constexpr std::string_view kBadLimit = "limit is a number from 1 to 1000";
constexpr std::string_view kBadCursor = "cursor is one that an answer gave";
constexpr std::string_view kTooLargeToShow =
    "the message is larger than what the admin port is made for: it was stored when limits.message_bytes was larger";
constexpr std::string_view kBadAfter = "after is written <epoch>:<seq>, 16 hexadecimal digits and a number";

std::string peer_text(const AdminConnectionRow& row) {
  if (row.port == 0) return "unix";
  const std::string address = to_text(row.address);
  const bool bracketed = address.find(':') != std::string::npos;
  return (bracketed ? "[" + address + "]" : address) + ":" + std::to_string(row.port);
}

std::string hexadecimal(std::uint64_t number) {
  std::string text;
  append_epoch(text, Epoch{number});
  return text;
}

void write_connection(JsonDocument& out, const AdminConnectionRow& row, std::string_view user, std::uint32_t shard) {
  constexpr std::int64_t kNsPerMs = 1'000'000;
  out.open_object();
  out.text("id", hexadecimal(row.id));
  if (user.empty()) {
    out.raw("user", "null");
  } else {
    out.text("user", user);
  }
  out.number("shard", shard);
  out.text("peer", peer_text(row));
  out.text("dialect", name_of(row.dialect));
  out.time("opened", static_cast<std::uint64_t>(row.opened_ns));
  out.number("subscriptions", row.subscriptions);
  out.number("sent_bytes", row.sent_bytes);
  out.number("charged_bytes", row.charged_bytes);
  out.number("lag_messages", row.lag_messages);
  out.number("lag_bytes", row.lag_bytes);
  out.number("lag_ms", static_cast<std::uint64_t>(row.lag_ns / kNsPerMs));
  out.boolean("slow", row.slow != 0);
  out.boolean("compressed", row.compressed != 0);
  out.boolean("stalled", row.stalled != 0);
  out.close_object();
}

void write_channel_members(JsonDocument& out, const AdminChannelRow& row, std::string_view name, std::string_view match,
                           std::uint32_t shard) {
  out.text("channel", name);
  out.text("namespace", match);
  out.number("shard", shard);
  out.text("epoch", hexadecimal(value(row.epoch)));
  out.number("seq", value(row.seq));
  out.number("kept_messages", row.messages);
  out.number("kept_bytes", row.bytes);
}

AdminAnswer refusal_of(AdminError error) { return refusal(error, sentence_of(error)); }

}  // namespace

Result<AdminAnswers::Paging, std::string_view> AdminAnswers::read_paging(std::string_view query) {
  Paging paging{.limit = kRowsDefault};
  if (const auto text = parameter(query, "limit")) {
    const auto limit = parse_uint64(*text);
    if (!limit || *limit == 0 || *limit > kAdminRowsMax) return unexpected(kBadLimit);
    paging.limit = static_cast<std::uint32_t>(*limit);
  }
  if (const auto text = parameter(query, "cursor")) {
    const std::size_t dash = text->find('-');
    if (dash == std::string::npos) return unexpected(kBadCursor);
    const auto shard = parse_uint64(std::string_view{*text}.substr(0, dash));
    const auto slot = parse_uint64(std::string_view{*text}.substr(dash + 1));
    if (!shard || !slot || *shard >= questions_->shards() || *slot >= Handle::kNone) return unexpected(kBadCursor);
    paging.from = {.shard = static_cast<std::uint32_t>(*shard), .slot = static_cast<std::uint32_t>(*slot)};
  }
  return paging;
}

/// Asks shard after shard until the page is full, and writes where the next one begins. add_row(rows, shard) takes one.
template <class AddRow>
std::optional<AdminError> AdminAnswers::ask_pages(AdminQuestion question, Paging paging, JsonDocument& out,
                                                  AddRow&& add_row) {
  Place at = paging.from;
  std::uint32_t left = paging.limit;
  while (at.shard < questions_->shards() && left != 0) {
    question.head.from = at.slot;
    question.head.limit = left;
    const auto answer = questions_->ask(ShardIndex{static_cast<std::uint16_t>(at.shard)}, question);
    if (!answer) return answer.error();
    AdminRows rows{answer->body};
    for (std::uint32_t i = 0; i < answer->head.rows; ++i) add_row(rows, at.shard);
    left -= std::min(left, answer->head.rows);
    at = answer->head.next != 0 ? Place{at.shard, answer->head.next} : Place{at.shard + 1, 0};
  }
  out.close_array();
  if (at.shard < questions_->shards()) {
    out.text("cursor", std::to_string(at.shard) + "-" + std::to_string(at.slot));
  } else {
    out.raw("cursor", "null");
  }
  return std::nullopt;
}

AdminAnswer AdminAnswers::list_connections(const AdminRequest& request, Filter filter, std::string_view name) {
  const auto paging = read_paging(request.query);
  if (!paging) return refusal(AdminError::invalid_parameter, paging.error());
  const auto slow = flag(request.query, "slow");
  if (!slow) return refusal(AdminError::invalid_parameter, "slow is 1 or 0");
  const std::string user = parameter(request.query, "user").value_or("");
  std::string channel{filter.channel};  // of the path, which no query changes
  if (channel.empty()) channel = parameter(request.query, "channel").value_or("");
  if (user.size() > kChannelNameBytesMax || channel.size() > kChannelNameBytesMax) {
    return refusal(AdminError::invalid_parameter, "a user or a channel has at most 255 bytes");
  }
  AdminQuestion question{.head = {.ask = AdminAsk::connections,
                                  .slow_only = *slow || filter.slow_only ? std::uint8_t{1} : std::uint8_t{0}},
                         .channel = channel,
                         .user = user};
  JsonDocument out;
  out.open_object();
  out.open_array(name);
  const auto failed = ask_pages(question, *paging, out, [&](AdminRows& rows, std::uint32_t shard) {
    const auto row = rows.row<AdminConnectionRow>();
    write_connection(out, row, rows.text(row.user_bytes), shard);
  });
  if (failed) return refusal_of(*failed);
  out.close_object();
  return {.body = out.take()};
}

Result<bool, AdminError> AdminAnswers::knows(std::string_view channel) {
  if (!is_valid_channel_name(channel)) return false;
  const auto answer =
      questions_->ask(questions_->home_of(channel), {.head = {.ask = AdminAsk::channel}, .channel = channel});
  if (!answer) return unexpected(answer.error());
  return answer->head.rows != 0;
}

AdminAnswer AdminAnswers::list_subscribers(const AdminRequest& request) {
  const auto known = knows(request.match.argument);
  if (!known) return refusal_of(known.error());
  if (!*known) return refusal_of(AdminError::unknown_channel);
  return list_connections(request, {.channel = request.match.argument}, "subscribers");
}

AdminAnswer AdminAnswers::count_connections(const Filter& filter, std::string_view name, std::string_view subject) {
  if (filter.user.size() > kChannelNameBytesMax || filter.channel.size() > kChannelNameBytesMax) {
    return refusal(AdminError::invalid_parameter, "a user or a channel has at most 255 bytes");
  }
  std::uint64_t count = 0;
  for (std::uint32_t shard = 0; shard < questions_->shards(); ++shard) {
    const auto answer = questions_->ask(
        ShardIndex{static_cast<std::uint16_t>(shard)},
        {.head = {.ask = AdminAsk::connections, .count_only = 1}, .channel = filter.channel, .user = filter.user});
    if (!answer) return refusal_of(answer.error());
    count += answer->head.count;
  }
  JsonDocument out;
  out.open_object();
  if (!name.empty()) out.text(name, subject);
  out.number("count", count);
  out.close_object();
  return {.body = out.take()};
}

AdminAnswer AdminAnswers::list_channels(const AdminRequest& request) {
  const auto paging = read_paging(request.query);
  if (!paging) return refusal(AdminError::invalid_parameter, paging.error());
  JsonDocument out;
  out.open_object();
  out.open_array("channels");
  const auto failed =
      ask_pages({.head = {.ask = AdminAsk::channels}}, *paging, out, [&](AdminRows& rows, std::uint32_t shard) {
        const auto row = rows.row<AdminChannelRow>();
        const std::string_view name = rows.text(row.name_bytes);
        out.open_object();
        write_channel_members(out, row, name, rows.text(row.match_bytes), shard);
        out.close_object();
      });
  if (failed) return refusal_of(*failed);
  out.close_object();
  return {.body = out.take()};
}

AdminAnswer AdminAnswers::answer_channel(const AdminRequest& request) {
  const std::string& name = request.match.argument;
  if (!is_valid_channel_name(name)) return refusal_of(AdminError::unknown_channel);
  const ShardIndex home = questions_->home_of(name);
  JsonDocument out;
  out.open_object();
  std::uint64_t readers = 0;
  bool known = false;
  for (std::uint32_t i = 0; i < questions_->shards(); ++i) {
    const ShardIndex shard{static_cast<std::uint16_t>(i)};
    const auto answer = questions_->ask(shard, {.head = {.ask = AdminAsk::channel}, .channel = name});
    if (!answer) return refusal_of(answer.error());
    readers += answer->head.count;
    if (shard != home || answer->head.rows == 0) continue;
    known = true;
    AdminRows rows{answer->body};
    const auto row = rows.row<AdminChannelRow>();
    const std::string_view said = rows.text(row.name_bytes);
    write_channel_members(out, row, said, rows.text(row.match_bytes), i);
    out.number("channel_id", row.channel_id);
  }
  if (!known) return refusal_of(AdminError::unknown_channel);
  out.number("readers", readers);
  out.close_object();
  return {.body = out.take()};
}

/// The reply that a client would get, as it stands.
AdminAnswer AdminAnswers::answer_history(const AdminRequest& request) {
  const std::string& name = request.match.argument;
  const auto paging = read_paging(request.query);
  if (!paging) return refusal(AdminError::invalid_parameter, paging.error());
  AdminQuestion question{.head = {.ask = AdminAsk::history, .limit = paging->limit}, .channel = name};
  if (const auto after = parameter(request.query, "after")) {
    const std::string_view text{*after};
    const std::size_t colon = std::min(text.find(':'), text.size());
    const auto epoch = parse_epoch(text.substr(0, colon));
    const auto seq = parse_uint64(text.substr(std::min(colon + 1, text.size())));
    if (!epoch || !seq) return refusal(AdminError::invalid_parameter, kBadAfter);
    question.head.has_after = 1;
    question.head.after = {.epoch = *epoch, .seq = Sequence{*seq}};
  }
  if (!is_valid_channel_name(name)) return refusal_of(AdminError::unknown_channel);
  auto answer = questions_->ask(questions_->home_of(name), question);
  if (!answer) return refusal_of(answer.error());
  if (answer->head.refused != 0) {
    if (answer->head.code == ErrorCode::message_too_large) return refusal(AdminError::not_supported, kTooLargeToShow);
    return refusal_of(admin_error_of(answer->head.code));
  }
  return {.body = std::move(answer->body)};
}

}  // namespace ringcast
