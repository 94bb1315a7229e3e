// tests/engine/node/node_fixture.hpp: a node on a port of its own, and clients that wait for what they are told to.
//
// Owner    one test.  Thread  the test's; the shards have theirs.  Memory  the node.
// Failure  every wait ends after ten seconds and fails the test.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engine/node/node.hpp"
#include "engine/time/system_clock.hpp"
#include "tools/client/client.hpp"

namespace ringcast::test {

inline std::string unique_name() {
  static std::atomic<int> number{0};
  return "test-" + std::to_string(getpid()) + "-" + std::to_string(number.fetch_add(1));
}

inline NodeOptions node_options(std::uint32_t shards = 2) {
  NodeOptions options;
  options.name = unique_name();
  options.listen = {ListenAddress{}};
  options.admin.reset();
  options.shards.count = shards;
  options.log.level = LogLevel::off;
  options.core.limits.connections = 500;
  options.core.shards = shards;
  return options;
}

class TestClient {
 public:
  TestClient(std::uint16_t port, std::string_view target = "/ws/connect") {
    const auto endpoint = parse_endpoint("ws://127.0.0.1:" + std::to_string(port) + std::string{target});
    EXPECT_TRUE(endpoint);
    auto client = Client::open(*endpoint, {});
    EXPECT_TRUE(client) << client.error().sentence;
    if (client) client_ = std::make_unique<Client>(std::move(*client));
  }
  void send(std::string_view text) {
    client_->queue_text(text);
    client_->flush();
  }
  /// Waits until a text that contains `part` comes; returns it, or what came instead of it at the end.
  std::string wait_for(std::string_view part) {
    const Instant deadline = monotonic_now() + seconds{10};
    for (;;) {
      const Client::Event event = client_->wait(deadline);
      if (event.kind == Client::Event::Kind::text) {
        if (event.text.find(part) != std::string_view::npos) return std::string{event.text};
        continue;
      }
      closed_ = event.kind == Client::Event::Kind::closed;
      code_ = event.code;
      return closed_ ? "closed: " + std::to_string(value(event.code)) + " " + event.reason : "timeout";
    }
  }
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] CloseCode code() const { return code_; }

 private:
  std::unique_ptr<Client> client_;
  bool closed_ = false;
  CloseCode code_ = CloseCode::abnormal;
};

struct RunningNode {
  explicit RunningNode(const NodeOptions& options) {
    auto started = Node::start(options, clock, log);
    EXPECT_TRUE(started) << started.error();
    if (started) node = std::move(*started);
  }
  [[nodiscard]] std::uint16_t port() const { return node->addresses().at(0).port; }

  SystemClock clock;
  Log log{{.least = LogSeverity::off, .json = false, .file = stderr}};
  std::unique_ptr<Node> node;
};

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace ringcast::test
