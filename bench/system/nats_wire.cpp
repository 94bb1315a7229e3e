#include "bench/system/nats_wire.hpp"

#include <fmt/format.h>

#include "bench/system/nats_protocol.hpp"
#include "tools/load/payload_verifier.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kPong = "PONG\r\n";

class NatsVerifier final : public PayloadVerifier {
 public:
  NatsVerifier(const RunParts& parts, std::span<const PlannedConnection> connections)
      : PayloadVerifier{parts, connections, SlowTail::dropped}, streams_(connections.size()) {}

  Opcode opcode() const override { return Opcode::binary; }
  std::string target(std::uint32_t, std::string_view) const override { return "/"; }
  std::string greeting(std::uint32_t index) const override {
    return fmt::format("{}SUB {} 1\r\nPING\r\n", kNatsConnect, channel_of(index));
  }
  std::string_view reply() const override { return kPong; }

  Taken take(std::uint32_t index, std::string_view text, Instant now) override {
    Taken taken = Taken::message;
    streams_[index].feed(text, [&](const NatsOperation& operation) {
      switch (operation.kind) {
        case NatsOperation::Kind::message: (void)take_payload(index, operation.text, now); break;
        case NatsOperation::Kind::ping:
          if (taken == Taken::message) taken = Taken::reply;
          break;
        case NatsOperation::Kind::pong:
          if (has_joined(index)) break;
          set_joined(index);
          taken = Taken::joined;
          break;
        case NatsOperation::Kind::error:
          trouble_ = fmt::format("the server said: {}", operation.text);
          taken = Taken::refused;
          break;
        case NatsOperation::Kind::malformed: take_stray(index, operation.text); break;
        case NatsOperation::Kind::info:
        case NatsOperation::Kind::ok: break;
      }
    });
    return taken;
  }

 private:
  std::vector<NatsStream> streams_;  // by connection
};

class NatsDialect final : public PublisherDialect {
 public:
  NatsDialect(std::uint32_t publishers, std::uint32_t payload_bytes)
      : streams_(publishers), payload_bytes_{payload_bytes} {}

  Opcode opcode() const override { return Opcode::binary; }
  Endpoint endpoint(const Endpoint& server, std::uint32_t) const override {
    Endpoint endpoint = server;
    endpoint.target = "/";
    return endpoint;
  }
  std::string greeting() const override { return std::string{kNatsConnect}; }
  Around around(std::string_view channel) const override {
    return {fmt::format("PUB {} {}\r\n", channel, payload_bytes_), "\r\n"};
  }
  Answer take(std::uint32_t index, std::string_view text) override {
    Answer answer;
    streams_[index].feed(text, [&](const NatsOperation& operation) {
      if (operation.kind == NatsOperation::Kind::ping) answer.reply = kPong;
      if (operation.kind == NatsOperation::Kind::error || operation.kind == NatsOperation::Kind::malformed) {
        answer.refusal = operation.text;
      }
    });
    return answer;
  }

 private:
  std::vector<NatsStream> streams_;  // by publisher
  std::uint32_t payload_bytes_;
};

class NatsWire final : public Wire {
 public:
  std::optional<std::string> check(const LoadOptions& options) const override {
    return check_bare_payloads("nats", options);
  }
  std::unique_ptr<Verifier> verifier(const RunParts& parts, std::span<const PlannedConnection> connections) override {
    return std::make_unique<NatsVerifier>(parts, connections);
  }
  std::unique_ptr<Publisher> publisher(const RunParts& parts, PublicationSource& source) override {
    const std::uint32_t publishers = parts.options.publishers;
    return std::make_unique<PublisherThread>(
        parts.plan, source, std::make_unique<NatsDialect>(publishers, parts.options.payload), publishers);
  }
};

}  // namespace

std::unique_ptr<Wire> make_nats_wire() { return std::make_unique<NatsWire>(); }

}  // namespace ringcast
