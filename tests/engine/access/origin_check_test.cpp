#include "engine/access/origin_check.hpp"

#include <gtest/gtest.h>

#include <span>
#include <string>

namespace ringcast {
namespace {

using enum AccessVerdict;

struct Row {
  std::string_view sentence;
  std::string_view host;
  std::optional<std::string_view> origin;
  AccessVerdict verdict;
};

void check_all(const AccessOptions& options, std::span<const Row> rows) {
  for (const Row& row : rows) {
    EXPECT_EQ(check_origin_and_host(options, row.host, row.origin), row.verdict)
        << row.sentence << ": Host '" << row.host << "', Origin '" << row.origin.value_or("(none)") << "'";
  }
}

TEST(OriginCheck, WithoutConfigurationOnlyLoopbackNamesAndThePagesOfTheNodeItself) {
  constexpr std::optional<std::string_view> none;
  const Row rows[] = {
      {"a program by name", "localhost", none, allowed},
      {"with a port", "localhost:9001", none, allowed},
      {"case does not matter", "LocalHost:9001", none, allowed},
      {"a program by address", "127.0.0.1:9001", none, allowed},
      {"all of 127/8 is loopback", "127.255.0.3", none, allowed},
      {"IPv6 loopback", "[::1]", none, allowed},
      {"IPv6 loopback with a port", "[::1]:9001", none, allowed},
      {"another IPv6 address", "[::2]:9001", none, unknown_host},
      {"IPv6 without brackets is no authority", "::1", none, unknown_host},
      {"an empty Host", "", none, unknown_host},
      {"a port alone", ":9001", none, unknown_host},
      {"a name that was rebound to this address", "evil.example", none, unknown_host},
      {"with our port", "evil.example:9001", none, unknown_host},
      {"a rebinding name that begins like loopback", "127.0.0.1.evil.example", none, unknown_host},
      {"a rebinding name that begins like localhost", "localhost.evil.example", none, unknown_host},
      {"a rebinding name that ends like localhost", "evil.localhost", none, unknown_host},
      {"three numbers", "127.0.1", none, unknown_host},
      {"five numbers", "127.0.0.0.1", none, unknown_host},
      {"a number too long", "127.0.0.0001", none, unknown_host},
      {"an empty part", "127.0..1", none, unknown_host},
      {"a trailing dot", "127.0.0.1.", none, unknown_host},
      {"a private address is not loopback", "192.168.0.1", none, unknown_host},
      {"a user before the host", "localhost@evil.example", none, unknown_host},

      {"the node's own page", "localhost:9001", "http://localhost:9001", allowed},
      {"the node's own page over TLS", "localhost:9001", "https://localhost:9001", allowed},
      {"its own page, other case", "localhost:9001", "http://LOCALHOST:9001", allowed},
      {"its own page by IPv6", "[::1]:9001", "http://[::1]:9001", allowed},
      {"another port on this machine", "localhost:9001", "http://localhost:3000", foreign_origin},
      {"another loopback spelling", "localhost:9001", "http://127.0.0.1:9001", foreign_origin},
      {"a page from elsewhere", "localhost:9001", "https://evil.example", foreign_origin},
      {"a null origin: sandboxed frames and local files", "localhost:9001", "null", foreign_origin},
      {"an empty origin", "localhost:9001", "", foreign_origin},
      {"an origin without a scheme", "localhost:9001", "localhost:9001", foreign_origin},
      {"a scheme of something else", "localhost:9001", "chrome-extension://localhost:9001", foreign_origin},
      {"an origin that only begins like ours", "localhost:9001", "http://localhost:9001.evil.example", foreign_origin},
      {"a rebound name agrees with itself", "evil.example:9001", "http://evil.example:9001", unknown_host},
  };
  check_all(AccessOptions{}, rows);
}

TEST(OriginCheck, ConfiguredHostsAndOriginsAreAddedToThose) {
  const AccessOptions options{.origins = {"https://desk.example", "http://localhost:3000"},
                              .hosts = {"feed.example", "10.0.0.7:9001"}};
  constexpr std::optional<std::string_view> none;
  const Row rows[] = {
      {"a configured name", "feed.example", none, allowed},
      {"on any port", "feed.example:443", none, allowed},
      {"in any case", "FEED.example:443", none, allowed},
      {"a name below it is another", "a.feed.example", none, unknown_host},
      {"a name with a port: on that port", "10.0.0.7:9001", none, allowed},
      {"and on no other", "10.0.0.7:9002", none, unknown_host},
      {"loopback stays", "127.0.0.1:9001", none, allowed},
      {"an allow-listed origin", "feed.example", "https://desk.example", allowed},
      {"in any case", "feed.example", "HTTPS://Desk.Example", allowed},
      {"another scheme is another origin", "feed.example", "http://desk.example", foreign_origin},
      {"another port is another origin", "feed.example", "https://desk.example:8443", foreign_origin},
      {"a subdomain is another origin", "feed.example", "https://www.desk.example", foreign_origin},
      {"a good origin does not excuse a wrong host", "evil.example", "https://desk.example", unknown_host},
      {"the node's own page under its configured name", "feed.example:9001", "https://feed.example:9001", allowed},
      {"null is never on a list by accident", "feed.example", "null", foreign_origin},
  };
  check_all(options, rows);
}

TEST(OriginCheck, AnInsecureNodeWithoutNamesAnswersToEveryHostAndStillToNoForeignPage) {
  const AccessOptions options{.origins = {}, .hosts = {}, .insecure = true};
  constexpr std::optional<std::string_view> none;
  const Row rows[] = {
      {"any name", "anything.example:9001", none, allowed},
      {"an address", "192.168.0.1:9001", none, allowed},
      {"the node's own page under that name", "anything.example:9001", "http://anything.example:9001", allowed},
      {"a page from elsewhere", "192.168.0.1:9001", "https://evil.example", foreign_origin},
  };
  check_all(options, rows);
}

TEST(OriginCheck, AnInsecureNodeWithNamesAnswersToThoseOnly) {
  const AccessOptions options{.origins = {}, .hosts = {"feed.example"}, .insecure = true};
  EXPECT_EQ(check_origin_and_host(options, "feed.example", std::nullopt), allowed);
  EXPECT_EQ(check_origin_and_host(options, "other.example", std::nullopt), unknown_host);
}

TEST(OriginCheck, AStarAllowsEveryOriginThatIsOne) {
  const AccessOptions options{.origins = {"*"}, .hosts = {}};
  EXPECT_EQ(check_origin_and_host(options, "localhost", "https://evil.example"), allowed);
  EXPECT_EQ(check_origin_and_host(options, "localhost", "null"), allowed);
  EXPECT_EQ(check_origin_and_host(options, "evil.example", "https://evil.example"), unknown_host);
}

}  // namespace
}  // namespace ringcast
