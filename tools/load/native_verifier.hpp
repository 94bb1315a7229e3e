// tools/load/native_verifier.hpp: the messages of the native dialect.
//
// Owner    a SubscriberThread.  Thread  its.
// Memory   a prefix a target, besides what sequenced_verifier.hpp says.
// Failure  counted; see verifier.hpp.
//
// The server writes a message's members in one order, so the usual message is proved by comparing it with what it must
// be, number by number, without parsing. Anything else goes through the general reader and is judged by the same rules.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/load/sequenced_verifier.hpp"

namespace ringcast {

class NativeVerifier final : public SequencedVerifier {
 public:
  explicit NativeVerifier(const SequencedParts& parts);

  Taken take(std::uint32_t index, std::string_view text, Instant now) override;

 private:
  struct Fast {  // what the usual message of a target looks like
    std::uint64_t seq = 0;
    std::string_view payload;
  };
  [[nodiscard]] bool read_fast(const Subscription& subscription, std::string_view text, Fast& fast) const;
  Taken take_general(std::uint32_t index, std::string_view text, Instant now);

  std::vector<std::string> prefixes_;  // by target
};

}  // namespace ringcast
