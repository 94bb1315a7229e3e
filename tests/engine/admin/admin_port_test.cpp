// The admin port over real sockets, with a node that is played: who may do what on each path, and what is told of it.
#include "engine/admin/admin_port.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "engine/admin/routes.hpp"
#include "engine/stats/stats_segment.hpp"
#include "engine/time/system_clock.hpp"
#include "tests/doubles/test_certificates.hpp"
#include "tests/doubles/tls_peer.hpp"

namespace ringcast {
namespace {

class PlayedHost final : public AdminHost {
 public:
  explicit PlayedHost(bool takes_tokens) : takes_tokens_{takes_tokens} {}

  [[nodiscard]] bool authenticates() const override { return takes_tokens_; }
  [[nodiscard]] Result<Grant, TokenError> verify(const std::string& token) override {
    if (token != "admin" && token != "reader") return unexpected(TokenError::bad_signature);
    Grant grant;
    grant.user = token == "admin" ? "alice" : "bob";
    grant.admin = token == "admin";
    return grant;
  }
  void drain() override { ++drains; }
  [[nodiscard]] std::optional<AdminReload> reload(const std::string& who) override {
    return AdminReload{.loaded = true, .changed = {who}, .needs_restart = {}, .problems = {}};
  }
  void record(EventCode code, std::uint16_t status, const std::string& text) override {
    records.push_back(std::string{kEvents[std::to_underlying(code)].label} + " " + std::to_string(status) + " " + text);
  }

  int drains = 0;                    // these two belong to the control thread
  std::vector<std::string> records;

 private:
  bool takes_tokens_;
};

/// A node with one shard that answers every question with nothing, and a control thread.
class AdminPortTest : public testing::Test {
 protected:
  void start(bool takes_tokens) {
    options.shards = 1;
    options.limits.message_bytes = 8'000;
    auto created = StatsSegment::create("admin-" + std::to_string(::getpid()), "ringcast/test", 1, clock.now(),
                                        testing::TempDir());
    ASSERT_TRUE(created);
    segment.emplace(std::move(*created));
    segment->set_run_state(RCS_RUN_RUNNING);
    own_stats.emplace(segment->node_block().own);
    auto board = DoorbellBoard::make(1);
    ASSERT_TRUE(board);
    doorbells = std::move(*board);
    host.emplace(takes_tokens);
    auto opened = AdminPort::open({.host = "127.0.0.1",
                                   .port = 0,
                                   .ipv6 = false,
                                   .options = options,
                                   .segment_path = segment->path(),
                                   .doorbells = *doorbells,
                                   .clock = clock,
                                   .host_of_node = *host,
                                   .wake_fd = -1,
                                   .tls = tls});
    ASSERT_TRUE(opened) << opened.error();
    port = std::move(*opened);
    port->start();
    shard = std::thread{[this] {
      while (!ended) answer_one();
    }};
    control = std::thread{[this] {
      while (!ended) {
        port->tick(*own_stats);
        std::this_thread::sleep_for(milliseconds{1});
      }
    }};
  }
  void stop() {
    if (!control.joinable()) return;
    ended = true;
    control.join();
    port->stop(*own_stats);
    shard.join();
  }
  void TearDown() override { stop(); }

  void answer_one() {
    AdminLane& lane = port->lane(0);
    const Bytes record = deaf ? Bytes{} : lane.questions.peek();
    if (record.empty()) {
      std::this_thread::sleep_for(microseconds{100});
      return;
    }
    const AdminQuestionHead asked = read_question(record).head;
    lane.questions.pop();
    lane.questions.release();
    const MutableBytes room = lane.answers.reserve(sizeof(AdminAnswerHead));
    store(room.data(), AdminAnswerHead{.ask = asked.ask, .serial = asked.serial, .count = 1});
    lane.answers.commit();
    lane.answers.publish();
  }

