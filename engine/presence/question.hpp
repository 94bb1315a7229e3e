// engine/presence/question.hpp: what can be asked about who is there, and the answer, in pages.
//
// Thread  any (values).  Memory  an answer holds at most kPageNamesMax names of kPageBytesMax bytes together.
// Failure  none.
// Not here who answers (rosters, directory, answering), how the parts of several shards come together (inquiries).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/btree_set.h>

#include "alloc/base/units.hpp"
#include "engine/limits.hpp"

namespace ringcast {

inline constexpr std::uint32_t kPageNamesMax = 1'000;  // names in one answer
inline constexpr std::size_t kPageBytesMax = 24_KiB;   // of these names; escaped and quoted they fit one reply
static_assert(2 * kPageBytesMax + 3 * kPageNamesMax + 1'024 <= kReplyBytesMax,
              "a page is one reply: an id or a name doubles at the most when it is escaped");

struct Question {
  enum class Kind : std::uint8_t {
    channel_users,    // of a channel with presence: its users; asked of its home
    channel_readers,  // of any channel: the users that read it, and how many connections do; asked of every shard
    user,             // how many connections a user has; asked of its directory
    user_channels,    // the same, and the channels that these connections read; asked of every shard
    users,            // all users that are connected; asked of every directory
  };
  Kind kind{};
  std::string subject{};  // a channel or a user; empty with `users`
  std::string after{};    // only names behind this one
  std::uint32_t limit = kPageNamesMax;
};

/// Names are sorted by their bytes and each comes once; the other page begins behind the last one.
struct Answer {
  std::uint64_t users = 0;  // channel_users, users: in all, not only on this page
  std::uint64_t connections =
      0;                        // channel_readers: with a user; user, user_channels: of the user; users: of all of them
  std::uint64_t anonymous = 0;  // channel_users, channel_readers: connections without a user
  std::uint64_t unlisted = 0;   // channel_users: users of a shard for whom its home had no room
  std::vector<std::string> names;
  bool more = false;  // there are names behind the last one
};

/// The smallest of many names, each once: what one page holds.
class Page {
 public:
  Page(std::string_view after, std::uint32_t limit);

  void offer(std::string_view name);
  /// Names behind this one are not known in full: they are left for the next page.
  void end_at(std::string_view last);
  /// Something was left out.
  [[nodiscard]] bool more() const { return more_; }
  void leave_more() { more_ = true; }
  [[nodiscard]] std::size_t size() const { return names_.size(); }
  /// Moves the names out, in order.
  [[nodiscard]] std::vector<std::string> take();

 private:
  void drop_last();

  absl::btree_set<std::string, std::less<>> names_;
  std::string after_;
  std::size_t limit_;
  std::size_t bytes_ = 0;
  bool more_ = false;
};

}  // namespace ringcast
