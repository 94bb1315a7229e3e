// engine/presence/report.hpp: what one shard tells another about who is there.
//
// Thread  any (a value).  Memory  none of its own: views are valid while the report is handled.  Failure  none.
// Not here when one is due (attendance), what it leads to (roster, directory), its bytes (shard/presence_records).
#pragma once

#include <cstdint>
#include <string_view>

namespace ringcast {

/// A difference to the last report about the same thing: reports are neither lost nor reordered, so their sum is exact.
struct Report {
  enum class Kind : std::uint8_t {
    came,         // to a channel's home: the user reads the channel on this shard, and did not before
    went,         // to a channel's home: it does no more
    anonymous,    // to a channel's home: so many more readers without a user
    connections,  // to a user's directory: so many more connections
  };
  Kind kind{};
  bool here = false;         // connections: there is still one on this shard
  std::int32_t change = 0;   // anonymous, connections
  std::string_view channel;  // empty with connections
  std::string_view user;     // empty with anonymous
};

}  // namespace ringcast
