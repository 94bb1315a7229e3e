#include "tools/client/record_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "codec/dialect/command.hpp"
#include "codec/dialect/native.hpp"
#include "codec/hash/base64.hpp"
#include "codec/text/json.hpp"
#include "codec/text/json_write.hpp"
#include "codec/text/numbers.hpp"
#include "codec/text/utf8.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kUnknown = "unknown";  // a reason or code of a later version

// The numbers of the public header are those of our enums and 1 more, which codec/dialect/binary.cpp asserts.
std::string_view reason_of(std::uint32_t number) {
  return number < RCB_CONFLATED || number > RCB_EPOCH ? kUnknown : name_of(static_cast<GapReason>(number - 1));
}
std::string_view code_of(std::uint32_t number) {
  return number < RCB_INVALID_MESSAGE || number > RCB_NOT_SUPPORTED ? kUnknown
                                                                    : name_of(static_cast<ErrorCode>(number - 1));
}

std::string base64_of(std::string_view bytes) {
  std::string text(base64_encoded_bytes(bytes.size()), '\0');
  (void)base64_encode(as_bytes(bytes), text);
  return text;
}

}  // namespace

std::string terminal_text(std::string_view data) {
  const bool harmless = is_valid_utf8(data) && std::ranges::none_of(data, [](char c) {
                          const auto byte = static_cast<std::uint8_t>(c);
                          return (byte < 0x20 && c != '\n' && c != '\t' && c != '\r') || byte == 0x7f;
                        });
  return harmless ? std::string{data} : "base64:" + base64_of(data);
}

void RecordReader::name(std::uint32_t channel_id, std::string_view channel) {
  forget(channel);  // of another epoch
  channels_[channel_id] = channel;
  ids_[std::string{channel}] = channel_id;
}

void RecordReader::name_all(ServerMessageReader& reader, const ServerMessage& subscribed) {
  (void)reader.for_each_subscribed(subscribed, [this](const SubscribedEntry& entry) {
    if (entry.channel_id != 0) name(entry.channel_id, entry.channel);
  });
}

void RecordReader::forget(std::string_view channel) {
  const auto known = ids_.find(channel);
  if (known == ids_.end()) return;
  channels_.erase(known->second);
  ids_.erase(known);
}

void RecordReader::forget_names() {
  channels_.clear();
  ids_.clear();
}

void RecordReader::begin(std::string_view message) {
  at_ = as_bytes(message).data();
  end_ = at_ + message.size();
}

RecordReader::Next RecordReader::next() {
  while (at_ != end_) {
    if (rcb_next(&at_, end_, &record_) != RCB_OK) {
      at_ = end_;
      return unexpected(std::string_view{"no record of the binary dialect"});
    }
    auto taken = take();
    if (!taken || *taken) return taken;
  }
  return std::optional<ServerMessage>{};
}

/// Nothing: a kind that is not known here.
RecordReader::Next RecordReader::take() {
  const rcb_header& header = record_.header;
  message_ = {};
  rcb_gap gap;
  rcb_published published;
  rcb_error error;
  if (header.kind == RCB_MESSAGE) {
    read_message();
  } else if (rcb_get_gap(&record_, &gap) == 1) {
    read_gap(gap);
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
    message_.channel = {record_.channel, header.channel_bytes};
    message_.code = code_of(error.code);
    message_.words = as_text(Bytes{record_.data, record_.data_bytes});
    return std::optional{message_};
  } else {
    return std::optional<ServerMessage>{};
  }
  const auto channel = channels_.find(header.channel_id);
  if (channel == channels_.end()) {
    at_ = end_;
    return unexpected(std::string_view{"a record of a channel that was not named"});
  }
  message_.channel = channel->second;
  return std::optional{message_};
}

void RecordReader::read_message() {
  const rcb_header& header = record_.header;
  message_.kind = ServerMessage::Kind::message;
  message_.type = "message";
  message_.seq = Sequence{header.seq};
  message_.event = {record_.event, header.event_bytes};
  message_.message_id = {record_.message_id, header.message_id_bytes};
  message_.data = as_text(Bytes{record_.data, record_.data_bytes});
  message_.snapshot = (header.flags & RCB_SNAPSHOT) != 0;
  message_.stored = (header.flags & RCB_STORED) != 0;
  if (const std::uint64_t as_of = rcb_get_as_of(&record_); as_of != 0) message_.as_of = Sequence{as_of};
}

void RecordReader::read_gap(const rcb_gap& gap) {
  const rcb_header& header = record_.header;
  message_.kind = ServerMessage::Kind::gap;
  message_.type = "gap";
  message_.from = Sequence{header.seq};
  message_.to = Sequence{gap.to};
  message_.epoch = Epoch{gap.epoch};
  message_.reason = reason_of(gap.reason);
  if (header.channel_bytes != 0) name(header.channel_id, {record_.channel, header.channel_bytes});  // of a new epoch
}

std::string RecordReader::json() const {
  std::string text;
  if (message_.kind == ServerMessage::Kind::gap) {
    text = R"({"type":"gap","channel":)";
    append_json_string(text, message_.channel);
    text +=
        fmt::format(R"(,"from":{},"to":{},"reason":"{}")", value(message_.from), value(message_.to), message_.reason);
    if (message_.reason == name_of(GapReason::epoch)) {
      text += R"(,"epoch":")";
      append_epoch(text, *message_.epoch);
      text += '"';
    }
    return text + "}";
  }
  if (message_.kind != ServerMessage::Kind::message) return text;
  const bool is_json = is_valid_json(message_.data);
  const std::string data = is_json ? std::string{message_.data} : '"' + base64_of(message_.data) + '"';
  const MessageView view{.channel = message_.channel,
                         .seq = message_.seq,
                         .published_at = WallTime{nanoseconds{static_cast<nanoseconds::rep>(record_.header.time_ns)}},
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
