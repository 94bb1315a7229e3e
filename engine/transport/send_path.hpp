// engine/transport/send_path.hpp: turns a batch of send entries into one submit, and says what became of each.
//
// Owner    transport.  Thread  the shard's.  Memory  one report an entry of a batch, taken once.
// Failure  a batch that breaks a rule below stops the process: on the wire it would be a corrupt stream.
// Not here what to send (delivery), the rest of a frame that was cut (delivery: remainder).
//
// The rules, each of which was seen to corrupt a stream when broken:
// - one SEND a connection a submit: two of them, the first short and the second whole, leave a hole;
// - nothing beside a remainder: it is sent piece by piece whenever the socket takes more;
// - all reports of a batch are taken before send() returns, so no later batch is prepared without them, and the bytes
//   may be overwritten then: the kernel has copied what it took.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/limits.hpp"
#include "engine/ring/ring.hpp"
#include "engine/seam/seam.hpp"
#include "engine/transport/connection_table.hpp"

namespace ringcast {

class SendPath {
 public:
  SendPath(Ring& ring, ConnectionTable& connections);

  /// Sends a batch of at most kSendBatchMax entries. Returns those that did not take all their bytes, in the order of
  /// the batch; remainder entries are never among them. Valid until the next call.
  [[nodiscard]] std::span<const SendReport> send(std::span<const SendEntry> batch);

 private:
  void prepare(const SendEntry& entry, std::uint32_t index);
  /// Takes the reports that have come; returns how many.
  std::uint32_t collect(std::span<const SendEntry> batch);

  Ring& ring_;
  ConnectionTable& connections_;
  SendShape shape_;
  std::uint32_t batch_number_ = 0;
  std::vector<SendReport> reports_;
};

}  // namespace ringcast
