// tools/load/native_verifier.hpp: synthetic messages in the native dialect: every seq, every counter, every byte.
//
// Owner    a SubscriberThread.  Thread  its.
// Memory   a prefix a target and about 180 bytes a subscription.
// Failure  counted; see verifier.hpp.
//
// The server writes a message's members in one order, so the usual message is proved by comparing it with what it must
// be, number by number, without parsing. Anything else goes through the general reader and is judged by the same rules.
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

class NativeVerifier final : public Verifier {
 public:
  /// connections   this thread's.
  /// publishing    set once publishing has begun: who joins later begins in the middle.
  /// measure_from  ns of CLOCK_MONOTONIC; messages due earlier are not timed.
  /// resumes       who left and comes back goes on where it was: one account over all its connections.
  NativeVerifier(const LoadPlan& plan, std::span<const PlannedConnection> connections, std::uint32_t payload_bytes,
                 ChannelBases& bases, const std::atomic<bool>& publishing,
                 const std::atomic<std::int64_t>& measure_from, bool resumes = false);

  [[nodiscard]] std::string greeting(std::uint32_t index) const override;
  [[nodiscard]] std::string target(std::uint32_t index, std::string_view query) const override;
  Taken take(std::uint32_t index, std::string_view text, Instant now) override;
  void left(std::uint32_t index) override;
  void publishing_ended(const std::vector<std::uint64_t>& published) override;
  [[nodiscard]] std::uint64_t behind(const std::vector<bool>& open) const override;
  void settle(const std::vector<bool>& open) override;

 private:
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
  struct Fast {  // what the usual message of a target looks like
    std::uint64_t seq = 0;
    std::string_view payload;
  };
  [[nodiscard]] bool read_fast(const Subscription& subscription, std::string_view text, Fast& fast) const;
  [[nodiscard]] Subscription* find(std::uint32_t index, std::string_view channel);
  Taken take_general(std::uint32_t index, std::string_view text, Instant now);
  Taken take_subscribed(std::uint32_t index, const ServerMessage& message);
  Taken take_message(std::uint32_t index, Subscription& subscription, std::uint64_t seq, std::string_view payload,
                     Instant now);
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
  std::vector<std::string> prefixes_;                     // by target
  std::vector<std::vector<Subscription>> subscriptions_;  // by connection
  std::vector<std::uint64_t> published_;                  // by target, once publishing has ended
  ServerMessageReader reader_;
};

}  // namespace ringcast
