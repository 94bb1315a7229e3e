// tools/load/feed_verifier.hpp: a captured feed over the exchange dialect: every message of every stream, byte for
// byte.
//
// Owner    a SubscriberThread.  Thread  its; the Feed is shared and never changes.
// Memory   about 100 bytes a subscription.
// Failure  counted; see verifier.hpp.
//
// The dialect carries no seq. What a subscriber must receive next is known, though: it is compared with the file, which
// is stronger than a hash and says where the first difference lies. Depth updates are also followed by the exchange's
// own ids, so that their continuity does not rest on our idea of the file.
//
// Who leaves compressed messages packed (--inflate) has one stream, so that each is the next one of it or is lost: that
// is counted, not compared. What arrives unpacked in between is compared, and finds a count that went astray.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "codec/capture/depth_continuity.hpp"
#include "tools/load/feed.hpp"
#include "tools/load/plan.hpp"
#include "tools/load/sequence_check.hpp"
#include "tools/load/verifier.hpp"
#include "tools/replay_schedule.hpp"

namespace ringcast {

/// When each message is due.
struct FeedClock {
  std::atomic<std::int64_t> start{
      0};  // ns of CLOCK_MONOTONIC: the first message's due time; written by main before publishing
  Speed speed;

  [[nodiscard]] Instant due(nanoseconds received) const {
    return ReplaySchedule{speed, WallTime{}, Instant{nanoseconds{start.load(std::memory_order_acquire)}}}.due(
        WallTime{received});
  }
};

/// Another server's readers derive from it and say how they join.
class FeedVerifier : public Verifier {
 public:
  FeedVerifier(const LoadPlan& plan, std::span<const PlannedConnection> connections, const Feed& feed,
               const FeedClock& clock);

  [[nodiscard]] std::string greeting(std::uint32_t index) const override;
  [[nodiscard]] std::string target(std::uint32_t index, std::string_view query) const override;
  Taken take(std::uint32_t index, std::string_view text, Instant now) override;
  bool take_packed(std::uint32_t index, Instant now) override;
  void left(std::uint32_t index) override;
  void publishing_ended(const std::vector<std::uint64_t>& published) override;
  [[nodiscard]] std::uint64_t behind(const std::vector<bool>& open) const override;
  void settle(const std::vector<bool>& open) override;

 protected:
  /// What a connection is told before its first message. Taken::joined: it has its streams.
  virtual Taken take_reply(std::uint32_t index, std::string_view text);
  [[nodiscard]] std::vector<std::string> streams_of(std::uint32_t index) const;

 private:
  struct Subscription {
    std::uint32_t target = 0;
    std::uint64_t delivered = 0;
    SequenceCheck order;  // of the place in the stream, from 1
    DepthContinuity depth;
  };
  struct Member {
    bool joined = false;
    std::vector<Subscription> subscriptions;
  };
  void take_payload(std::uint32_t index, Subscription& subscription, std::string_view payload, Instant now);
  [[nodiscard]] std::uint64_t place_of(const Subscription& subscription, std::string_view payload) const;
  [[nodiscard]] Tally& tally_of(std::uint32_t index) { return connections_[index].slow ? slow_ : ordinary_; }

  const LoadPlan& plan_;
  std::span<const PlannedConnection> connections_;
  const Feed& feed_;
  const FeedClock& clock_;
  std::vector<std::string> envelopes_;  // by target: {"stream":"x","data":
  std::vector<Member> members_;         // by connection
  std::vector<std::uint64_t> published_;
};

}  // namespace ringcast
