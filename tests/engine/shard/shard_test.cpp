#include "engine/shard/shard.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>

#include "engine/time/system_clock.hpp"
#include "tests/engine/transport/harness.hpp"

namespace ringcast {
namespace {

using test::Peer;

/// One shard of a node of one, turned by the test itself.
class ShardTest : public ::testing::Test {
 protected:
  void make(nanoseconds spin = nanoseconds{0}) {
    auto features = probe_ring_features();
    ASSERT_TRUE(features) << features.error();
    auto board = DoorbellBoard::make(1);
    ASSERT_TRUE(board);
    board_ = std::move(*board);
    auto listeners =
        open_listeners({.family = BindAddress::Family::ipv4, .host = "127.0.0.1", .port = 0, .path = {}}, 1, {});
    ASSERT_TRUE(listeners) << listeners.error();
    port_ = listeners->front().address().port;
    auto shard = Shard::make({.index = ShardIndex{0},
                              .options = options_,
                              .clock = clock_,
                              .mesh = mesh_,
                              .doorbells = *board_,
                              .control = control_,
                              .block = *block_,
                              .all_blocks = {block_.get()},
                              .budget = budget_,
                              .features = *features,
                              .listeners = std::move(*listeners),
                              .spin = spin,
                              .seed = 7,
                              .control_event_fd = -1});
    ASSERT_TRUE(shard) << shard.error();
    shard_ = std::move(*shard);
    shard_->start();
  }
  void TearDown() override {
    if (shard_ != nullptr) shard_->finish();
  }
  [[nodiscard]] Peer connect() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return Peer{fd};
  }
  /// Turns, without resting, until `done()`; false after ten seconds. A bound on turns would be one on the machine's
  /// speed: 100,000 empty turns are less than the 100 ms a drain waits for its neighbours.
  [[nodiscard]] bool turn_until(auto done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      shard_->run_turn();
    }
    return true;
  }
  /// What the peer read until `part` was in it, or its connection ended, or ten seconds were over.
  [[nodiscard]] std::string turn_until_read(Peer& peer, std::string_view part) {
    std::string got;
    static_cast<void>(turn_until([&] {
      got += peer.read();
      return got.find(part) != std::string::npos || peer.at_end();
    }));
    return got;
  }
  [[nodiscard]] std::uint64_t counter(CounterId id) const {
    return block_->counters[std::to_underlying(id)].load(std::memory_order_relaxed);
  }

  CoreOptions options_ = [] {
    CoreOptions options;
    options.limits.connections = 100;
    options.namespaces.push_back({});
    return options;
  }();
  SystemClock clock_;
  Mesh mesh_{1, Mesh::bulk_bytes_for(options_.limits.message_bytes)};
  std::unique_ptr<DoorbellBoard> board_;
  ShardControl control_;
  std::unique_ptr<ShardBlock> block_ = std::make_unique<ShardBlock>();
  Budget budget_;
  std::unique_ptr<Shard> shard_;
  std::uint16_t port_ = 0;
};

constexpr std::string_view kUpgrade =
    "GET /ws/connect HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

TEST_F(ShardTest, AnswersAHandshakeThatComesByteByByte) {
  make();
  Peer peer = connect();
  for (const char c : kUpgrade) {
    ASSERT_EQ(peer.write(std::string(1, c)), 1U);
    shard_->run_turn();
  }
  const std::string answer = turn_until_read(peer, "welcome");
  EXPECT_EQ(answer.find("HTTP/1.1 101"), 0U) << answer;
  EXPECT_NE(answer.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), std::string::npos) << "RFC 6455 section 1.3";
}

class ShardIdleTest : public ShardTest, public ::testing::WithParamInterface<int> {};

TEST_P(ShardIdleTest, WithoutWorkARoundEndsAsleep) {
  make(microseconds{GetParam()});
  for (int i = 0; i < 10; ++i) shard_->run_turn();  // what start() submitted has been done
  const std::uint64_t sleeps = shard_->meter().sleeps;
  for (int i = 0; i < 4; ++i) {
    shard_->run_turn();
    shard_->rest();
  }
  EXPECT_GE(shard_->meter().sleeps - sleeps, 3U) << "one may find its deadline come";
}
INSTANTIATE_TEST_SUITE_P(AtOnceOrAfterPolling, ShardIdleTest, ::testing::Values(0, 50));

TEST_F(ShardTest, ASleeperIsWokenByASocketAndByTheControlThread) {
  make();
  Peer peer = connect();
  peer.write(std::string{kUpgrade});
  std::string got;
  for (int i = 0; i < 50 && got.find("welcome") == std::string::npos; ++i) {
    shard_->run_turn();
    got += peer.read();
    if (got.find("welcome") == std::string::npos) shard_->rest();
  }
  EXPECT_NE(got.find("welcome"), std::string::npos);
  control_.command.store(ShardCommand::stop, std::memory_order_release);
  board_->ring_event(ShardIndex{0});
  for (int i = 0; i < 10 && !shard_->stopping(); ++i) {
    shard_->rest();
    shard_->run_turn();
  }
  EXPECT_TRUE(shard_->stopping());
}