  [[nodiscard]] int connected() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port->port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    return fd;
  }
  /// The status that is answered, and what the whole answer is.
  int request(const std::string& text, std::string* answer = nullptr) const {
    const int fd = connected();
    EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    std::string all;
    std::array<char, 4'096> piece;
    for (ssize_t got = 0; (got = ::recv(fd, piece.data(), piece.size(), 0)) > 0;) {
      all.append(piece.data(), static_cast<std::size_t>(got));
    }
    ::close(fd);
    if (answer != nullptr) *answer = all;
    return all.size() > 12 ? std::stoi(all.substr(9, 3)) : 0;
  }
  static std::string text(std::string_view method, std::string_view path, std::string_view fields = {}) {
    std::string out = std::string{method} + " " + std::string{path} + " HTTP/1.1\r\nHost: localhost\r\n" +
                      "Connection: close\r\n" + std::string{fields};
    if (method != "POST") return out + "\r\n";
    return out + "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"data\":1}";
  }
  /// A request of the row's path, with something in its braces.
  static std::string text_of(const AdminRouteRow& row, std::string_view fields = {}) {
    std::string path{row.path};
    if (const std::size_t open = path.find('{'); open != std::string::npos) {
      path.replace(open, path.find('}') - open + 1, "0123456789abcdef");
    }
    return text(row.method, path, fields);
  }

