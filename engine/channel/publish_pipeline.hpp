// engine/channel/publish_pipeline.hpp: what happens to a message at its home, on one page:
// dedupe -> sequence -> history -> encode once for each form that is read.
//
// Owner    shard_core, by value.  Thread  the home shard's.
// Memory   the dedupe window, the compressor of packed forms; everything else goes into the channel's history and logs.
// Failure  none: what could be refused (permission, size, room) was refused before; a duplicate is an answer.
// Not here finding the home (channel_router), telling readers (delivery, mesh_port).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "alloc/base/time.hpp"
#include "engine/channel/dedupe.hpp"
#include "engine/channel/deflate_encoder.hpp"
#include "engine/channel/home_channel.hpp"
#include "engine/stats/shard_stats.hpp"

namespace ringcast {

/// A validated publish, on its way to or at its home. Views are the caller's.
struct PublishRequest {
  std::string_view channel;
  std::string_view event;
  std::string_view message_id;
  std::string_view data;          // one valid JSON value, unless `opaque`
  std::uint64_t publisher = 0;    // whose message ids these are
  bool snapshot = false;
  Sequence as_of{};               // snapshot: the state after every message with a smaller seq; 0: its own seq
  bool high = false;              // of high priority
  bool opaque = false;            // data is bytes, for a namespace with payload = "binary"
  Instant received{};             // when its last byte came in, on the shard that received it
};

inline constexpr std::string_view kFutureSnapshotSentence = "as_of_seq lies beyond the channel's newest message";

struct Published {
  Epoch epoch{};
  Sequence seq{};
  bool duplicate = false;  // nothing was sequenced: epoch and seq are the first one's
  std::uint32_t channel_id = 0;
};

class PublishPipeline {
 public:
  PublishPipeline(std::uint32_t dedupe_entries_max, const CompressionOptions& compression, Budget& budget,
                  ShardStats& stats)
      : dedupe_{dedupe_entries_max, budget}, deflate_{compression, budget, stats}, stats_{&stats} {}

  /// Sequences one message and puts it into the channel's history and form logs.
  ///
  /// returns  the seq, exactly one above the last of this epoch; or, for a duplicate, that of the first.
  /// source   protocol.md section 3: "seq counts up by exactly 1".
  Published publish(HomeChannel& channel, const PublishRequest& request, Now now);

  // ---- the same in steps, for messages that are stored between the first and the last (offline) ----

  /// Of a duplicate, what became of the first one.
  [[nodiscard]] std::optional<Published> first_of(const HomeChannel& channel, const PublishRequest& request,
                                                  Instant now);
  /// The message is to have this number: another of its id is a duplicate from now on.
  void remember(const HomeChannel& channel, const PublishRequest& request, Sequence seq, Instant published);
  /// It came to nothing.
  void forget(const HomeChannel& channel, const PublishRequest& request);
  /// Sequences it and puts it into history and form logs, without looking for duplicates.
  Published append(HomeChannel& channel, const PublishRequest& request, Now now);

  /// Other bounds from now on.
  void reconfigure(std::uint32_t dedupe_entries_max, const CompressionOptions& compression) {
    dedupe_.set_entries_max(dedupe_entries_max);
    deflate_.set_threshold(compression.threshold);
  }

 private:
  DedupeWindow dedupe_;
  DeflateEncoder deflate_;
  ShardStats* stats_;
};

}  // namespace ringcast
