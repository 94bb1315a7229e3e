#include "bench/system/limit_wire.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <numeric>

#include "codec/text/numbers.hpp"
#include "tools/load/payload_verifier.hpp"

namespace ringcast {
namespace {

constexpr seconds kStartTime{5};    // from the last handshake to the program's "start"
constexpr double kPatience = 1.25;  // of the time that it was given, and the drain time on top

class LimitVerifier final : public PayloadVerifier {
 public:
  LimitVerifier(const RunParts& parts, std::span<const PlannedConnection> connections, LimitAccount& account)
      : PayloadVerifier{parts, connections, SlowTail::due}, account_{account} {}

  std::string target(std::uint32_t index, std::string_view) const override { return "/sub/" + channel_of(index); }
  std::string greeting(std::uint32_t) const override { return {}; }
  /// "start" comes to all at once, when the last has connected: nobody may wait for it before connecting the next.
  bool opened(std::uint32_t) override { return true; }

  Taken take(std::uint32_t index, std::string_view text, Instant now) override {
    if (has_joined(index) && text.starts_with('{')) [[likely]] return take_payload(index, text, now);
    const auto notice = parse_limit_notice(text);
    if (!notice || (notice->kind == LimitNotice::Kind::start) == has_joined(index)) {
      take_stray(index, text);
      return Taken::notice;
    }
    const bool start = notice->kind == LimitNotice::Kind::start;
    if (!(start ? account_.agree_start(notice->number) : account_.agree_end(target_of(index), notice->number))) {
      trouble_ = fmt::format("the limit program contradicts itself: {}", text);
      return Taken::refused;
    }
    if (start) set_joined(index);
    return Taken::notice;
  }

 private:
  LimitAccount& account_;
};

/// Watches the program publish.
class LimitPublisher final : public Publisher {
 public:
  LimitPublisher(const LoadOptions& options, const LimitAccount& account) : options_{options}, account_{account} {}

  Result<SocketAddress, std::string> connect(const Endpoint& endpoint, int) override {
    const auto addresses = resolve(endpoint);
    if (!addresses) return unexpected(addresses.error());
    return addresses->front();
  }
  Instant start_time(Instant proposed) override {
    const Instant deadline = monotonic_now() + kStartTime;
    while (account_.start() == Instant{} && monotonic_now() < deadline) {
      const timespec pause{.tv_sec = 0, .tv_nsec = 1'000'000};
      nanosleep(&pause, nullptr);
    }
    return account_.start() == Instant{} ? proposed : account_.start();
  }
  void start(Instant start) override {
    const double time = (options_.warmup + options_.duration) * kPatience + options_.drain;
    deadline_ = start + nanoseconds{static_cast<nanoseconds::rep>(time * 1e9)};
  }
  void stop_and_join() override {}
  bool done() const override { return account_.ended() || monotonic_now() > deadline_; }
  std::uint64_t sent() const override {
    const auto published = account_.published();
    return std::accumulate(published.begin(), published.end(), std::uint64_t{0});
  }
  std::vector<std::uint64_t> published() const override { return account_.published(); }
  std::string failure() const override {
    return account_.ended() ? std::string{} : "the limit program did not say that it ended";
  }

 private:
  const LoadOptions& options_;
  const LimitAccount& account_;
  Instant deadline_{};
};

class LimitWire final : public Wire {
 public:
  std::optional<std::string> check(const LoadOptions& options) const override {
    if (options.connect_only) return "--connect-only: the limit program ends only after it has sent";
    return check_bare_payloads("limit", options);
  }
  std::uint32_t publishers(const LoadOptions&) const override { return 1; }  // its counters are of source 0
  std::unique_ptr<Verifier> verifier(const RunParts& parts, std::span<const PlannedConnection> connections) override {
    return std::make_unique<LimitVerifier>(parts, connections, account(parts));
  }
  std::unique_ptr<Publisher> publisher(const RunParts& parts, PublicationSource&) override {
    return std::make_unique<LimitPublisher>(parts.options, account(parts));
  }

 private:
  LimitAccount& account(const RunParts& parts) {
    if (!account_) account_ = std::make_unique<LimitAccount>(parts.plan.names.size());
    return *account_;
  }
  std::unique_ptr<LimitAccount> account_;
};

}  // namespace

std::optional<LimitNotice> parse_limit_notice(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::string_view word = text.substr(0, space);
  const auto number = parse_uint64(text.substr(space + 1));
  if (!number || (word != "start" && word != "end")) return std::nullopt;
  return LimitNotice{word == "start" ? LimitNotice::Kind::start : LimitNotice::Kind::end, *number};
}

bool LimitAccount::ended() const {
  return std::ranges::all_of(ends_, [](const auto& end) { return end.load(std::memory_order_acquire) != 0; });
}

std::vector<std::uint64_t> LimitAccount::published() const {
  std::vector<std::uint64_t> published;
  for (const auto& end : ends_) {
    const std::uint64_t told = end.load(std::memory_order_acquire);
    published.push_back(told == 0 ? 0 : told - 1);
  }
  return published;
}

std::unique_ptr<Wire> make_limit_wire() { return std::make_unique<LimitWire>(); }

}  // namespace ringcast
