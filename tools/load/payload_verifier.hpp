// tools/load/payload_verifier.hpp: synthetic messages that arrive bare, one channel a connection: every counter, every
// byte.
//
// Owner    a SubscriberThread.  Thread  its.
// Memory   48 bytes a connection, 40 a publisher of its channel.
// Failure  counted; see verifier.hpp.
// Not here how a connection joins and how payloads are found in what arrives: a wire's own verifier derives from this.
//
// No number of the server's is there to compare, so everything rests on the payload's own: who joins before publishing
// begins must see each source's counter from 1. Joining in the middle (--churn) is for the native dialect.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/load/payload.hpp"
#include "tools/load/plan.hpp"
#include "tools/load/sequence_check.hpp"
#include "tools/load/verifier.hpp"
#include "tools/load/wire.hpp"

namespace ringcast {

/// What a slow reader that is still open at the end may have missed without having been told.
enum class SlowTail : std::uint8_t {
  due,      // nothing of the end: a server that conflates owes the newest message
  dropped,  // anything: the server drops what does not fit
};

/// What a wire of bare payloads cannot do.
[[nodiscard]] std::optional<std::string> check_bare_payloads(std::string_view wire, const LoadOptions& options);

class PayloadVerifier : public Verifier {
 public:
  PayloadVerifier(const RunParts& parts, std::span<const PlannedConnection> connections, SlowTail slow_tail);

  void left(std::uint32_t) override {}  // runs without churn
  void publishing_ended(const std::vector<std::uint64_t>& published) override { published_ = published; }
  [[nodiscard]] std::uint64_t behind(const std::vector<bool>& open) const override;
  void settle(const std::vector<bool>& open) override;

 protected:
  [[nodiscard]] const std::string& channel_of(std::uint32_t index) const {
    return plan_.names[members_[index].target];
  }
  [[nodiscard]] std::uint32_t target_of(std::uint32_t index) const { return members_[index].target; }
  [[nodiscard]] bool has_joined(std::uint32_t index) const { return members_[index].joined; }
  void set_joined(std::uint32_t index) { members_[index].joined = true; }
  /// What arrived and is neither a payload nor anything that the wire knows.
  void take_stray(std::uint32_t index, std::string_view text);
  Taken take_payload(std::uint32_t index, std::string_view payload, Instant now);

 private:
  struct Member {
    std::uint32_t target = 0;
    std::uint32_t sources = 0;
    std::size_t first_order = 0;  // in orders_
    std::uint64_t delivered = 0;
    bool joined = false;
    bool slow = false;
  };
  [[nodiscard]] std::uint64_t seen(const Member& member) const;

  const LoadPlan& plan_;
  const std::atomic<std::int64_t>& measure_from_;
  PayloadTemplate template_;
  SlowTail slow_tail_;
  std::vector<Member> members_;        // by connection
  std::vector<SequenceCheck> orders_;  // of each member's sources
  std::vector<std::uint64_t> published_;
};

}  // namespace ringcast
