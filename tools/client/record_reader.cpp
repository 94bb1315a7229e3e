#include "tools/client/record_reader.hpp"

#include <algorithm>

#include "codec/dialect/native.hpp"
#include "codec/dialect/native_reply.hpp"
#include "codec/hash/base64.hpp"
#include "codec/text/json.hpp"
#include "codec/text/utf8.hpp"

namespace ringcast {
namespace {

std::string base64_of(std::string_view bytes) {
  std::string text(base64_encoded_bytes(bytes.size()), '\0');
  (void)base64_encode(as_bytes(bytes), text);
  return text;
}

}  // namespace

std::string printable(std::string_view data) {
  const bool harmless = is_valid_utf8(data) && std::ranges::none_of(data, [](char c) {
                          const auto byte = static_cast<std::uint8_t>(c);
                          return (byte < 0x20 && c != '\n' && c != '\t' && c != '\r') || byte == 0x7f;
                        });
  return harmless ? std::string{data} : "base64:" + base64_of(data);
}

void RecordReader::begin(std::string_view message) {
  at_ = as_bytes(message).data();
  end_ = at_ + message.size();
}

Result<std::optional<ServerMessage>, std::string_view> RecordReader::next() {
  while (at_ != end_) {
    if (rcb_next(&at_, end_, &record_) != RCB_OK) {
      at_ = end_;
      return unexpected(std::string_view{"no record of the binary dialect"});
    }
    const auto taken = take();
    if (!taken || *taken) return taken;
  }
  return std::optional<ServerMessage>{};
}

/// Nothing: a kind that is not known here.
Result<std::optional<ServerMessage>, std::string_view> RecordReader::take() {
  const rcb_header& header = record_.header;
  message_ = {};
  message_.channel = {record_.channel, header.channel_bytes};
  rcb_gap gap;
  rcb_published published;
  rcb_error error;
  if (header.kind == RCB_MESSAGE) {
    message_.kind = ServerMessage::Kind::message;
    message_.type = "message";
    message_.seq = Sequence{header.seq};
    message_.event = {record_.event, header.event_bytes};
    message_.message_id = {record_.message_id, header.message_id_bytes};
    message_.data = as_text(Bytes{record_.data, record_.data_bytes});
    message_.snapshot = (header.flags & RCB_SNAPSHOT) != 0;
    message_.stored = (header.flags & RCB_STORED) != 0;
    if (const std::uint64_t as_of = rcb_get_as_of(&record_); as_of != 0) message_.as_of = Sequence{as_of};
  } else if (rcb_get_gap(&record_, &gap) == 1) {
    message_.kind = ServerMessage::Kind::gap;
    message_.type = "gap";
    message_.from = Sequence{header.seq};
    message_.to = Sequence{gap.to};
    message_.epoch = Epoch{gap.epoch};
    message_.reason = name_of(static_cast<GapReason>(gap.reason - 1));
    if (header.channel_bytes != 0) name(header.channel_id, message_.channel);  // of a new epoch
  } else if (rcb_get_published(&record_, &published) == 1) {
    request_ = std::to_string(published.request);
    message_.kind = ServerMessage::Kind::published;
    message_.type = "published";
    message_.id = request_;
    message_.seq = Sequence{header.seq};
    message_.epoch = Epoch{published.epoch};
    message_.duplicate = (header.flags & RCB_DUPLICATE) != 0;
    return std::optional{message_};
  } else if (rcb_get_error(&record_, &error) == 1) {
    request_ = std::to_string(error.request);
    message_.kind = ServerMessage::Kind::error;
    message_.type = "error";
    message_.id = request_;
    message_.code = name_of(static_cast<ErrorCode>(error.code - 1));
    message_.words = as_text(Bytes{record_.data, record_.data_bytes});
    return std::optional{message_};
  } else {
    return std::optional<ServerMessage>{};
  }
  const auto channel = channels_.find(header.channel_id);
  if (channel == channels_.end()) return unexpected(std::string_view{"a record of a channel that was not named"});
  message_.channel = channel->second;
  return std::optional{message_};
}

std::string RecordReader::json() const {
  std::string text;
  if (message_.kind == ServerMessage::Kind::gap) {
    const auto reason = static_cast<GapReason>(rcb_get(record_.extra + offsetof(rcb_gap, reason), 4) - 1);
    append_native_gap(text, {.channel = message_.channel,
                             .from = message_.from,
                             .to = message_.to,
                             .reason = reason,
                             .epoch = message_.epoch.value_or(Epoch{})});
    return text;
  }
  if (message_.kind != ServerMessage::Kind::message) return text;
  const bool is_json = is_valid_json(message_.data);
  const std::string data = is_json ? std::string{message_.data} : '"' + base64_of(message_.data) + '"';
  const MessageView view{.channel = message_.channel,
                         .seq = message_.seq,
                         .published_at = WallTime{nanoseconds{static_cast<std::int64_t>(record_.header.time_ns)}},
                         .event = message_.event,
                         .message_id = message_.message_id,
                         .data = data,
                         .snapshot = message_.snapshot,
                         .as_of = message_.as_of.value_or(Sequence{}),
                         .stored = message_.stored};
  text.resize(native_message_size(view));
  (void)write_native_message(view, reinterpret_cast<std::uint8_t*>(text.data()));
  if (!is_json) text.insert(text.size() - data.size() - std::string_view{"\":}"}.size(), "_base64");  // "data":"..."}
  return text;
}

}  // namespace ringcast
