#include "tools/load/own_wires.hpp"

#include <fmt/format.h>

#include <array>

#include "codec/text/channel_name.hpp"
#include "tools/load/binary_publisher.hpp"
#include "tools/load/binary_verifier.hpp"
#include "tools/load/exchange_join.hpp"
#include "tools/load/native_verifier.hpp"
#include "tools/load/payload_verifier.hpp"

namespace ringcast {
namespace {

/// Every wire of ours but the binary one publishes in the native dialect.
std::unique_ptr<Publisher> native_publisher(const RunParts& parts, PublicationSource& source) {
  return std::make_unique<PublisherThread>(parts.plan, source, std::make_unique<NativePublisherDialect>(),
                                           parts.options.publishers);
}

/// A dialect that numbers its messages.
template <class DialectVerifier>
class SequencedWire : public Wire {
 public:
  std::unique_ptr<Verifier> verifier(const RunParts& parts, std::span<const PlannedConnection> connections) override {
    if (!bases_) bases_ = std::make_unique<ChannelBases>(parts.plan.names.size());
    return std::make_unique<DialectVerifier>(SequencedParts{.plan = parts.plan,
                                                            .connections = connections,
                                                            .payload_bytes = parts.options.payload,
                                                            .bases = *bases_,
                                                            .publishing = parts.control.publishing,
                                                            .measure_from = parts.control.measure_from,
                                                            .resumes = parts.options.resume});
  }
  std::unique_ptr<Publisher> publisher(const RunParts& parts, PublicationSource& source) override {
    return native_publisher(parts, source);
  }

 private:
  std::unique_ptr<ChannelBases> bases_;  // shared by the threads' verifiers
};

using NativeWire = SequencedWire<NativeVerifier>;

class BinaryWire final : public SequencedWire<BinaryVerifier> {
 public:
  std::optional<std::string> check(const LoadOptions& options) const override {
    if (options.replays_feed()) return "--feed is verified in the exchange dialect: not with --binary";
    const std::size_t digits = 6;
    if (options.prefix && options.prefix->size() + digits > kChannelNameBytesMax) {
      return fmt::format("--prefix has at most {} bytes", kChannelNameBytesMax - digits);
    }
    return std::nullopt;
  }
  std::unique_ptr<Publisher> publisher(const RunParts& parts, PublicationSource& source) override {
    return std::make_unique<PublisherThread>(
        parts.plan, source, std::make_unique<BinaryPublisherDialect>(parts.options.payload), parts.options.publishers);
  }
};

class RawVerifier final : public PayloadVerifier {
 public:
  RawVerifier(const RunParts& parts, std::span<const PlannedConnection> connections)
      : PayloadVerifier{parts, connections, SlowTail::due}, asks_{!parts.options.connect_only} {}

  std::string target(std::uint32_t index, std::string_view query) const override {
    return exchange_target({&channel_of(index), 1}, query);
  }
  /// The URL is the subscription, and at its home shard it stands when the handshake is answered. Who publishes asks
  /// all the same: elsewhere it may come a moment later.
  std::string greeting(std::uint32_t) const override { return asks_ ? std::string{kListSubscriptions} : std::string{}; }
  bool opened(std::uint32_t index) override {
    if (!asks_) set_joined(index);
    return !asks_;
  }
  Taken take(std::uint32_t index, std::string_view text, Instant now) override {
    if (has_joined(index)) [[likely]]
      return take_payload(index, text, now);
    trouble_ = exchange_join_fault(text, {&channel_of(index), 1});
    if (!trouble_.empty()) return Taken::refused;
    set_joined(index);
    return Taken::joined;
  }

 private:
  bool asks_;
};

class RawWire final : public Wire {
 public:
  std::optional<std::string> check(const LoadOptions& options) const override {
    return check_bare_payloads("raw", options);
  }
  std::unique_ptr<Verifier> verifier(const RunParts& parts, std::span<const PlannedConnection> connections) override {
    return std::make_unique<RawVerifier>(parts, connections);
  }
  std::unique_ptr<Publisher> publisher(const RunParts& parts, PublicationSource& source) override {
    return native_publisher(parts, source);
  }
};

class FeedWire final : public Wire {
 public:
  FeedWire(const Feed& feed, const FeedClock& clock) : feed_{feed}, clock_{clock} {}
  std::unique_ptr<Verifier> verifier(const RunParts& parts, std::span<const PlannedConnection> connections) override {
    return std::make_unique<FeedVerifier>(parts.plan, connections, feed_, clock_);
  }
  std::unique_ptr<Publisher> publisher(const RunParts& parts, PublicationSource& source) override {
    return native_publisher(parts, source);
  }

 private:
  const Feed& feed_;
  const FeedClock& clock_;
};

}  // namespace

std::unique_ptr<Wire> make_native_wire() { return std::make_unique<NativeWire>(); }
std::unique_ptr<Wire> make_binary_wire() { return std::make_unique<BinaryWire>(); }
std::unique_ptr<Wire> make_raw_wire() { return std::make_unique<RawWire>(); }
std::unique_ptr<Wire> make_feed_wire(const Feed& feed, const FeedClock& clock) {
  return std::make_unique<FeedWire>(feed, clock);
}

std::span<const WireRow> own_wires() {
  static constexpr std::array kRows{WireRow{"native", make_native_wire}, WireRow{"binary", make_binary_wire},
                                    WireRow{"raw", make_raw_wire}};
  return kRows;
}

}  // namespace ringcast