  std::shared_ptr<const TlsContext> tls;  // of a port that is started after it is set
  SystemClock clock;
  CoreOptions options;
  std::optional<StatsSegment> segment;
  std::optional<ShardStats> own_stats;
  std::unique_ptr<DoorbellBoard> doorbells;
  std::optional<PlayedHost> host;
  std::unique_ptr<AdminPort> port;
  std::atomic<bool> ended{false};
  std::atomic<bool> deaf{false};  // the shard takes no questions
  std::thread shard, control;
};

TEST_F(AdminPortTest, EveryPathForAdministratorsIsForNobodyElse) {
  start(true);
  struct Row {
    std::string_view sentence, fields;
    int refused;  // with this status; 0: let in
  };
  constexpr Row kVisitors[] = {
      {"who has no token", "", 401},
      {"who has a bad token", "Authorization: Bearer none\r\n", 401},
      {"who sends a password", "Authorization: Basic YWRtaW46YWRtaW4=\r\n", 401},
      {"who is somebody else", "Authorization: Bearer reader\r\n", 403},
      {"a page from elsewhere without a token", "Origin: https://evil.example\r\n", 403},
      {"a page from elsewhere with a bad token", "Origin: https://evil.example\r\nAuthorization: Bearer none\r\n", 403},
      {"a proxy without a token", "X-Forwarded-For: 1.2.3.4\r\n", 403},
      {"an administrator", "Authorization: Bearer admin\r\n", 0},
      {"an administrator behind a proxy", "Via: 1.1 proxy\r\nAuthorization: Bearer admin\r\n", 0},
      {"an administrator's page elsewhere", "Origin: https://desk.example\r\nAuthorization: Bearer admin\r\n", 0},
  };
  for (const AdminRouteRow& route : admin_routes()) {
    for (const Row& row : kVisitors) {
      const int status = request(text_of(route, row.fields));
      const bool of_page_or_proxy = row.refused == 403 && row.sentence != "who is somebody else";
      if (row.refused != 0 && (route.role == AdminRole::administrator || of_page_or_proxy)) {
        EXPECT_EQ(status, row.refused) << row.sentence << " at " << route.method << ' ' << route.path;
      } else {
        EXPECT_NE(status, 401) << row.sentence << " at " << route.method << ' ' << route.path;
        EXPECT_NE(status, 403) << row.sentence << " at " << route.method << ' ' << route.path;
      }
    }
  }
  stop();
  EXPECT_EQ(host->drains, 3) << "as often as an administrator asked";
  EXPECT_EQ(std::ranges::count(host->records, "admin_action 202 alice: drain"), 3);
  EXPECT_TRUE(std::ranges::any_of(host->records, [](const std::string& record) {
    return record.starts_with("admin_refused 401 auth_failed 127.0.0.1:") && record.ends_with(" /metrics");
  }));
  EXPECT_NE(own_stats->get(CounterId::admin_refused_auth_required), 0U);
  EXPECT_NE(own_stats->get(CounterId::admin_refused_auth_failed), 0U);
  EXPECT_NE(own_stats->get(CounterId::admin_refused_unauthorized), 0U);
  EXPECT_NE(own_stats->get(CounterId::admin_refused_foreign_origin), 0U);
  EXPECT_NE(own_stats->get(CounterId::admin_refused_forwarded), 0U);
}

TEST_F(AdminPortTest, WhereNobodyAuthenticatesATokenIsNothing) {
  start(false);
  EXPECT_EQ(request(text("GET", "/metrics")), 200);
  EXPECT_EQ(request(text("GET", "/metrics", "Origin: https://evil.example\r\nAuthorization: Bearer admin\r\n")), 403);
  EXPECT_EQ(request(text("GET", "/metrics", "X-Forwarded-For: 1.2.3.4\r\nAuthorization: Bearer admin\r\n")), 403);
}

TEST_F(AdminPortTest, WhoIsRefusedIsToldHowToAuthenticate) {
  start(true);
  std::string answer;
  EXPECT_EQ(request(text("GET", "/metrics"), &answer), 401);
  EXPECT_NE(answer.find("\r\nWWW-Authenticate: Bearer\r\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find(R"({"error":{"code":"auth_required",)"), std::string::npos) << answer;
}

TEST_F(AdminPortTest, AReloadSaysWhoWantedItAndWhatCameOfIt) {
  start(true);
  std::string answer;
  const std::string token = "Authorization: Bearer admin\r\n";
  EXPECT_EQ(request(text("POST", "/api/v1/websocket/config/reload", token), &answer), 200);
  EXPECT_NE(answer.find(R"({"loaded":true,"changed":["alice"],"needs_restart":[],"problems":[]})"), std::string::npos)
      << answer;
}

TEST_F(AdminPortTest, AResponseIsPackedForWhoAsksForIt) {
  start(false);
  std::string plain, packed;
  EXPECT_EQ(request(text("GET", "/metrics"), &plain), 200);
  EXPECT_EQ(request(text("GET", "/metrics", "Accept-Encoding: gzip\r\n"), &packed), 200);
  EXPECT_NE(packed.find("Content-Encoding: gzip"), std::string::npos);
  EXPECT_LT(packed.size(), plain.size() / 2);
}

TEST_F(AdminPortTest, APortEndsAlthoughClientsHoldItsThreads) {
  start(false);
  std::vector<int> idle;
  for (int i = 0; i < 10; ++i) idle.push_back(connected());
  const Instant began = clock.now().mono;
  stop();
  EXPECT_LT(clock.now().mono - began, seconds{3});
  for (const int fd : idle) ::close(fd);
}

TEST_F(AdminPortTest, AShardThatDoesNotAnswerDoesNotHoldUpTheEnd) {
  start(false);
  deaf = true;
  std::thread asker{[this] {
    const std::string channels = [] {
      std::string list;
      for (int i = 0; i < 100; ++i) list += (i == 0 ? "\"c" : ",\"c") + std::to_string(i) + "\"";
      return list;
    }();
    const std::string body = R"({"channels":[)" + channels + R"(],"data":1})";
    (void)request("POST /api/v1/websocket/broadcast HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                  "Content-Type: application/json\r\nContent-Length: " +
                  std::to_string(body.size()) + "\r\n\r\n" + body);
  }};
  std::this_thread::sleep_for(milliseconds{200});
  const Instant began = clock.now().mono;
  stop();
  EXPECT_LT(clock.now().mono - began, seconds{2}) << "a hundred questions would take two hundred seconds";
  asker.join();
}

// ---- over TLS ----

struct Pki {
  test::TestCertificate authority{""};
  test::TestCertificate first{"DNS:first.example", &authority};
  test::TestCertificate second{"DNS:second.example", &authority};
};
const Pki& pki() {
  static const Pki made;
  return made;
}
std::shared_ptr<const TlsContext> context_of(const test::TestCertificate& certificate, const TlsContext* before) {
  TlsOptions from;
  from.certificates = {certificate.certificate_file()};
  from.keys = {certificate.key_file()};
  auto context = TlsContext::load(from, before, Instant{hours{1}});
  EXPECT_TRUE(context) << context.error();
  return *context;
}
constexpr std::string_view kGetIndex = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

TEST_F(AdminPortTest, NewConnectionsGetTheCertificatesOfTheReloadAndOldOnesStay) {
  tls = context_of(pki().first, nullptr);
  start(false);
  const auto is_served = [](test::TlsPeer& peer) {
    peer.client().forget_heard();
    peer.say(kGetIndex);
    return peer.hear("</html>") && peer.client().heard().starts_with("HTTP/1.1 200 ");
  };
  test::TlsPeer old{connected(), {.server_name = "first.example", .authority = &pki().authority}};
  ASSERT_TRUE(old.shake_hands()) << old.client().trouble();
  EXPECT_TRUE(is_served(old));
  EXPECT_TRUE(old.client().server_is("first.example"));

  port->use_tls(context_of(pki().second, tls.get()));
  test::TlsPeer fresh{connected(), {.server_name = "second.example", .authority = &pki().authority}};
  ASSERT_TRUE(fresh.shake_hands()) << fresh.client().trouble();
  EXPECT_TRUE(is_served(fresh));
  EXPECT_TRUE(fresh.client().server_is("second.example"));
  EXPECT_TRUE(is_served(old)) << "who is connected stays with what it began with";

  test::TlsPeer again{connected(), {.server_name = "first.example", .session = old.client().session()}};
  ASSERT_TRUE(again.shake_hands()) << again.client().trouble();
  EXPECT_TRUE(is_served(again));
  EXPECT_TRUE(again.client().resumed()) << "tickets outlive a reload";
  stop();
  EXPECT_EQ(own_stats->get(CounterId::tls_handshakes), 3U);
  EXPECT_EQ(own_stats->get(CounterId::tls_resumed), 1U);
  EXPECT_EQ(own_stats->get(CounterId::tls_unfinished), 0U);
}

TEST_F(AdminPortTest, WhatBreaksTlsIsCountedAndNotedAndTheNextClientIsServed) {
  tls = context_of(pki().first, nullptr);
  start(false);
  std::string answer;
  EXPECT_EQ(request(text("GET", "/healthz"), &answer), 400) << "plain HTTP";
  EXPECT_NE(answer.find("this port speaks TLS"), std::string::npos) << answer;
  EXPECT_EQ(request(std::string(100, '\xff'), &answer), 0) << "noise";
  ::close(connected());  // has nothing to say
  test::TlsPeer peer{connected(), {.authority = &pki().authority}};
  ASSERT_TRUE(peer.shake_hands()) << peer.client().trouble();
  peer.say(text("GET", "/healthz"));
  peer.hear_all();
  EXPECT_TRUE(peer.client().heard().starts_with("HTTP/1.1 ")) << peer.client().heard();
  EXPECT_TRUE(peer.client().server_ended()) << "its end is said in TLS";
  stop();
  EXPECT_EQ(own_stats->get(CounterId::tls_failed_not_tls), 2U);
  EXPECT_EQ(own_stats->get(CounterId::tls_unfinished), 1U);
  EXPECT_EQ(own_stats->get(CounterId::tls_handshakes), 1U);
  EXPECT_EQ(own_stats->get(CounterId::admin_requests), 1U) << "what is not TLS is no request";
  EXPECT_TRUE(std::ranges::any_of(host->records, [](const std::string& record) {
    return record.starts_with("tls_failed 0 admin port, 127.0.0.1:") && record.ends_with(": http request");
  }));
}

}  // namespace
}  // namespace ringcast
