// tools/load/exchange_join.hpp: how a subscriber of the exchange dialect knows that it has its streams.
//
// The URL subscribes; the answer to LIST_SUBSCRIPTIONS shows that it has.
//
// Owner    a verifier.  Thread  any.  Memory  none kept.  Failure  a sentence, empty if there is nothing wrong.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace ringcast {

inline constexpr std::string_view kListSubscriptions = R"({"method":"LIST_SUBSCRIPTIONS","id":1})";

/// The target that subscribes these streams: /ws/<one> or /stream?streams=<several>.
[[nodiscard]] std::string exchange_target(std::span<const std::string> streams, std::string_view query);

/// What is wrong with the answer to kListSubscriptions of somebody who subscribed `streams`.
[[nodiscard]] std::string exchange_join_fault(std::string_view answer, std::span<const std::string> streams);

}  // namespace ringcast
