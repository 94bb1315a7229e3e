// engine/offline/store_records.hpp: what a shard and the offline store say to each other.
//
// Thread   requests are written by the shard and read by the bridge, answers the other way round.
// Memory   the lane's (store_lane.hpp).  Failure  ensure(): both ends are this program.
// Not here what a request leads to (store_service), what an answer does (durable_channels).
//
// A record is one of these headers and the texts or bytes that it counts, one behind the other. A channel is named by
// its home's handle, which the answer gives back, and by its name, under which the store keeps it.
#pragma once

#include <cstdint>
#include <string_view>

#include "alloc/base/bytes.hpp"
#include "alloc/base/identifiers.hpp"
#include "alloc/base/record.hpp"
#include "alloc/base/time.hpp"

namespace ringcast {

/// What the store can do now.
enum class StoreState : std::uint8_t {
  good,
  full,     // no room on its disk, or its file is as large as it may grow
  failing,  // its file cannot be written or read
  lost,     // its file was moved or deleted, or another one stands in its place
  damaged,  // what its file says makes no sense
  end,
};
[[nodiscard]] constexpr std::string_view name_of(StoreState state) {
  switch (state) {
    case StoreState::good: return "good";
    case StoreState::full: return "full";
    case StoreState::failing: return "failing";
    case StoreState::lost: return "lost";
    case StoreState::damaged: return "damaged";
    case StoreState::end: break;
  }
  return "unknown";
}
/// What a publisher is told.
[[nodiscard]] constexpr std::string_view refusal_of(StoreState state) {
  switch (state) {
    case StoreState::good: return "the message could not be stored, and was not sent to anybody";
    case StoreState::full: return "the offline store is full: the message was not stored, and not sent to anybody";
    case StoreState::failing:
      return "the offline store cannot be written: the message was not stored, and not sent to anybody";
    case StoreState::lost: return "the offline store is gone: the message was not stored, and not sent to anybody";
    case StoreState::damaged:
      return "the offline store is damaged: the message was not stored, and not sent to anybody";
    case StoreState::end: break;
  }
  return "the message could not be stored";
}

enum class StoreRequestKind : std::uint8_t {
  load,     // what is kept of this channel, from after `after` on: one page; answered by loaded
  message,  // keep this; answered by stored or refused
  settle,   // messages up to `done` are done with, those before `floor` are not kept any more; answered likewise
};

struct StoreLoad {
  StoreRequestKind kind = StoreRequestKind::load;
  std::uint8_t channel_bytes = 0;
  std::uint8_t reserved[6]{};
  Handle home{};
  Sequence after{};
};
struct StoreMessage {
  StoreRequestKind kind = StoreRequestKind::message;
  std::uint8_t channel_bytes = 0;
  std::uint8_t reserved[2]{};
  std::uint32_t record_bytes = 0;  // the message as it lies in history (channel/stored_message.hpp)
  Handle home{};
  std::uint32_t generation = 0;  // of this shard's requests; one more after each that was refused
  std::uint32_t reserved_too = 0;
  Epoch epoch{};
  Sequence seq{};
  Sequence done{};
  Sequence floor{};
  std::int64_t published_ns = 0;  // since the Unix epoch
  std::uint64_t publisher = 0;
};
struct StoreSettle {
  StoreRequestKind kind = StoreRequestKind::settle;
  std::uint8_t channel_bytes = 0;
  std::uint8_t reserved[2]{};
  std::uint32_t generation = 0;
  Handle home{};
  Epoch epoch{};
  Sequence done{};
  Sequence floor{};
};

enum class StoreAnswerKind : std::uint8_t {
  loaded,   // a page of kept messages, or that they cannot be read
  stored,   // a transaction with this message, or this settlement, is committed
  refused,  // nothing of this request was kept, nor of any later one of this generation
  state,    // the store's state has changed
};

struct StoreLoaded {
  StoreAnswerKind kind = StoreAnswerKind::loaded;
  std::uint8_t failed = 0;
  std::uint8_t known = 0;      // the store has the channel; else epoch, next and done mean nothing
  std::uint8_t more = 0;       // another page follows
  std::uint32_t messages = 0;  // each a StoreLoadedMessage and its record
  Handle home{};
  Epoch epoch{};
  Sequence next{};  // what the channel's next message is numbered
  Sequence done{};
};
struct StoreLoadedMessage {
  Sequence seq{};
  std::int64_t published_ns = 0;
  std::uint64_t publisher = 0;
  std::uint32_t record_bytes = 0;
  std::uint32_t reserved = 0;
};
struct StoreStored {
  StoreAnswerKind kind = StoreAnswerKind::stored;
  std::uint8_t reserved[3]{};
  std::uint32_t generation = 0;
  Handle home{};
  Sequence seq{};  // of the message; 0: it was a settlement
  Sequence done{};
};
struct StoreRefused {
  StoreAnswerKind kind = StoreAnswerKind::refused;
  StoreState state{};  // why
  std::uint8_t reserved[2]{};
  std::uint32_t generation = 0;
  Handle home{};
};
struct StoreStateChanged {
  StoreAnswerKind kind = StoreAnswerKind::state;
  StoreState state{};
  std::uint8_t reserved[6]{};
};

[[nodiscard]] inline StoreRequestKind request_kind_of(Bytes record) { return static_cast<StoreRequestKind>(record[0]); }
[[nodiscard]] inline StoreAnswerKind answer_kind_of(Bytes record) { return static_cast<StoreAnswerKind>(record[0]); }

}  // namespace ringcast
