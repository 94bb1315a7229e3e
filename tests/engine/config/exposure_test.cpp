// What follows from who can reach a node, and the keys of authentication (docs/protocol.md sections 1 and 9).
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/config/load.hpp"
#include "engine/config/print.hpp"
#include "tests/doubles/temporary_file.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";

struct Loaded {
  std::optional<Configuration> configuration;
  std::string problems;  // without the file's name
};
Loaded load(std::string_view text, const std::vector<Setting>& environment = {}) {
  const TemporaryFile file{text.empty() ? "#" : text};
  auto loaded = load_configuration({.file = file.path(), .environment = environment, .flags = {}});
  if (loaded) return {std::move(*loaded), {}};
  Loaded failed;
  for (const ConfigProblem& problem : loaded.error()) {
    std::string line = text_of(problem);
    if (line.starts_with(file.path())) line.erase(0, file.path().size() + 1);
    failed.problems += line + '\n';
  }
  return failed;
}

struct ExposureRow {
  std::string_view sentence;
  std::string text;
  bool authenticates;
  std::uint32_t per_address, messages, user, address;
  bool spares_loopback;
};

TEST(Exposure, LimitsOfStrangersAreOffWhereThereAreNone) {
  constexpr std::string_view kOff = "listen = '0.0.0.0:0'\n";
  constexpr std::string_view kKey = "auth.key_file = '/k'\n";
  const auto joined = [](std::initializer_list<std::string_view> parts) {
    std::string text;
    for (const std::string_view part : parts) text += part;
    return text;
  };
  const ExposureRow rows[] = {
      {"on loopback, open to all", "", false, 0, 0, 0, 0, true},
      {"on a unix socket", "listen = 'unix:/tmp/x'\n", false, 0, 0, 0, 0, true},
      {"on loopback, with tokens", std::string{kKey}, true, 0, 10, 50, 100, true},
      {"with a JWK set", "auth.jwks_file = '/k'\n", true, 0, 10, 50, 100, true},
      {"off loopback, with tokens", joined({kOff, kKey}), true, 10, 10, 50, 100, true},
      {"off loopback, insecure", joined({kOff, "access.insecure = true\n"}), false, 10, 10, 50, 100, true},
      {"one address off loopback is enough", joined({"listen = ['127.0.0.1:0', '10.0.0.7:0']\n", kKey}), true, 10, 10,
       50, 100, true},
      {"somebody wants no limits",
       joined({kOff, kKey, "limits.connections_per_address = 0\nrate.messages_per_second = 0\n"}), true, 0, 0, 0, 0,
       false},
      {"somebody wants limits at home", "limits.connections_per_address = 3\nrate.messages_per_second = 7\n", false, 3,
       7, 0, 0, false},
      {"somebody is generous: users and addresses follow", joined({kKey, "rate.messages_per_second = 1000\n"}), true, 0,
       1000, 1000, 1000, true},
      {"a limit of an address is for those on this host too once it is said",
       joined({kKey, "rate.address_messages_per_second = 20\n"}), true, 0, 10, 50, 20, false},
  };
  for (const ExposureRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    const Loaded loaded = load(row.text);
    ASSERT_TRUE(loaded.configuration) << loaded.problems;
    const CoreOptions& core = loaded.configuration->options.core;
    EXPECT_EQ(core.access.authenticates, row.authenticates);
    EXPECT_EQ(core.limits.connections_per_address, row.per_address);
    EXPECT_EQ(core.rate.messages_per_second, row.messages);
    EXPECT_EQ(core.rate.user_messages_per_second, row.user);
    EXPECT_EQ(core.rate.address_messages_per_second, row.address);
    EXPECT_EQ(core.access.spares_loopback, row.spares_loopback);
    EXPECT_EQ(core.rate.publish_per_second, 0U);
    EXPECT_EQ(core.rate.burst, 20U);
  }
}

