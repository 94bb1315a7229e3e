// tests/simulation/checkers.hpp: the names of everything that a run checks, and how a check fails.
//
// Thread   one.  Memory  none.
// Failure  check() throws CheckFailed, which ends the run of this seed; our own ensure() aborts the process instead,
// and
//          the runner reports that under the name `ensure`.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace ringcast::simulation {

enum class Checker : std::uint8_t {
  continuity,   // every message is its predecessor + 1, or a gap notice names the run between them
  order,        // never twice, never backwards, and a publisher's messages stay in its order
  payload,      // the bytes are those published
  published,    // the answers to publishers agree with what subscribers see
  dedupe,       // one message of several with the same id
  replies,      // each request is answered once, in order
  ledger,       // offered = sent + conflated + dropped + abandoned + queued
  sent,         // what the ledger calls sent is what the sockets took
  skipped,      // what gap notices name is in the ledger
  bounds,       // memory, batches and connection counts stay within what the limits allow
  leak,         // nothing is left when everybody has gone
  stream,       // what a client reads is HTTP, then RFC 6455, then JSON
  close_code,   // a connection is closed for a reason it has given
  liveness,     // with a healthy network everything arrives, without the help of a timer
  rate,         // nobody gets more messages a second than it asked for
  busy_loop,    // a shard that says it has work makes progress
  seam,         // actions and send entries keep the rules of seam.hpp
  record,       // each subscription begins and ends once in the entitlement record
  shutdown,     // everybody gets what was kept for them, then 1001
  presence,     // lists of users are exact, and agree with what was told
  state,        // stale and live alternate, and no message comes while a channel is stale
  determinism,  // the same seed gives the same run
  end,
};

struct CheckerRow {
  Checker checker;
  std::string_view name;
};
inline constexpr std::array kCheckers{
    CheckerRow{Checker::continuity, "continuity"},
    CheckerRow{Checker::order, "order"},
    CheckerRow{Checker::payload, "payload"},
    CheckerRow{Checker::published, "published"},
    CheckerRow{Checker::dedupe, "dedupe"},
    CheckerRow{Checker::replies, "replies"},
    CheckerRow{Checker::ledger, "ledger"},
    CheckerRow{Checker::sent, "sent"},
    CheckerRow{Checker::skipped, "skipped"},
    CheckerRow{Checker::bounds, "bounds"},
    CheckerRow{Checker::leak, "leak"},
    CheckerRow{Checker::stream, "stream"},
    CheckerRow{Checker::close_code, "close_code"},
    CheckerRow{Checker::liveness, "liveness"},
    CheckerRow{Checker::rate, "rate"},
    CheckerRow{Checker::busy_loop, "busy_loop"},
    CheckerRow{Checker::seam, "seam"},
    CheckerRow{Checker::record, "record"},
    CheckerRow{Checker::shutdown, "shutdown"},
    CheckerRow{Checker::presence, "presence"},
    CheckerRow{Checker::state, "state"},
    CheckerRow{Checker::determinism, "determinism"},
};
static_assert(kCheckers.size() == std::to_underlying(Checker::end), "every checker has a name");

[[nodiscard]] inline std::string_view name_of(Checker checker) { return kCheckers[std::to_underlying(checker)].name; }

struct CheckFailed {
  Checker checker;
  std::string sentence;
};

[[noreturn]] inline void fail(Checker checker, std::string sentence) {
  throw CheckFailed{checker, std::move(sentence)};
}

/// Ends the run unless `holds`. The sentence says what was wrong; it is formatted only then.
template <class... Values>
void check(bool holds, Checker checker, fmt::format_string<Values...> sentence, Values&&... values) {
  if (!holds) [[unlikely]] {
    fail(checker, fmt::format(sentence, std::forward<Values>(values)...));
  }
}

}  // namespace ringcast::simulation
