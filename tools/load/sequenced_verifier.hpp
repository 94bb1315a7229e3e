// tools/load/sequenced_verifier.hpp: synthetic messages in a dialect that numbers them: every seq, every counter, every
// byte.
//
// Owner    a SubscriberThread.  Thread  its.
// Memory   about 180 bytes a subscription.
// Failure  counted; see verifier.hpp.
// Not here what a message looks like: native_verifier.hpp and binary_verifier.hpp derive from this. Replies are JSON in
//          both.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tools/client/server_message.hpp"
#include "tools/load/payload.hpp"
#include "tools/load/plan.hpp"
#include "tools/load/sequence_check.hpp"
#include "tools/load/verifier.hpp"

namespace ringcast {

/// The newest seq of each channel before we published anything; shared by all threads.
class ChannelBases {
 public:
  explicit ChannelBases(std::size_t targets) : bases_(targets) {}
  /// The first to say it wins. False: another said something else, so somebody else publishes there.
  [[nodiscard]] bool agree(std::uint32_t target, std::uint64_t seq) {
    std::uint64_t unset = 0;
    return bases_[target].compare_exchange_strong(unset, seq + 1) || unset == seq + 1;
  }
  [[nodiscard]] std::uint64_t of(std::uint32_t target) const { return bases_[target].load() - 1; }

 private:
  std::vector<std::atomic<std::uint64_t>> bases_;  // seq + 1; 0 is unset
};

/// What a thread's verifier is made of.
struct SequencedParts {
  const LoadPlan& plan;
  std::span<const PlannedConnection> connections;  // this thread's
  std::uint32_t payload_bytes = 0;
  ChannelBases& bases;
  const std::atomic<bool>& publishing;            // set once publishing has begun: who joins later begins in the middle
  const std::atomic<std::int64_t>& measure_from;  // ns of CLOCK_MONOTONIC; messages due earlier are not timed
  bool resumes = false;  // who left and comes back goes on where it was: one account over all its connections
};

class SequencedVerifier : public Verifier {
 public:
  explicit SequencedVerifier(const SequencedParts& parts);

  [[nodiscard]] std::string greeting(std::uint32_t index) const override;
  [[nodiscard]] std::string target(std::uint32_t index, std::string_view query) const override;
  void left(std::uint32_t index) override;
  void publishing_ended(const std::vector<std::uint64_t>& published) override;
  [[nodiscard]] std::uint64_t behind(const std::vector<bool>& open) const override;
  void settle(const std::vector<bool>& open) override;

 protected:
  struct Subscription {
    std::uint32_t target = 0;
    bool joined = false;
    bool away = false;  // left, and will go on: its account is open
    Epoch epoch{};
    std::uint64_t joined_seq = 0;
    std::uint64_t untimed = 0;  // up to this seq: published while it was away
    std::uint64_t delivered = 0;
    SequenceCheck seq;
    std::vector<SequenceCheck> counters;  // by source
    std::uint64_t told = 0;               // messages that gap notices told of
  };

  [[nodiscard]] std::vector<Subscription>& subscriptions_of(std::uint32_t index) { return subscriptions_[index]; }
  /// The connection's subscription to a channel, or null.
  [[nodiscard]] Subscription* find(std::uint32_t index, std::string_view channel);
  [[nodiscard]] std::size_t payload_size() const { return template_.size(); }

  /// What was said about no message: subscribed, error, and what there is nothing to do about.
  Taken take_reply(std::uint32_t index, const ServerMessage& message);
  Taken take_message(std::uint32_t index, Subscription& subscription, std::uint64_t seq, std::string_view payload,
                     Instant now);
  Taken take_gap(std::uint32_t index, Subscription& subscription, std::uint64_t from, std::uint64_t to);
  /// What arrived and cannot be: `fault` and its begin are remembered.
  Taken take_stray(std::uint32_t index, std::string_view fault, std::string_view text);

  /// A subscription has joined, or is back.
  virtual void named(std::uint32_t, const Subscription&, const SubscribedEntry&) {}
  /// The server has joined the personal channel of the URL's user. Nothing of ours is published there.
  virtual void given(std::uint32_t, const SubscribedEntry&) {}

  ServerMessageReader reader_;

 private:
  Taken take_subscribed(std::uint32_t index, const ServerMessage& message);
  void join(Subscription& subscription, const SubscribedEntry& entry);
  void come_back(std::uint32_t index, Subscription& subscription, const SubscribedEntry& entry);
  void close_account(Subscription& subscription, bool slow, std::uint64_t last_due);
  [[nodiscard]] Tally& tally_of(std::uint32_t index) { return connections_[index].slow ? slow_ : ordinary_; }
  [[nodiscard]] std::uint64_t final_seq(const Subscription& subscription) const;

  const LoadPlan& plan_;
  std::span<const PlannedConnection> connections_;
  PayloadTemplate template_;
  ChannelBases& bases_;
  const std::atomic<bool>& publishing_;
  const std::atomic<std::int64_t>& measure_from_;
  bool resumes_;
  std::vector<std::vector<Subscription>> subscriptions_;  // by connection
  std::vector<std::uint64_t> published_;                  // by target, once publishing has ended
};

}  // namespace ringcast
