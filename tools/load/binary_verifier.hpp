// tools/load/binary_verifier.hpp: the messages of the binary dialect: records, and replies in JSON beside them.
//
// Owner    a SubscriberThread.  Thread  its.
// Memory   8 bytes a subscription and 4 a connection, besides what sequenced_verifier.hpp says.
// Failure  counted; see verifier.hpp. A record with more in it than was published is altered.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "codec/dialect/ringcast_binary.h"
#include "tools/load/sequenced_verifier.hpp"

namespace ringcast {

class BinaryVerifier final : public SequencedVerifier {
 public:
  explicit BinaryVerifier(const SequencedParts& parts)
      : SequencedVerifier{parts}, names_(parts.connections.size()), given_(parts.connections.size()) {}

  [[nodiscard]] Opcode opcode() const override { return Opcode::binary; }
  [[nodiscard]] Opcode greeting_opcode() const override { return Opcode::text; }
  [[nodiscard]] std::string_view subprotocol() const override { return RCB_SUBPROTOCOL; }

  Taken take(std::uint32_t index, std::string_view records, Instant now) override;
  std::optional<Taken> take_other(std::uint32_t index, std::string_view text) override;

 private:
  struct Named {
    std::uint32_t channel_id = 0;
    std::uint32_t position = 0;  // in subscriptions_of(index)
  };
  void named(std::uint32_t index, const Subscription& subscription, const SubscribedEntry& entry) override;
  void given(std::uint32_t index, const SubscribedEntry& entry) override { given_[index] = entry.channel_id; }
  [[nodiscard]] Subscription* find_id(std::uint32_t index, std::uint32_t channel_id);
  Taken take_record(std::uint32_t index, const rcb_record& record, Instant now);

  std::vector<std::vector<Named>> names_;  // by connection; ascending by id
  std::vector<std::uint32_t> given_;       // by connection: the id of its user's channel; 0: it has none
};

}  // namespace ringcast
