#include "bench/system/peer_wires.hpp"

#include <fmt/format.h>

#include "tools/load/feed_verifier.hpp"
#include "tools/load/payload_verifier.hpp"

namespace ringcast {
namespace {

/// The place that the URL names, with another path.
Endpoint at(Endpoint server, std::string target) {
  server.target = std::move(target);
  return server;
}

class PathVerifier : public PayloadVerifier {
 public:
  using PayloadVerifier::PayloadVerifier;

  std::string target(std::uint32_t index, std::string_view) const override { return "/sub/" + channel_of(index); }
  std::string greeting(std::uint32_t) const override { return {}; }
};

class HubVerifier final : public PathVerifier {
 public:
  using PathVerifier::PathVerifier;

  Taken take(std::uint32_t index, std::string_view text, Instant now) override {
    if (has_joined(index)) [[likely]] return take_payload(index, text, now);
    if (text != "joined") {
      trouble_ = fmt::format("the server said something else than 'joined': {}", text.substr(0, 200));
      return Taken::refused;
    }
    set_joined(index);
    return Taken::joined;
  }
};

class HubDialect final : public PublisherDialect {
 public:
  Endpoint endpoint(const Endpoint& server, std::uint32_t) const override { return at(server, "/pub"); }
  Around around(std::string_view channel) const override { return {std::string{channel} + '\n', {}}; }
  Answer take(std::uint32_t, std::string_view text) override { return {std::string{text.substr(0, 200)}, {}}; }
};

/// A captured feed by a hub, one stream a connection: bare payloads, as ringcast's raw streams have them.
class HubFeedVerifier final : public FeedVerifier {
 public:
  using FeedVerifier::FeedVerifier;

  std::string greeting(std::uint32_t) const override { return {}; }
  std::string target(std::uint32_t index, std::string_view) const override {
    return "/sub/" + streams_of(index).front();
  }

 protected:
  Taken take_reply(std::uint32_t, std::string_view text) override {
    if (text == "joined") return Taken::joined;
    trouble_ = fmt::format("the server said something else than 'joined': {}", text.substr(0, 200));
    return Taken::refused;
  }
};

class HubFeedWire final : public Wire {
 public:
  HubFeedWire(const Feed& feed, const FeedClock& clock) : feed_{feed}, clock_{clock} {}
  std::unique_ptr<Verifier> verifier(const RunParts& parts, std::span<const PlannedConnection> connections) override {
    return std::make_unique<HubFeedVerifier>(parts.plan, connections, feed_, clock_);
  }
  std::unique_ptr<Publisher> publisher(const RunParts& parts, PublicationSource& source) override {
    return std::make_unique<PublisherThread>(parts.plan, source, std::make_unique<HubDialect>(),
                                             parts.options.publishers);
  }

 private:
  const Feed& feed_;
  const FeedClock& clock_;
};

class NchanVerifier final : public PathVerifier {
 public:
  using PathVerifier::PathVerifier;

  bool opened(std::uint32_t index) override {
    set_joined(index);
    return true;
  }
  Taken take(std::uint32_t index, std::string_view text, Instant now) override {
    return take_payload(index, text, now);
  }
};

class NchanDialect final : public PublisherDialect {
 public:
  explicit NchanDialect(const LoadPlan& plan) : plan_{plan} {}
  /// With one publisher a channel, the publisher's number is the channel's.
  Endpoint endpoint(const Endpoint& server, std::uint32_t index) const override {
    return at(server, "/pub/" + plan_.names[index]);
  }
  Around around(std::string_view) const override { return {}; }
  /// It tells of every message how many are queued.
  Answer take(std::uint32_t, std::string_view) override { return {}; }

 private:
  const LoadPlan& plan_;
};

template <class PeerVerifier>
class PathWire : public Wire {
 public:
  explicit PathWire(std::string_view name) : name_{name} {}
  std::optional<std::string> check(const LoadOptions& options) const override {
    return check_bare_payloads(name_, options);
  }
  std::unique_ptr<Verifier> verifier(const RunParts& parts, std::span<const PlannedConnection> connections) override {
    return std::make_unique<PeerVerifier>(parts, connections, SlowTail::dropped);
  }

 private:
  std::string_view name_;
};

class HubWire final : public PathWire<HubVerifier> {
 public:
  using PathWire::PathWire;
  std::optional<std::string> check(const LoadOptions& options) const override {
    if (!options.replays_feed()) return PathWire::check(options);
    if (options.streams_per_connection == 1) return std::nullopt;
    return "a hub has one channel a connection: --feed needs --streams-per-connection 1";
  }
  std::unique_ptr<Wire> for_feed(const Feed& feed, const FeedClock& clock) const override {
    return std::make_unique<HubFeedWire>(feed, clock);
  }
  std::unique_ptr<Publisher> publisher(const RunParts& parts, PublicationSource& source) override {
    return std::make_unique<PublisherThread>(parts.plan, source, std::make_unique<HubDialect>(),
                                             parts.options.publishers);
  }
};

class NchanWire final : public PathWire<NchanVerifier> {
 public:
  using PathWire::PathWire;
  std::uint32_t publishers(const LoadOptions& options) const override { return options.channels; }
  std::unique_ptr<Publisher> publisher(const RunParts& parts, PublicationSource& source) override {
    return std::make_unique<PublisherThread>(parts.plan, source, std::make_unique<NchanDialect>(parts.plan),
                                             parts.options.publishers);
  }
};

}  // namespace

std::unique_ptr<Wire> make_hub_wire() { return std::make_unique<HubWire>("bun, ws or gorilla"); }
std::unique_ptr<Wire> make_nchan_wire() { return std::make_unique<NchanWire>("nchan"); }

}  // namespace ringcast
