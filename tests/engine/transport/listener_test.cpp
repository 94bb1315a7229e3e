#include "engine/transport/listener.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string_view>

#include "tests/engine/transport/harness.hpp"

namespace ringcast {
namespace {

BindAddress ipv4(std::string host, std::uint16_t port) {
  return {.family = BindAddress::Family::ipv4, .host = std::move(host), .port = port, .path = {}};
}
BindAddress unix_path(std::string path) {
  return {.family = BindAddress::Family::unix_path, .host = {}, .port = 0, .path = std::move(path)};
}
std::string scratch_path(const char* name) {
  return testing::TempDir() + "ringcast-" + std::to_string(getpid()) + "-" + name;
}

TEST(Listener, SharesOnePortAmongTheShards) {
  const auto listeners = open_listeners(ipv4("127.0.0.1", 0), 3, {});
  ASSERT_TRUE(listeners) << listeners.error();
  ASSERT_EQ(listeners->size(), 3U);
  EXPECT_NE((*listeners)[0].address().port, 0);
  for (const Listener& listener : *listeners) EXPECT_EQ(listener.address().port, (*listeners)[0].address().port);
}

TEST(Listener, DoesNotShareAPortWithAnotherNode) {
  const auto first = open_listeners(ipv4("127.0.0.1", 0), 2, {});
  ASSERT_TRUE(first);
  const std::uint16_t port = (*first)[0].address().port;
  const auto second = open_listeners(ipv4("127.0.0.1", port), 2, {});
  ASSERT_FALSE(second) << "SO_REUSEPORT alone would let two nodes of one user take connections from each other";
  EXPECT_EQ(second.error(),
            "cannot listen on 127.0.0.1:" + std::to_string(port) + ": Address already in use (another program has it)");
}

TEST(Listener, APortIsFreeAgainAtOnceAfterItsNode) {
  std::uint16_t port = 0;
  {
    const auto first = open_listeners(ipv4("127.0.0.1", 0), 1, {});
    ASSERT_TRUE(first);
    port = (*first)[0].address().port;
  }
  EXPECT_TRUE(open_listeners(ipv4("127.0.0.1", port), 1, {}));
}

struct RefusedRow {
  const char* sentence;
  BindAddress address;
  std::string_view says;
};
TEST(Listener, SaysWhatIsWrongWithAnAddress) {
  const RefusedRow rows[] = {
      {"an address of no interface here", ipv4("192.0.2.1", 9'001), "192.0.2.1:9001: Cannot assign requested address"},
      {"a name instead of a number", ipv4("example", 9'001), "no numeric address"},
      {"a path that is too long", unix_path(std::string(200, 'x')), "1 to 107 bytes"},
      {"a path in no directory", unix_path("/nonexistent/ringcast.sock"), "No such file or directory"},
      {"an empty path", unix_path(""), "1 to 107 bytes"},
  };
  for (const RefusedRow& row : rows) {
    const auto listeners = open_listeners(row.address, 1, {});
    ASSERT_FALSE(listeners) << row.sentence;
    EXPECT_NE(listeners.error().find(row.says), std::string::npos) << row.sentence << ": " << listeners.error();
    EXPECT_EQ(listeners.error().find("cannot listen on "), 0U) << listeners.error();
  }
}

TEST(Listener, GivesItsOptionsToWhatItAccepts) {
  test::Harness harness;
  auto [peer, handle] = harness.accept_one();
  // The harness hides the descriptor; the accepted socket is the one whose peer has the client's port.
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ASSERT_EQ(getsockname(peer.fd(), reinterpret_cast<sockaddr*>(&own), &size), 0);
  for (int fd = 3; fd < 200; ++fd) {
    sockaddr_in other{};
    size = sizeof other;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&other), &size) != 0 || other.sin_port != own.sin_port) continue;
    const auto option = [fd](int name) {
      int value = -1;
      socklen_t bytes = sizeof value;
      getsockopt(fd, IPPROTO_TCP, name, &value, &bytes);
      return value;
    };
    EXPECT_EQ(option(TCP_NODELAY), 1);
    EXPECT_EQ(option(TCP_NOTSENT_LOWAT), ListenerOptions{}.notsent_bytes_max);
    EXPECT_EQ(option(TCP_USER_TIMEOUT), ListenerOptions{}.user_timeout.count());
    return;
  }
  FAIL() << "the accepted socket was not found";
}

TEST(UnixListener, IsOneWhateverTheShardsAndTakesItsPathAway) {
  const std::string path = scratch_path("one");
  {
    const auto listeners = open_listeners(unix_path(path), 4, {});
    ASSERT_TRUE(listeners) << listeners.error();
    EXPECT_EQ(listeners->size(), 1U);
    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0660U);
    const auto again = open_listeners(unix_path(path), 1, {});
    ASSERT_FALSE(again);
    EXPECT_NE(again.error().find("another program has it"), std::string::npos) << again.error();
  }
  EXPECT_NE(access(path.c_str(), F_OK), 0);
}

TEST(UnixListener, ReplacesWhatAKilledNodeLeftButNoOtherFile) {
  const std::string path = scratch_path("left");
  const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  ASSERT_EQ(bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(dead);
  EXPECT_TRUE(open_listeners(unix_path(path), 1, {}));

  std::ofstream{path} << "precious";
  const auto refused = open_listeners(unix_path(path), 1, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find("no socket"), std::string::npos) << refused.error();
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  unlink(path.c_str());
}

struct TextRow {
  BindAddress address;
  std::string_view text;
};
TEST(BindAddress, IsWrittenAsUsersWriteIt) {
  const TextRow rows[] = {
      {ipv4("127.0.0.1", 9'001), "127.0.0.1:9001"},
      {{.family = BindAddress::Family::ipv6, .host = "::1", .port = 80, .path = {}}, "[::1]:80"},
      {unix_path("/run/a.sock"), "unix:/run/a.sock"},
  };
  for (const TextRow& row : rows) EXPECT_EQ(to_text(row.address), row.text);
}

}  // namespace
}  // namespace ringcast
