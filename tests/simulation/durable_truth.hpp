// tests/simulation/durable_truth.hpp: what publishers and subscribers of one durable channel were told, over all lives
// of the node, and what that obliges it to.
//
// Owner    durable_world, by value, one a channel.  Thread  one.
// Memory   a few words a message, for the run.  Failure  check().
// Not here who asks for what, and when the node dies (durable_world).
//
// A message is named by a number that is its payload, its message id and the id of its publish request. When the node
// dies under a publish, nobody knows whether it was stored: it is in doubt, and its publisher may repeat it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace ringcast::simulation {

/// When the messages of a channel are done with: what its namespace says.
enum class Keeping : std::uint8_t { until_sent, until_acknowledged };

class DurableTruth {
 public:
  /// bounded  so few messages are kept that some may be forgotten before they are done with.
  DurableTruth(std::string channel, Keeping keeping, bool bounded)
      : name_{std::move(channel)}, keeping_{keeping}, bounded_{bounded} {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Keeping keeping() const { return keeping_; }

  // ---- publishers ----

  /// It is published; for the first time, or again because nobody knows what became of it.
  void asked(std::uint64_t message);
  void published(std::uint64_t message, std::uint64_t seq, std::string_view epoch);
  void refused(std::uint64_t message);
  /// Its publisher will not hear what became of it.
  void unanswered(std::uint64_t message);

  // ---- subscribers ----

  void joined(std::string_view epoch, std::uint64_t head);
  /// A socket took it whole; known before anybody looks at what came.
  void taken(std::uint64_t seq);
  void delivered(std::uint64_t seq, std::uint64_t message);
  /// Messages from `from` to `to` are left out, the subscriber is told.
  void expired(std::uint64_t from, std::uint64_t to);
  /// The node was killed, and has been started again.
  void begins_anew() { delivered_now_ = 0; }
  void ack_asked(std::uint64_t seq) { maybe_done_ = std::max(maybe_done_, seq); }
  void ack_confirmed(std::uint64_t seq);

  /// A subscriber that says nothing of where it is begins with this seq.
  /// confirmed  what had been confirmed as acknowledged before it asked.
  void begins(std::uint64_t seq, std::uint64_t confirmed) const;
  /// Everybody has been heard, and a subscriber has joined last of all: it was given [first, head], nothing if first
  /// is 0.
  void complete(std::uint64_t first, std::uint64_t head) const;

  // ---- questions ----

  /// Confirmed to a subscriber that acknowledged: nothing up to here comes again.
  [[nodiscard]] std::uint64_t confirmed() const { return confirmed_; }
  /// The newest that anybody was given since the node was started.
  [[nodiscard]] std::uint64_t delivered_now() const { return delivered_now_; }
  /// The newest that anybody was told of.
  [[nodiscard]] std::uint64_t last() const { return by_seq_.empty() ? 0 : by_seq_.rbegin()->first; }

 private:
  enum class Fate : std::uint8_t { waiting, in_doubt, published, refused };
  struct Message {
    Fate fate = Fate::waiting;
    bool doubted = false;   // it was in doubt: whatever is said of a repetition, the first may have been stored
    std::uint64_t seq = 0;  // 0: nobody was told
  };

  void is(std::uint64_t seq, std::uint64_t message);
  void know_epoch(std::string_view epoch);
  Message& message_of(std::uint64_t message);

  std::string name_;
  Keeping keeping_;
  bool bounded_;
  std::string epoch_;
  std::map<std::uint64_t, std::uint64_t> by_seq_;
  std::map<std::uint64_t, Message> messages_;
  std::uint64_t confirmed_ = 0;
  std::uint64_t maybe_done_ = 0;  // up to here messages may be done with; what lies behind it certainly is not
  std::uint64_t delivered_now_ = 0;
};

}  // namespace ringcast::simulation
