// engine/channel/join_start.hpp: what a joiner asks of a channel's past, and where that puts it.
//
// Thread   any (values).  Memory  none.  Failure  none.
// Not here the decision (history_reader).
#pragma once

#include <cstdint>
#include <string_view>

#include "alloc/base/identifiers.hpp"
#include "codec/dialect/command.hpp"

namespace ringcast {

struct JoinWish {
  bool resumes = false;
  bool wants_state = true;  // the newest snapshot or message, where the namespace keeps one
  bool announced = false;   // `resume` is what the home itself said, and holds whether clients may resume or not
  ResumePoint resume{};
};

struct JoinStart {
  enum class Where : std::uint8_t {
    exactly,     // at `next`
    newest,      // at the newest message that there is when the subscription begins: `next` may be older by then
    on_its_way,  // the same, and if there is none by then, at the next one: it has been published
    head,        // behind all messages that there are then
  };
  enum class Recovered : std::uint8_t { unasked, no, yes };
  enum class State : std::uint8_t { unsaid, none, snapshot };

  Sequence next{};   // the cursor
  Sequence as_of{};  // State::snapshot
  Where where = Where::exactly;
  Recovered recovered = Recovered::unasked;
  State state = State::unsaid;
  bool snapshot_first = false;  // the frame numbered `next` is the snapshot; messages follow from next + 1 = as_of on
};

/// As a client is told; empty: not at all.
[[nodiscard]] constexpr std::string_view word_of(JoinStart::State state) {
  switch (state) {
    case JoinStart::State::unsaid: return {};
    case JoinStart::State::none: return "none";
    case JoinStart::State::snapshot: return "snapshot";
  }
  return {};
}

}  // namespace ringcast
