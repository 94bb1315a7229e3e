#include "engine/node/node.hpp"

#include <gtest/gtest.h>
#include <time.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "alloc/segment/ringcast_stats.h"
#include "engine/stats/node_view.hpp"
#include "tests/engine/node/node_fixture.hpp"

namespace ringcast {
namespace {

using test::contains;
using test::node_options;
using test::RunningNode;
using test::TestClient;

bool wait_until(auto&& condition) {
  for (int i = 0; i < 1'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds{10});
  }
  return condition();
}

class NodeShards : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(NodeShards, AMessageReachesEverySubscriberWhateverTheirShards) {
  RunningNode running{node_options(GetParam())};
  ASSERT_NE(running.node, nullptr);
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 12; ++i) {  // the kernel spreads them over the shards
    clients.push_back(std::make_unique<TestClient>(running.port()));
    clients.back()->send(R"({"type":"subscribe","id":1,"channels":["a","b","c"]})");
    ASSERT_TRUE(contains(clients.back()->wait_for("subscribed"), "subscribed"));
  }
  TestClient publisher{running.port()};
  for (int i = 0; i < 300; ++i) {
    const std::string channel(1, static_cast<char>('a' + i % 3));
    publisher.send(R"({"type":"publish","channel":")" + channel + R"(","data":{"n":)" + std::to_string(i) + "}}");
  }
  for (auto& client : clients) {
    std::vector<int> next{0, 1, 2};
    for (int i = 0; i < 300; ++i) {
      const std::string message = client->wait_for(R"("type":"message")");
      const std::size_t at = message.find(R"("data":{"n":)");
      ASSERT_NE(at, std::string::npos) << message;
      const int number = std::stoi(message.substr(at + 12));
      EXPECT_EQ(number, next[static_cast<std::size_t>(number % 3)]) << "each channel in order, without a hole";
      next[static_cast<std::size_t>(number % 3)] = number + 3;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(OneToFour, NodeShards, ::testing::Values(1U, 2U, 4U));

TEST(Node, AShardThatSleepsIsWokenByAnotherOnesMessage) {
  NodeOptions options = node_options(2);
  options.shards.spin = microseconds{0};  // every wait is a sleep
  RunningNode running{options};
  ASSERT_NE(running.node, nullptr);
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<TestClient>(running.port()));
    clients.back()->send(R"({"type":"subscribe","channels":["ping"]})");
    ASSERT_TRUE(contains(clients.back()->wait_for("subscribed"), "subscribed"));
  }
  for (int round = 0; round < 200; ++round) {
    clients[static_cast<std::size_t>(round) % clients.size()]->send(R"({"type":"publish","channel":"ping","data":)" +
                                                                    std::to_string(round) + "}");
    for (auto& client : clients) {
      const std::string message = client->wait_for(R"("type":"message")");
      ASSERT_TRUE(contains(message, R"("data":)" + std::to_string(round))) << message;
    }
  }
}

TEST(Node, IdleItSleeps) {
  RunningNode running{node_options(2)};
  ASSERT_NE(running.node, nullptr);
  TestClient client{running.port()};
  ASSERT_TRUE(contains(client.wait_for("welcome"), "welcome"));
  std::this_thread::sleep_for(milliseconds{300});  // the polls after the last event are over
  const auto cpu = [] {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return seconds{now.tv_sec} + nanoseconds{now.tv_nsec};
  };
  const auto before = cpu();
  std::this_thread::sleep_for(seconds{1});
  EXPECT_LT(cpu() - before, milliseconds{100}) << "two shards that polled would have used 2 s of processor time";
}

TEST(Node, SaysWhichAddressIsTaken) {
  RunningNode first{node_options(2)};
  ASSERT_NE(first.node, nullptr);
  NodeOptions options = node_options(2);
  options.listen[0].port = first.port();
  Log log{{.least = LogSeverity::off, .json = false, .file = stderr}};
  SystemClock clock;
  const auto second = Node::start(options, clock, log);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), "cannot listen on 127.0.0.1:" + std::to_string(first.port()) +
                                ": Address already in use (another program has it)");
}

TEST(Node, TwoOfOneNameCannotRun) {
  NodeOptions options = node_options(1);
  RunningNode first{options};
  ASSERT_NE(first.node, nullptr);
  Log log{{.least = LogSeverity::off, .json = false, .file = stderr}};
  SystemClock clock;
  const auto second = Node::start(options, clock, log);
  ASSERT_FALSE(second);
  EXPECT_TRUE(contains(second.error(), options.name)) << second.error();
}

