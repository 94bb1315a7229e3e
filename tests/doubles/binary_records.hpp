// tests/doubles/binary_records.hpp: records of the binary dialect as a client writes and reads them, for tests.
//
// Owner    the test.  Thread  any.  Memory  strings.  Failure  ensure(): what a server sends are whole records.
// It uses the public header alone, as a client would.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "alloc/base/ensure.hpp"
#include "codec/dialect/ringcast_binary.h"

namespace ringcast {

struct PublishRecord {
  std::string_view channel{}, data{}, event{}, message_id{};
  std::uint64_t request = 0;
  std::uint16_t flags = 0;
  bool has_as_of = false;
  std::uint64_t as_of = 0;
};

[[nodiscard]] inline std::string record_of(const PublishRecord& what) {
  rcb_publication out{};
  out.channel = what.channel.data();
  out.channel_bytes = static_cast<std::uint8_t>(what.channel.size());
  out.event = what.event.data();
  out.event_bytes = static_cast<std::uint8_t>(what.event.size());
  out.message_id = what.message_id.data();
  out.message_id_bytes = static_cast<std::uint8_t>(what.message_id.size());
  out.data = what.data.data();
  out.data_bytes = static_cast<std::uint32_t>(what.data.size());
  out.flags = what.flags;
  out.has_as_of = what.has_as_of ? 1 : 0;
  out.as_of_seq = what.as_of;
  out.request = what.request;
  std::string record(rcb_publish_bytes(&out), '\0');
  rcb_write_publish(reinterpret_cast<std::uint8_t*>(record.data()), &out);
  return record;
}

/// A record that was read, with its texts.
struct ServerRecord {
  rcb_header header{};
  std::string extra, channel, event, message_id, data;
};

[[nodiscard]] inline std::vector<ServerRecord> read_records(std::string_view message) {
  std::vector<ServerRecord> records;
  const std::uint8_t* at = as_bytes(message).data();
  const std::uint8_t* end = at + message.size();
  rcb_record record;
  while (at != end) {
    ensure(rcb_next(&at, end, &record) == RCB_OK, "what a server sends are whole records");
    ServerRecord& read = records.emplace_back();
    read.header = record.header;
    read.extra.assign(reinterpret_cast<const char*>(record.extra), record.header.extra_bytes);
    read.channel.assign(record.channel, record.header.channel_bytes);
    read.event.assign(record.event, record.header.event_bytes);
    read.message_id.assign(record.message_id, record.header.message_id_bytes);
    read.data.assign(reinterpret_cast<const char*>(record.data), record.data_bytes);
  }
  return records;
}

[[nodiscard]] inline std::uint64_t number_at(const ServerRecord& record, std::size_t at, std::size_t bytes) {
  ensure(record.extra.size() >= at + bytes, "an extra is as long as its kind says");
  return rcb_get(as_bytes(record.extra).data() + at, bytes);
}

/// A record in words that tests compare; without its time, its channel's id and its epoch.
[[nodiscard]] inline std::string words_of(const ServerRecord& record) {
  static constexpr std::string_view kReasons[] = {"?", "conflated", "dropped", "expired", "epoch"};
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  const auto more = [](std::string_view name, std::string_view text) {
    return text.empty() ? std::string{} : " " + std::string{name} + "=" + std::string{text};
  };
  switch (record.header.kind) {
    case RCB_MESSAGE:
      return "message " + number(record.header.seq) + more("event", record.event) + more("id", record.message_id) +
             ((record.header.flags & RCB_SNAPSHOT) != 0 ? " snapshot" : "") + " " + record.data;
    case RCB_GAP:
      return "gap " + number(record.header.seq) + " to " + number(number_at(record, 0, 8)) + " " +
             std::string{kReasons[number_at(record, 16, 4)]} + more("channel", record.channel);
    case RCB_PUBLISHED:
      return "published " + number(number_at(record, 0, 8)) + " seq " + number(record.header.seq) +
             ((record.header.flags & RCB_DUPLICATE) != 0 ? " duplicate" : "");
    case RCB_ERROR:
      return "error " + number(number_at(record, 0, 8)) + " code " + number(number_at(record, 8, 4)) +
             more("channel", record.channel) + " " + record.data;
    default: return "kind " + number(record.header.kind);
  }
}
[[nodiscard]] inline std::vector<std::string> words_of(std::string_view message) {
  std::vector<std::string> words;
  for (const ServerRecord& record : read_records(message)) words.push_back(words_of(record));
  return words;
}

}  // namespace ringcast
