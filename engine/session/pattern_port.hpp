// engine/session/pattern_port.hpp: what sessions ask of patterns, whichever shards their channels live on.
//
// Owner    implemented by shard/pattern_traffic.  Thread  the shard's.  Memory  none.
// Failure  refusals are answers with a code and a sentence.
// Not here channels by name (channel_port), commands and replies (pattern_flow).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/time.hpp"
#include "codec/dialect/command.hpp"
#include "codec/text/pattern.hpp"
#include "engine/delivery/pattern_table.hpp"
#include "engine/session/channel_port.hpp"

namespace ringcast {

struct PatternRequest {
  SubscribeOptions options{};
  std::span<const SubscribeItem> resumes;  // of channels that the pattern may bind
};

class PatternPort {
 public:
  virtual ~PatternPort() = default;

  // ---- subscribing ----

  /// Subscribes to a pattern, or looks again what it matches; then its options, if it names any, are for what it holds
  /// already, too. Answered once every channel that exists is bound: then take_ready() has it. Not valid(): no room.
  [[nodiscard]] virtual Handle join_pattern(Outbox& reader, const Pattern& pattern, const PatternRequest& request,
                                            Now now) = 0;
  /// Ends it, and what no other pattern of the connection holds. False if the connection does not have it.
  virtual bool leave_pattern(Outbox& reader, std::string_view pattern, Now now) = 0;
  /// "subscribed" has been queued: its channels may be told.
  virtual void pattern_answered(Handle pattern) = 0;
  [[nodiscard]] virtual std::uint32_t patterns_of(const Outbox& reader) const = 0;
  [[nodiscard]] virtual bool has_pattern(const Outbox& reader, std::string_view pattern) const = 0;
  /// Of the connection, in the order of subscribing.
  virtual void list_patterns(const Outbox& reader, std::vector<std::string_view>& texts) const = 0;

  // ---- binding ----

  struct Candidate {
    Handle connection;
    std::string_view channel;
  };
  /// A channel that a connection's pattern matches; to be followed by bind() before anything else.
  [[nodiscard]] virtual std::optional<Candidate> next_candidate() = 0;
  /// Joins the candidate, if the connection may read it.
  virtual void bind(bool permitted, Now now) = 0;

  // ---- what is to be said ----

  struct Ready {
    Handle connection;
    Handle pattern;
    std::uint32_t matched = 0;         // channels of the connection that it matches
    std::optional<Refusal> stopped{};  // it met a limit
  };
  /// A pattern whose subscribe can be answered.
  [[nodiscard]] virtual std::optional<Ready> take_ready() = 0;

  struct News {
    Handle connection;
    std::string_view pattern;
    std::vector<std::string> ended;        // let go, some of them before they were bound again
    std::vector<BoundChannel> channels;
    std::optional<Refusal> stopped{};  // told once
  };
  /// What the subscriber of some pattern does not know yet. Views are valid until the next call.
  [[nodiscard]] virtual std::optional<News> take_news() = 0;
  /// The dialect has said in its answer that it met a limit.
  virtual void stop_told(Handle pattern) = 0;
};

}  // namespace ringcast