TEST(Exposure, WhatSaysWhichTokensAreTakenNeedsAKey) {
  const struct {
    std::string_view sentence, text, problem;
  } rows[] = {
      {"an issuer", "auth.issuer = 'x'\n", "1: auth.issuer: means nothing without a key"},
      {"an audience", "auth.audience = 'x'\n", "1: auth.audience: means nothing without a key"},
      {"revocations", "auth.revocation_file = '/x'\n", "1: auth.revocation_file: means nothing without a key"},
      {"off loopback without a key", "listen = '0.0.0.0:9001'\n",
       "1: listen: 0.0.0.0:9001 is reachable from other hosts"},
      {"a user slower than a connection", "rate.messages_per_second = 10\nrate.user_messages_per_second = 9\n",
       "2: rate.user_messages_per_second: a user's 9"},
      {"an address slower than a connection", "rate.messages_per_second = 10\nrate.address_messages_per_second = 9\n",
       "2: rate.address_messages_per_second: an address's 9"},
      {"a burst of publishes without a rate", "rate.publish_burst = 9\n",
       "1: rate.publish_burst: means nothing without"},
      {"a range with bits behind its prefix", "access.trusted_proxies = '10.1.2.3/8'\n",
       "1: access.trusted_proxies: '10.1.2.3/8' is no address"},
      {"a proxy's name", "access.trusted_proxies = ['proxy.example']\n",
       "1: access.trusted_proxies: 'proxy.example' is no address"},
      {"a burst of nothing", "rate.burst = 0\n", "1: rate.burst: 0 is out of range"},
  };
  for (const auto& row : rows) {
    const Loaded loaded = load(row.text);
    EXPECT_FALSE(loaded.configuration) << row.sentence;
    EXPECT_NE(loaded.problems.find(row.problem), std::string::npos) << row.sentence << ": " << loaded.problems;
  }
}

TEST(Exposure, ASecretComesByTheEnvironmentAndIsNeverShown) {
  const std::string other(32, 'x');
  const struct {
    std::string_view sentence;
    std::vector<Setting> environment;
    std::string_view secret, origin;
  } rows[] = {
      {"none", {}, "", ""},
      {"what existing systems set", {{"JWT_SECRET", std::string{kSecret}}}, kSecret, "JWT_SECRET"},
      {"ours", {{"RINGCAST_AUTH_SECRET", std::string{kSecret}}}, kSecret, "RINGCAST_AUTH_SECRET"},
      {"both: ours wins",
       {{"RINGCAST_AUTH_SECRET", std::string{kSecret}}, {"JWT_SECRET", other}},
       kSecret,
       "RINGCAST_AUTH_SECRET"},
      {"in the other order too",
       {{"JWT_SECRET", other}, {"RINGCAST_AUTH_SECRET", std::string{kSecret}}},
       kSecret,
       "RINGCAST_AUTH_SECRET"},
      {"an empty one is none", {{"JWT_SECRET", ""}}, "", ""},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    const Loaded loaded = load("", row.environment);
    ASSERT_TRUE(loaded.configuration) << loaded.problems;
    EXPECT_EQ(loaded.configuration->options.auth.secret, row.secret);
    EXPECT_EQ(loaded.configuration->secret_origin, row.origin);
    EXPECT_EQ(loaded.configuration->options.core.access.authenticates, !row.secret.empty());
    const std::string printed = print_configuration(*loaded.configuration);
    EXPECT_EQ(printed.find(kSecret), std::string::npos);
    EXPECT_EQ(printed.find(row.origin.empty() ? "which is not shown" : row.origin) != std::string::npos,
              !row.origin.empty());
  }
  const Loaded loaded = load("", {{"JWT_SECRET", "secret"}});
  EXPECT_EQ(loaded.problems,
            "environment JWT_SECRET: a secret of 6 bytes is too short for HS256: 32 random bytes at least\n");
}

TEST(Exposure, TheEnvironmentsVariablesAreOursAndOneMore) {
  const char* const environment[] = {"PATH=/bin", "RINGCAST_ECHO=true", "JWT_SECRET=x=y", "JWT_SECRETS=no", nullptr};
  const auto settings = environment_settings(environment);
  ASSERT_EQ(settings.size(), 2U);
  EXPECT_EQ(settings[0].name, "RINGCAST_ECHO");
  EXPECT_EQ(settings[1].name, "JWT_SECRET");
  EXPECT_EQ(settings[1].text, "x=y");
}

TEST(Exposure, RangesOfProxiesArePrintedAsTheyAreRead) {
  const Loaded loaded =
      load("access.trusted_proxies = ['10.0.0.0/8', '192.0.2.7/32', '2001:DB8::/32', '::1', '::/0']\n");
  ASSERT_TRUE(loaded.configuration) << loaded.problems;
  EXPECT_EQ(loaded.configuration->options.core.access.trusted_proxies.size(), 5U);
  EXPECT_NE(print_configuration(*loaded.configuration)
                .find(R"(trusted_proxies = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1", "::/0"])"),
            std::string::npos);
}

}  // namespace
}  // namespace ringcast