struct RefusedRow {
  const char* sentence;
  std::uint32_t shards;
  std::vector<std::uint32_t> cores;
  std::uint32_t connections;
  std::string_view says;
};
TEST(Node, SaysWhatItsOptionsAskForInVain) {
  const RefusedRow rows[] = {
      {"a core that is not there", 1, {1'000}, 100, "core 1000"},
      {"more connections than the rings of its shards hold", 1, {}, 1'000'000, "raise shards.count"},
      {"more shards than there can be", 65, {}, 100, "at most 64"},
  };
  for (const RefusedRow& row : rows) {
    NodeOptions options = node_options(row.shards);
    options.shards.cores = row.cores;
    options.core.limits.connections = row.connections;
    Log log{{.least = LogSeverity::off, .json = false, .file = stderr}};
    SystemClock clock;
    const auto node = Node::start(options, clock, log);
    ASSERT_FALSE(node) << row.sentence;
    EXPECT_TRUE(contains(node.error(), row.says)) << row.sentence << ": " << node.error();
    EXPECT_FALSE(std::filesystem::exists("/dev/shm/ringcast." + options.name)) << "nothing is left behind";
  }
}

TEST(Node, ListensOnEveryAddressItIsGiven) {
  NodeOptions options = node_options(2);
  const std::string path = testing::TempDir() + options.name + ".sock";
  options.listen.push_back(
      {.family = ListenAddress::Family::ipv6, .host = "::1", .port = 0, .path = {}, .loopback = true});
  options.listen.push_back(
      {.family = ListenAddress::Family::unix_path, .host = {}, .port = 0, .path = path, .loopback = true});
  RunningNode running{options};
  ASSERT_NE(running.node, nullptr);
  ASSERT_EQ(running.node->addresses().size(), 3U);
  const auto& addresses = running.node->addresses();
  for (const std::string& url : {"ws://" + to_text(addresses[0]) + "/ws/connect",
                                 "ws://" + to_text(addresses[1]) + "/ws/connect", "unix:" + path + ":/ws/connect"}) {
    const auto endpoint = parse_endpoint(url);
    ASSERT_TRUE(endpoint) << endpoint.error();
    const auto client = Client::open(*endpoint, {});
    EXPECT_TRUE(client) << url << ": " << (client ? "" : client.error().sentence);
  }
}

TEST(Node, EndsGracefullyWithGoodbyeToEveryClient) {
  RunningNode running{node_options(2)};
  ASSERT_NE(running.node, nullptr);
  const std::uint16_t port = running.port();
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<TestClient>(port));
    ASSERT_TRUE(contains(clients.back()->wait_for("welcome"), "welcome"));
  }
  running.node->begin_shutdown();
  for (auto& client : clients) {
    (void)client->wait_for("nothing of the kind");
    EXPECT_TRUE(client->closed());
    EXPECT_EQ(value(client->code()), 1001);
  }
  EXPECT_TRUE(wait_until([&] { return running.node->drained(); }));
  EXPECT_EQ(running.node->connections(), 0U);
  const auto endpoint = parse_endpoint("ws://127.0.0.1:" + std::to_string(port) + "/ws/connect");
  EXPECT_FALSE(Client::open(*endpoint, {})) << "it accepts nobody any more";
  running.node->stop();
}

TEST(Node, StoppedAtOnceResetsWhoIsLeft) {
  auto running = std::make_unique<RunningNode>(node_options(2));
  ASSERT_NE(running->node, nullptr);
  TestClient client{running->port()};
  ASSERT_TRUE(contains(client.wait_for("welcome"), "welcome"));
  running->node->stop();
  (void)client.wait_for("nothing");
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(client.code(), CloseCode::abnormal);
  running.reset();
}

TEST(Node, TellsReadersOfItsSegmentHowItIs) {
  const NodeOptions options = node_options(2);
  {
    RunningNode running{options};
    ASSERT_NE(running.node, nullptr);
    TestClient client{running.port()};
    ASSERT_TRUE(contains(client.wait_for("welcome"), "welcome"));
    std::this_thread::sleep_for(kWatchInterval);
    running.node->tick();
    rcs_reader* reader = nullptr;
    char sentence[256] = {};
    ASSERT_EQ(rcs_open(options.name.c_str(), &reader, sentence), RCS_OK) << sentence;
    const auto view = take_view(reader);
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->health.present);
    EXPECT_EQ(view->health.state, static_cast<std::uint32_t>(RCS_HEALTHY))
        << (view->health.reasons.empty() ? "" : view->health.reasons[0]);
    EXPECT_EQ(view->total("connections_open"), 1U);
    EXPECT_GT(view->memory.record.rss_bytes, 1'000'000U);
    EXPECT_GT(view->memory.record.accounted_bytes, 8'000'000U) << "receive buffers of two shards at least";
    bool kernel_found = false;
    for (const FindingView& finding : view->findings) kernel_found = kernel_found || finding.key == "io_uring_sends";
    EXPECT_TRUE(kernel_found);
    rcs_close(reader);
  }
  EXPECT_FALSE(std::filesystem::exists("/dev/shm/ringcast." + options.name));
}

}  // namespace
}  // namespace ringcast
