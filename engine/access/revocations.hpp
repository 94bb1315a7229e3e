// engine/access/revocations.hpp: tokens that are worth nothing although they are signed and have not expired.
//
// Owner    an Authenticator, by value.  Thread  any for questions; built by whoever reads the file.
// Memory   about 60 bytes an entry and its text, at most kRevocationsMax entries.
// Failure  a sentence with the number of the line; nothing is half taken.
// Not here reading files and noticing that they changed (node), closing connections (session).
//
// One line an entry; a name is one word, or a JSON string if it has spaces:
//   token 7f3c9a                     the token whose jti this is
//   user alice                       every token of this user
//   user alice before 1795860000     those that were issued before (seconds since 1970); also those that do not say
//   all before 1795860000            everybody's
//   # a comment
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "codec/hash/xxh3.hpp"

namespace ringcast {

inline constexpr std::size_t kRevocationsMax = 1'000'000;          // a list that long wants shorter tokens instead
inline constexpr std::size_t kRevocationFileBytesMax = 64U << 20;  // read whole

namespace revocations_detail {
struct Hash {  // Debian's absl has a string_view of its own, and no hash for ours
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return hash64(text); }
};
}  // namespace revocations_detail

class Revocations {
 public:
  [[nodiscard]] static Result<Revocations, std::string> read(std::string_view text);

  /// issued  1970 if the token does not say: then it may have been before.
  [[nodiscard]] bool has(std::string_view token_id, std::string_view user, WallTime issued) const;
  [[nodiscard]] std::size_t size() const {
    return tokens_.size() + users_.size() + (all_before_ != WallTime{} ? 1 : 0);
  }

 private:
  absl::flat_hash_set<std::string, revocations_detail::Hash, std::equal_to<>> tokens_;
  absl::flat_hash_map<std::string, WallTime, revocations_detail::Hash, std::equal_to<>>
      users_;  // issued before; WallTime::max(): whenever
  WallTime all_before_{};
};

}  // namespace ringcast
