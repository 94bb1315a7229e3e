// The bytes of a client: heads whole, in pieces, broken, too large, too late; and bodies behind them.
#include "engine/admin/client_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace ringcast {
namespace {

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

}  // namespace
}  // namespace ringcast
