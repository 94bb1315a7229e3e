// The bytes of a client: heads whole, in pieces, broken, too large, too late; and bodies behind them. All of it in the
// clear and over TLS, with what a peer may do wrong there.
#include "engine/admin/client_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "tests/doubles/test_certificates.hpp"
#include "tests/doubles/tls_peer.hpp"

namespace ringcast {
namespace {

using test::TestCertificate;
using test::TlsClientOptions;
using test::TlsPeer;

constexpr auto kNever = [] { return false; };

class ClientSocketTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), 0); }
  void TearDown() override {
    if (fds[1] >= 0) ::close(fds[1]);
  }
  void say(std::string_view text) const {
    ASSERT_EQ(::send(fds[1], text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  void hang_up() {
    ::close(fds[1]);
    fds[1] = -1;
  }

  std::array<int, 2> fds{-1, -1};
};

TEST_F(ClientSocketTest, AHeadMayComeInPiecesAndTheNextOneRightBehindIt) {
  ClientSocket client{fds[0]};
  std::thread sender{[this] {
    for (const char c : std::string_view{"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"}) say({&c, 1});
    say("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbodyGET /c HTTP/1.1\r\nHost: x\r\n\r\n");
  }};
  RequestHead head;
  ASSERT_TRUE(client.read_head(head, kNever));
  EXPECT_EQ(head.path, "/a");
  client.take_head(head);
  ASSERT_TRUE(client.read_head(head, kNever));
  EXPECT_EQ(head.path, "/b");
  client.take_head(head);
  client.begin_transfer();
  std::array<char, 4> body;
  std::size_t got = 0;
  while (got < body.size()) got += client.read_some(body.data() + got, body.size() - got);
  EXPECT_EQ(std::string_view(body.data(), body.size()), "body");
  ASSERT_TRUE(client.read_head(head, kNever));
  EXPECT_EQ(head.path, "/c");
  sender.join();
}

struct Row {
  std::string_view sentence, text;
  HeadError error;
};
const Row kRows[] = {
    {"both framings", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
     HeadError::ambiguous_body},
    {"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
     HeadError::bad_content_length},
    {"a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", HeadError::bad_content_length},
    {"a signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", HeadError::bad_content_length},
    {"an encoding that is not quite one", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
     HeadError::bad_transfer_encoding},
    {"a space before a colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\n", HeadError::bad_field_name},
    {"a folded field", "GET / HTTP/1.1\r\nHost: a\r\n X-Forwarded-For: b\r\n\r\n", HeadError::folded_field},
    {"a bare line feed", "GET / HTTP/1.1\nHost: a\n\n", HeadError::bare_line_ending},
    {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", HeadError::host_repeated},
    {"no host", "GET / HTTP/1.1\r\n\r\n", HeadError::host_missing},
    {"another protocol", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", HeadError::unsupported_version},
};

TEST_F(ClientSocketTest, WhatCouldBeReadInTwoWaysIsRefused) {
  ClientSocket client{fds[0]};
  for (const Row& row : kRows) {
    std::array<int, 2> pair{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
    ClientSocket one{pair[0]};
    ASSERT_EQ(::send(pair[1], row.text.data(), row.text.size(), 0), static_cast<ssize_t>(row.text.size()));
    RequestHead head;
    const auto read = one.read_head(head, kNever);
    ASSERT_FALSE(read) << row.sentence;
    EXPECT_EQ(read.error().why, ClientSocket::Ended::unreadable) << row.sentence;
    EXPECT_EQ(read.error().error, row.error) << row.sentence;
    ::close(pair[1]);
  }
}

TEST_F(ClientSocketTest, AHeadHasABound) {
  ClientSocket client{fds[0]};
  std::thread sender{[this] {
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    text.append(kAdminRequestHeadBytesMax, 'x');
    say(text);
  }};
  RequestHead head;
  const auto read = client.read_head(head, kNever);
  sender.join();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().error, HeadError::too_large);
}

TEST_F(ClientSocketTest, WhoEndsIsGoneAndACrowdHasNoPatience) {
  RequestHead head;
  {
    ClientSocket client{fds[0]};
    const auto idle = client.read_head(head, [] { return true; });
    ASSERT_FALSE(idle);
    EXPECT_EQ(idle.error().why, ClientSocket::Ended::idle);
    say("GET / HT");
    hang_up();
    const auto gone = client.read_head(head, kNever);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().why, ClientSocket::Ended::gone);
  }
}

TEST_F(ClientSocketTest, AClientThatDoesNotReadIsGivenUp) {
  ClientSocket client{fds[0]};
  client.begin_transfer();
  hang_up();
  EXPECT_FALSE(client.write_all(std::string(1U << 20, 'x')));
}

// ---- over TLS ----

struct Pki {
  TestCertificate authority{""};
  TestCertificate server{"DNS:admin.example", &authority};
  TestCertificate client{"DNS:client", &authority};
  TestCertificate stranger_authority{""};
  TestCertificate stranger{"DNS:client", &stranger_authority};
};
const Pki& pki() {
  static const Pki made;
  return made;
}
enum class Asks : bool { nobody, clients };  // for a certificate
std::shared_ptr<const TlsContext> context_that(Asks asks) {
  TlsOptions options;
  options.certificates = {pki().server.certificate_file()};
  options.keys = {pki().server.key_file()};
  if (asks == Asks::clients) options.client_ca = pki().authority.certificate_file();
  auto context = TlsContext::load(options, nullptr, Instant{hours{1}});
  EXPECT_TRUE(context) << context.error();
  return *context;
}

constexpr std::string_view kGet = "GET /c HTTP/1.1\r\nHost: x\r\n\r\n";

/// What a client does, on a thread of its own; with the server's end of its socket.
class TlsConversation {
 public:
  explicit TlsConversation(std::function<void(TlsPeer&)> script, const TlsClientOptions& options = {},
                           Asks asks = Asks::nobody) {
    std::array<int, 2> pair{-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
    server_ = std::make_unique<ClientSocket>(pair[0], context_that(asks));
    peer_ = std::make_unique<TlsPeer>(pair[1], options);
    thread_ = std::thread{[this, script = std::move(script)] {
      script(*peer_);
      peer_->hear_all();
      peer_->end();
    }};
  }
  ~TlsConversation() { (void)end(); }
  TlsConversation(const TlsConversation&) = delete;
  TlsConversation& operator=(const TlsConversation&) = delete;

  [[nodiscard]] ClientSocket& server() { return *server_; }
  /// The server ends; what the client has come to.
  test::TlsClient& end() {
    server_.reset();
    if (thread_.joinable()) thread_.join();
    return peer_->client();
  }

 private:
  std::unique_ptr<ClientSocket> server_;
  std::unique_ptr<TlsPeer> peer_;
  std::thread thread_;
};

class ClientSocketOverTls : public testing::TestWithParam<int> {
 protected:
  static TlsClientOptions only() { return {.version_min = GetParam(), .version_max = GetParam()}; }
};
INSTANTIATE_TEST_SUITE_P(Tls, ClientSocketOverTls, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& row) { return row.param == TLS1_2_VERSION ? "v12" : "v13"; });

TEST_P(ClientSocketOverTls, HeadsBodiesAndAnswersAreWhatTheyAreInTheClear) {
  const std::string body(30'000, 'b');
  const std::string answer(100'000, 'a');
  TlsConversation talk{[&](TlsPeer& peer) {
                         if (!peer.shake_hands()) return;
                         peer.say("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n" + body);
                         (void)peer.hear(answer);
                         for (const char c : kGet) peer.say({&c, 1});  // a record each
                       },
                       only()};
  ClientSocket& client = talk.server();
  RequestHead head;
  ASSERT_TRUE(client.read_head(head, kNever));
  EXPECT_EQ(head.path, "/b");
  client.take_head(head);
  client.begin_transfer();
  std::string got;
  std::array<char, 1'000> piece;
  while (got.size() < body.size()) {
    const std::size_t taken = client.read_some(piece.data(), std::min(piece.size(), body.size() - got.size()));
    ASSERT_NE(taken, 0U);
    got.append(piece.data(), taken);
  }
  EXPECT_EQ(got, body);
  EXPECT_TRUE(client.write_all(answer));
  ASSERT_TRUE(client.read_head(head, kNever));
  EXPECT_EQ(head.path, "/c");
  const auto report = client.tls();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->open);
  EXPECT_FALSE(report->failure);
  const test::TlsClient& said = talk.end();
  EXPECT_EQ(said.heard(), answer);
  EXPECT_TRUE(said.server_ended()) << "the end is said, and not only made";
}

TEST_P(ClientSocketOverTls, WhoEndsWithoutAWordIsAnsweredAndThenGone) {
  for (const bool politely : {true, false}) {
    TlsConversation talk{[politely](TlsPeer& peer) {
                           if (!peer.shake_hands()) return;
                           peer.say(kGet);
                           politely ? peer.say_goodbye() : peer.end();
                         },
                         only()};
    ClientSocket& client = talk.server();
    RequestHead head;
    ASSERT_TRUE(client.read_head(head, kNever)) << politely;
    client.take_head(head);
    client.begin_transfer();
    EXPECT_TRUE(client.write_all("the answer")) << politely;
    const auto next = client.read_head(head, kNever);
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().why, ClientSocket::Ended::gone) << politely;
    EXPECT_FALSE(client.tls()->failure) << politely << ": nothing is wrong with that";
    if (!politely) {  // who has said goodbye listens to nothing any more
      EXPECT_EQ(talk.end().heard(), "the answer");
    }
  }
}

TEST_P(ClientSocketOverTls, ARequestThatTheConnectionsEndCutsShortIsNone) {
  TlsConversation talk{[](TlsPeer& peer) {
                         if (!peer.shake_hands()) return;
                         peer.say(kGet, 50);
                         peer.end();
                       },
                       only()};
  RequestHead head;
  const auto read = talk.server().read_head(head, kNever);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().why, ClientSocket::Ended::tls_failed);
  EXPECT_EQ(talk.server().tls()->failure, TlsFailure::truncated);
  talk.server().begin_transfer();
  EXPECT_FALSE(talk.server().write_all("an answer"));
  EXPECT_EQ(talk.end().heard(), "");
}

TEST_P(ClientSocketOverTls, ARecordThatWasTamperedWithEndsABody) {
  TlsConversation talk{[](TlsPeer& peer) {
                         if (!peer.shake_hands()) return;
                         peer.say("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
                         peer.say_raw(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
                       },
                       only()};
  ClientSocket& client = talk.server();
  RequestHead head;
  ASSERT_TRUE(client.read_head(head, kNever));
  client.take_head(head);
  client.begin_transfer();
  std::array<char, 10> body;
  EXPECT_EQ(client.read_some(body.data(), body.size()), 5U);
  EXPECT_EQ(client.read_some(body.data(), body.size()), 0U);
  EXPECT_EQ(client.tls()->failure, TlsFailure::record);
  EXPECT_FALSE(client.write_all("an answer"));
}

struct RefusedRow {
  std::string_view sentence;
  std::string_view raw;  // what is sent instead of TLS; empty: a handshake
  TlsClientOptions options;
  Asks asks;
  TlsFailure failure;
};

TEST(ClientSocketTls, WhoDoesNotShakeHandsAsItShouldIsRefusedAndToldSo) {
  const RefusedRow rows[] = {
      {"a plain request", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", {}, Asks::nobody, TlsFailure::not_tls},
      {"a plain POST", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", {}, Asks::nobody, TlsFailure::not_tls},
      {"noise", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4", {}, Asks::nobody, TlsFailure::not_tls},
      {"a record that is too long", "\x16\x03\x01\xff\xff\x01 and so on", {}, Asks::nobody, TlsFailure::record},
      {"TLS 1.1",
       {},
       {.version_min = TLS1_VERSION, .version_max = TLS1_1_VERSION},
       Asks::nobody,
       TlsFailure::version},
      {"no forward secrecy",
       {},
       {.version_max = TLS1_2_VERSION, .ciphers = "AES128-GCM-SHA256"},
       Asks::nobody,
       TlsFailure::parameters},
      {"HTTP/2 and nothing else", {}, {.protocols = {"h2"}}, Asks::nobody, TlsFailure::alpn},
      {"a client that does not trust us",
       {},
       {.authority = &pki().stranger_authority},
       Asks::nobody,
       TlsFailure::refused},
      {"no certificate where one is asked for", {}, {}, Asks::clients, TlsFailure::certificate},
      {"a stranger's certificate", {}, {.certificate = &pki().stranger}, Asks::clients, TlsFailure::certificate},
  };
  for (const RefusedRow& row : rows) {
    TlsConversation talk{[&row](TlsPeer& peer) {
                           if (!row.raw.empty()) peer.say_raw(row.raw);
                           if (row.raw.empty() && peer.shake_hands()) peer.say(kGet);
                         },
                         row.options, row.asks};
    RequestHead head;
    const auto read = talk.server().read_head(head, kNever);
    ASSERT_FALSE(read) << row.sentence;
    EXPECT_EQ(read.error().why, ClientSocket::Ended::tls_failed) << row.sentence;
    const auto report = talk.server().tls();
    EXPECT_EQ(report->failure, row.failure) << row.sentence << ": " << report->detail;
    EXPECT_FALSE(report->open) << row.sentence;
    talk.server().begin_transfer();
    EXPECT_FALSE(talk.server().write_all("HTTP/1.1 200 OK\r\n\r\n")) << row.sentence;
    talk.server().linger();
    EXPECT_TRUE(talk.end().failed() || !row.raw.empty()) << row.sentence << ": it is told by an alert";
  }
}

TEST(ClientSocketTls, AClientWithTheRightCertificateIsLetIn) {
  TlsConversation talk{[](TlsPeer& peer) {
                         if (peer.shake_hands()) peer.say(kGet);
                       },
                       {.authority = &pki().authority, .certificate = &pki().client},
                       Asks::clients};
  RequestHead head;
  EXPECT_TRUE(talk.server().read_head(head, kNever));
}

TEST_F(ClientSocketTest, WhoSpeaksPlainHttpToTlsIsToldSoInPlainHttp) {
  ClientSocket client{fds[0], context_that(Asks::nobody)};
  say(kGet);
  RequestHead head;
  ASSERT_FALSE(client.read_head(head, kNever));
  std::array<char, 1'024> answer;
  const ssize_t got = ::recv(fds[1], answer.data(), answer.size(), 0);
  ASSERT_GT(got, 0);
  EXPECT_EQ(std::string_view(answer.data(), static_cast<std::size_t>(got)), kSpeakTls);
}

TEST(ClientSocketTls, AHandshakeThatIsNotFinishedIsNoMistakeAndEndsInTime) {
  for (const std::string_view begun : {"", "\x16", "\x16\x03\x01\x02"}) {
    std::array<int, 2> pair{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
    ClientSocket client{pair[0], context_that(Asks::nobody)};
    ASSERT_EQ(::send(pair[1], begun.data(), begun.size(), MSG_NOSIGNAL), static_cast<ssize_t>(begun.size()));
    RequestHead head;
    const auto read = client.read_head(head, [] { return true; });
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().why, ClientSocket::Ended::idle) << "nothing can be said to it";
    EXPECT_FALSE(client.tls()->open);
    EXPECT_FALSE(client.tls()->failure);
    ::close(pair[1]);
    EXPECT_EQ(client.read_head(head, kNever).error().why, ClientSocket::Ended::gone);
  }
}

TEST(ClientSocketTls, AHandshakeAndTheHeadBehindItHaveTheTimeOfAHeadTogether) {
  using std::chrono::steady_clock;
  TlsConversation talk{[](TlsPeer& peer) {
    std::this_thread::sleep_for(milliseconds{1'000});  // idle: that is not counted
    if (!peer.shake_hands()) return;
    for (int i = 0; i < 18; ++i) {  // a head that does not end
      peer.say("GET /slow");
      std::this_thread::sleep_for(milliseconds{300});
    }
  }};
  const auto began = steady_clock::now();
  RequestHead head;
  const auto read = talk.server().read_head(head, kNever);
  const auto took = steady_clock::now() - began;
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().why, ClientSocket::Ended::late);
  EXPECT_GE(took, kAdminHeadTime);
  EXPECT_LT(took, kAdminHeadTime + milliseconds{3'000});
  talk.server().begin_transfer();
  EXPECT_TRUE(talk.server().write_all("HTTP/1.1 408 Request Timeout\r\n\r\n")) << "it can be told";
  talk.server().linger();
}

}  // namespace
}  // namespace ringcast
