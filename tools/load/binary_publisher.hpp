// tools/load/binary_publisher.hpp: synthetic messages published as records of the binary dialect.
//
// Owner    a PublisherThread.  Thread  its.  Memory  none to speak of.
// Failure  refusals are told; see publisher_thread.hpp.
#pragma once

#include <cstdint>
#include <string_view>

#include "tools/client/record_reader.hpp"
#include "tools/load/publisher_thread.hpp"

namespace ringcast {

class BinaryPublisherDialect final : public PublisherDialect {
 public:
  /// payload_bytes  of every message: a record says in front how long it is.
  explicit BinaryPublisherDialect(std::uint32_t payload_bytes) : payload_bytes_{payload_bytes} {}

  [[nodiscard]] Endpoint endpoint(const Endpoint& server, std::uint32_t) const override {
    return with_binary_target(server);
  }
  [[nodiscard]] Opcode opcode() const override { return Opcode::binary; }
  [[nodiscard]] Around around(std::string_view channel) const override;
  [[nodiscard]] Answer take(std::uint32_t index, std::string_view records) override;
  [[nodiscard]] Answer take_other(std::uint32_t index, std::string_view text) override;

 private:
  std::uint32_t payload_bytes_;
  RecordReader records_;         // of all its publishers: ids are node-wide
  ServerMessageReader replies_;
  NativePublisherDialect json_;  // judges what comes as text
};

}  // namespace ringcast
