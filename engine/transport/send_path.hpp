// engine/transport/send_path.hpp: turns a batch of send entries into one submit, and says what became of each.
//
// Owner    transport.  Thread  the shard's.  Memory  one report an entry of a batch, taken once.
// A TLS connection's bytes become others on their way (tls_path): what is reported are the core's.
//
// Failure  a batch that breaks a rule below stops the process: on the wire it would be a corrupt stream.
// Not here what to send (delivery), the rest of a frame that was cut (delivery: remainder).
//
// The rules, each of which was seen to corrupt a stream when broken:
// - one SEND a connection a submit: two of them, the first short and the second whole, leave a hole;
// - nothing beside a remainder: it is sent piece by piece whenever the socket takes more;
// - all reports of a batch are taken before send() returns, so no later batch is prepared without them, and the bytes
//   may be overwritten then: the kernel has copied what it took.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/limits.hpp"
#include "engine/ring/ring.hpp"
#include "engine/seam/seam.hpp"
#include "engine/transport/connection_table.hpp"
#include "engine/transport/tls_path.hpp"

namespace ringcast {

class SendPath {
 public:
  SendPath(Ring& ring, ConnectionTable& connections, TlsPath& tls);

  /// Sends a batch of at most kSendBatchMax entries. Returns those that did not take all their bytes, in the order of
  /// the batch; remainder entries are never among them. Valid until the next call.
  [[nodiscard]] std::span<const SendReport> send(std::span<const SendEntry> batch);

 private:
  void prepare(const SendEntry& entry, std::uint32_t index);
  void prepare_tls(const SendEntry& entry, std::uint32_t index, ConnectionState& state);
  void submit(ConnectionState& state, std::uint32_t index, Bytes bytes);
  /// Takes the reports that have come; returns how many.
  std::uint32_t collect();
  void translate_tls_reports(std::span<const SendEntry> batch);

  struct Sealed {
    std::uint32_t entry = 0;  // index into the batch
    std::uint32_t plain = 0;  // how many of its bytes are in what was sent
  };

  Ring& ring_;
  ConnectionTable& connections_;
  TlsPath& tls_;
  SendShape shape_;
  std::uint32_t batch_number_ = 0;
  std::uint32_t reports_due_ = 0;
  std::array<std::uint32_t, kSendBatchMax> wire_bytes_{};  // handed to the kernel, by entry
  std::vector<SendReport> reports_;
  std::vector<Sealed> sealed_;  // the TLS sends of the batch
};

}  // namespace ringcast