TEST_F(ShardTest, TellsTheCoreHowManyConnectionsTheNodeHas) {
  options_.limits.connections = 2;
  make();
  std::vector<Peer> peers;
  for (int i = 0; i < 2; ++i) {
    peers.push_back(connect());
    peers.back().write(std::string{kUpgrade});
    EXPECT_NE(turn_until_read(peers.back(), "welcome").find("HTTP/1.1 101"), std::string::npos);
  }
  Peer third = connect();
  third.write(std::string{kUpgrade});
  const std::string answer = turn_until_read(third, "\r\n\r\n");
  EXPECT_EQ(answer.find("HTTP/1.1 503"), 0U) << answer;
}

TEST_F(ShardTest, APeerThatResetsInTheMiddleOfAFrameIsGoneAndNobodyElse) {
  make();
  Peer broken = connect();
  Peer whole = connect();
  for (Peer* peer : {&broken, &whole}) {
    peer->write(std::string{kUpgrade});
    EXPECT_NE(turn_until_read(*peer, "welcome").find("101"), std::string::npos);
  }
  broken.write(
      std::string{"\x81\xfe\x01\x00"
                  "mask"
                  "half of",
                  15});
  for (int i = 0; i < 10; ++i) shard_->run_turn();
  broken.reset();
  EXPECT_TRUE(turn_until([&] { return shard_->core().connections() == 1; }));
  whole.write(
      std::string{"\x89\x80"
                  "mask",
                  6});  // a ping
  EXPECT_NE(turn_until_read(whole, std::string{"\x8a\x00", 2}), "") << "answered by a pong";
}

TEST_F(ShardTest, DrainsWhenTold) {
  make();
  Peer peer = connect();
  peer.write(std::string{kUpgrade});
  EXPECT_NE(turn_until_read(peer, "welcome").find("101"), std::string::npos);
  control_.command.store(ShardCommand::drain, std::memory_order_release);
  EXPECT_NE(turn_until_read(peer, "\x03\xe9").find("\x03\xe9"), std::string::npos) << "1001 in a close frame";
  peer.close();
  EXPECT_TRUE(turn_until([&] {
    shard_->rest();
    return control_.state.load() == ShardState::drained;
  }));
}

TEST_F(ShardTest, GivesBackWhatItWasCharged) {
  make();
  EXPECT_EQ(budget_.used(Purpose::receive_buffers), BufferRingOptions{}.count * BufferRingOptions{}.bytes_each);
  shard_->finish();
  shard_.reset();
  EXPECT_EQ(budget_.total(), 0U);
}

struct ConnectionsRow {
  const char* sentence;
  std::uint32_t limit;
  std::uint32_t shards;
  std::uint32_t fitting_least;
  std::uint32_t fitting_most;
};
constexpr ConnectionsRow kConnectionsRows[] = {
    {"the default fits one shard, with those that wait for their 503", 10'000, 1, 10'256, 10'256},
    {"a ring is the bound of a shard", 1'000'000, 4, 28'000, 32'768},
};
TEST(ShardConnections, AreBoundedByTheLimitAndByTheRing) {
  for (const ConnectionsRow& row : kConnectionsRows) {
    const std::uint32_t most = shard_connections_max({.connections = row.limit}, row.shards, 1);
    EXPECT_GE(most, row.fitting_least) << row.sentence;
    EXPECT_LE(most, row.fitting_most) << row.sentence;
    // The ring's queue is a power of two: what is beyond the limit is room for a reload.
    const std::uint32_t room = shard_connections_room({.connections = row.limit}, row.shards, 1);
    EXPECT_GE(room, most) << row.sentence;
    EXPECT_LE(room, row.fitting_most * 2) << row.sentence;
    EXPECT_GE(shard_connections_max({.connections = room - kRefusalSlots}, row.shards, 1), room) << row.sentence;
  }
}

TEST_F(ShardTest, GoesByTheOptionsThatItIsGivenAndSaysSo) {
  options_.limits.connections = 1;
  make();
  Peer first = connect();
  first.write(std::string{kUpgrade});
  EXPECT_NE(turn_until_read(first, "welcome").find("HTTP/1.1 101"), std::string::npos);
  EXPECT_EQ(control_.options_used.load(), &options_);
  CoreOptions fresh = options_;
  fresh.limits.connections = 2;
  fresh.memory_budget = 64_MiB;
  control_.options.store(&fresh, std::memory_order_release);
  shard_->run_turn();
  EXPECT_EQ(control_.options_used.load(), &fresh);
  EXPECT_EQ(budget_.limit(), 64_MiB);
  Peer second = connect();
  second.write(std::string{kUpgrade});
  EXPECT_NE(turn_until_read(second, "welcome").find("HTTP/1.1 101"), std::string::npos);
  shard_->finish();
}

}  // namespace
}  // namespace ringcast
