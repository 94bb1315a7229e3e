// tests/doubles/store_lane_end.hpp: a shard's end of its lane to the offline store, played by a test: asks for things,
// and says in words what is answered.
//
// Owner    the test.  Thread  the shard's, which is the test's.  Memory  none.
// Failure  a lane without room says so; a record that makes no sense: ensure().
// Not here what a shard makes of an answer (offline/durable_channels).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "engine/offline/message_store.hpp"
#include "engine/offline/store_lane.hpp"
#include "engine/offline/store_records.hpp"
#include "tests/doubles/store_directory.hpp"

namespace ringcast {

class StoreLaneEnd {
 public:
  static constexpr Handle kHome{.slot = 5, .generation = 1};
  static constexpr Epoch kEpoch{7};

  explicit StoreLaneEnd(StoreLane& lane) : lane_{&lane} {}

  // ---- requests; false: the lane has no room ----

  bool ask(const StoreMessage& header, std::string_view channel, Bytes record) {
    StoreMessage message = header;
    message.channel_bytes = static_cast<std::uint8_t>(channel.size());
    message.record_bytes = static_cast<std::uint32_t>(record.size());
    return put(message, std::string{channel}.append(as_text(record)));
  }
  /// data  its payload; empty: its number.
  bool keep(std::string_view channel, std::uint64_t seq, WallTime published, std::uint32_t generation = 0,
            std::string_view data = {}) {
    const auto record = record_of(data.empty() ? std::to_string(seq) : std::string{data}, published);
    return ask({.home = kHome,
                .generation = generation,
                .epoch = kEpoch,
                .seq = Sequence{seq},
                .published_ns = published.time_since_epoch().count()},
               channel, record);
  }
  bool settle(std::string_view channel, std::uint64_t done, std::uint32_t generation = 0) {
    return put(StoreSettle{.channel_bytes = static_cast<std::uint8_t>(channel.size()),
                           .generation = generation,
                           .home = kHome,
                           .epoch = kEpoch,
                           .done = Sequence{done},
                           .floor = Sequence{done + 1}},
               channel);
  }
  bool load(std::string_view channel, std::uint64_t after = 0) {
    return put(
        StoreLoad{.channel_bytes = static_cast<std::uint8_t>(channel.size()), .home = kHome, .after = Sequence{after}},
        channel);
  }

  // ---- answers ----

  /// The oldest one that was not read, in words: "stored 3", "done 2", "refused, of generation 0", "now full",
  /// "loaded next 3 done 1 2:data", with " more" behind it if another page follows, "unknown", "failed".
  std::optional<std::string> answer() {
    StoreRing& ring = lane_->answers;
    const Bytes record = ring.peek();
    if (record.empty()) return std::nullopt;
    std::string text = in_words(record);
    ring.pop();
    ring.release();
    return text;
  }

 private:
  template <class Header>
  bool put(const Header& header, std::string_view texts) {
    StoreRing& ring = lane_->requests;
    const MutableBytes room = ring.reserve(sizeof header + texts.size());
    if (room.empty()) return false;
    RecordWriter record{room, header};
    record.put(texts);
    ring.commit();
    ring.publish();
    return true;
  }

  static std::string in_words(Bytes record) {
    switch (answer_kind_of(record)) {
      case StoreAnswerKind::loaded: return page_in_words(record);
      case StoreAnswerKind::stored: {
        const auto stored = ringcast::load<StoreStored>(record.data());
        if (value(stored.seq) != 0) return "stored " + std::to_string(value(stored.seq));
        return "done " + std::to_string(value(stored.done));
      }
      case StoreAnswerKind::refused:
        return "refused, of generation " + std::to_string(ringcast::load<StoreRefused>(record.data()).generation);
      case StoreAnswerKind::state:
        return "now " + std::string{name_of(ringcast::load<StoreStateChanged>(record.data()).state)};
    }
    ensure(false, "an answer is one of four kinds");
    return {};
  }
  static std::string page_in_words(Bytes record) {
    const auto loaded = ringcast::load<StoreLoaded>(record.data());
    std::string text = loaded.failed != 0 ? "failed" : loaded.known == 0 ? "unknown" : "loaded";
    if (loaded.known != 0) {
      text += " next " + std::to_string(value(loaded.next)) + " done " + std::to_string(value(loaded.done));
    }
    StorePage page;
    page.bytes.assign(record.begin() + sizeof loaded, record.end());
    page.messages = loaded.messages;
    for (const std::string& message : messages_of(page)) text += " " + message;
    return text + (loaded.more != 0 ? " more" : "");
  }

  StoreLane* lane_;
};

}  // namespace ringcast
