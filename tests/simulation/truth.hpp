// tests/simulation/truth.hpp: what was published, and what that means for whoever reads it: the model of every channel.
//
// Every publish has content that no other has (but for wanted duplicates), so a delivered payload says by itself which
// publish it was. A message's seq is learnt from the publisher's answer or from the first native reader, whichever
// comes first; everybody else must then agree.
//
// Owner    the world, by value.  Thread  one.  Memory  all payloads of a run.
// Failure  CheckFailed: payload, order, published or dedupe.
// Not here the state of one connection (conversation).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "tests/simulation/scenario.hpp"

namespace ringcast::simulation {

using PublishId = std::uint32_t;  // 1, 2, 3…; 0 is none

struct Position {
  Epoch epoch{};
  Sequence seq{};
  constexpr bool operator==(const Position&) const = default;
};

struct Publish {
  std::uint32_t channel = 0;    // index into the scenario's channels
  std::uint32_t publisher = 0;  // the connection it was sent on
  std::string data;             // as subscribers are to see it
  std::string event;
  std::string message_id;
  std::uint32_t same_as = 0;  // duplicate class: publishes of which one may be sequenced; 0: none
  Instant sent_at{};
  std::uint64_t ids_before = 0;  // how many publishes with an id had been sent on the whole node
  bool refused = false;
  bool answered_duplicate = false;
  bool snapshot = false;
  Sequence as_of{};            // of a snapshot; 0: not said
  std::optional<Position> at;  // where it stands in its channel, once known
  Instant known_at{};          // since when
};

class Truth {
 public:
  explicit Truth(const Scenario& scenario) : scenario_{scenario}, streams_(scenario.channels.size()) {
    note_state_ages(scenario.options.namespaces);
  }

  /// `dedupe_key`: names the class of publishes among which only one is sequenced; empty: none.
  PublishId add(Publish publish, std::string dedupe_key);
  [[nodiscard]] const Publish& of(PublishId id) const { return publishes_[id - 1]; }
  [[nodiscard]] std::size_t publishes() const { return publishes_.size(); }
  /// How many messages are known to have a place in their channel.
  [[nodiscard]] std::size_t messages() const { return messages_; }

  /// The publish with exactly this content, whatever its channel; nothing when nobody ever sent such bytes.
  [[nodiscard]] std::optional<PublishId> find_content(std::string_view data) const;

  /// A native reader got it: this seq of this epoch.
  void delivered(PublishId id, Position at, Instant now);
  /// A reader that sees no seq got it.
  void delivered_without_seq(PublishId id) const;
  void answered(PublishId id, Position at, bool duplicate, Instant now);
  void refused(PublishId id);

  /// The epoch that a channel had last, as far as anybody knows, and its newest seq in it.
  [[nodiscard]] Position newest(std::uint32_t channel) const;
  /// A subscriber was told that a channel of this epoch has this number.
  void numbered(std::uint32_t channel, Epoch epoch, std::uint32_t channel_id);

  /// Namespaces keep what `state` keeps for so long, from now on.
  void note_state_ages(const std::vector<NamespaceRule>& rules);
  /// Whether every rule that was ever in force would still keep it.
  [[nodiscard]] bool state_is_kept(std::uint32_t channel, Position at, Instant now) const;

  /// The newest seq of an epoch that anybody knows of.
  [[nodiscard]] Sequence newest(std::uint32_t channel, Epoch epoch) const;

 private:
  struct Class {
    PublishId winner = 0;
    std::optional<Position> answered;  // what its duplicates were told
  };

  /// Where a payload is its own id, several publishes may have one content.
  [[nodiscard]] bool has_twins(const Publish& publish) const;
  void bind(PublishId id, Position at, Instant now);
  void check_publisher_order(PublishId id, Position at);
  void check_duplicates(PublishId id);
  [[nodiscard]] bool must_be_duplicate(const Publish& first, const Publish& second) const;

  const Scenario& scenario_;
  std::vector<Publish> publishes_;
  std::unordered_map<std::string, PublishId> by_content_;
  std::unordered_map<std::string, std::uint32_t> class_by_key_;
  std::vector<Class> classes_;
  std::vector<std::map<std::uint64_t, std::map<std::uint64_t, PublishId>>> streams_;  // channel: epoch: seq: publish
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::map<PublishId, Position>> by_publisher_;
  std::uint64_t ids_sent_ = 0;
  milliseconds state_age_min_ = milliseconds::max();
  std::size_t messages_ = 0;
  std::map<std::uint32_t, std::pair<std::uint32_t, Epoch>> numbers_;  // node-wide: what each id stands for
};

}  // namespace ringcast::simulation
