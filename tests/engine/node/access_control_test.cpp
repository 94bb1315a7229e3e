// Keys and revocations: read from files, again when they change, and handed to shards that go on meanwhile.
#include "engine/node/access_control.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/access/token_signer.hpp"
#include "tests/doubles/temporary_file.hpp"
#include "tests/doubles/test_keys.hpp"

namespace ringcast {
namespace {

using namespace test_keys;
constexpr WallTime kNow{seconds{1'790'000'000}};

void write_file(const std::string& path, std::string_view text) { std::ofstream{path, std::ios::trunc} << text; }

struct SetupRow {
  std::string_view sentence;
  std::string key_file, jwks_file, secret, revocations;  // contents; empty: not set
  std::size_t keys;                                      // 0: refused
  std::string_view complaint;
};

TEST(AccessControl, ReadsWhatItIsTold) {
  const std::string secret{kSecret};
  std::string many;
  for (int i = 0; i < 5; ++i) many += kRsaPublic;
  const SetupRow rows[] = {
      {"a key file", std::string{kRsaPublic}, "", "", "", 1, ""},
      {"a secret of the environment", "", "", secret, "", 1, ""},
      {"all three, and revocations", std::string{kRsaPublic},
       R"({"keys":[{"kty":"oct","kid":"x","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]})", secret,
       "user mallory\n", 3, ""},
      {"a broken key file", "short", "", "", "", 0, "auth.key_file: "},
      {"a broken JWK set", "", "{}", "", "", 0, "auth.jwks_file: "},
      {"broken revocations", std::string{kRsaPublic}, "", "", "mallory\n", 0, "line 1: begins with none"},
      {"more keys without a kid than are tried", many, "", "", "", 0, "5 keys for RS256 without a kid"},
  };
  for (const SetupRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    const TemporaryFile key_file{row.key_file}, jwks_file{row.jwks_file}, revocations{row.revocations};
    AuthOptions options;
    if (!row.key_file.empty()) options.key_file = key_file.path();
    if (!row.jwks_file.empty()) options.jwks_file = jwks_file.path();
    if (!row.revocations.empty()) options.revocation_file = revocations.path();
    options.secret = row.secret;
    ShardControl shard;
    const auto control = AccessControl::open(options, {&shard, 1});
    ASSERT_EQ(control.has_value(), row.keys != 0) << (control ? "" : control.error());
    if (control) {
      EXPECT_EQ((*control)->keys(), row.keys);
      EXPECT_EQ((*control)->revocations(), row.revocations.empty() ? 0U : 1U);
      EXPECT_EQ(shard.authenticator.load(), &(*control)->authenticator());
    } else {
      EXPECT_NE(control.error().find(row.complaint), std::string::npos) << control.error();
      EXPECT_EQ(control.error().find(kSecret.substr(0, 8)), std::string::npos);
    }
  }
  AuthOptions missing;
  missing.key_file = "/nonexistent/key";
  ShardControl shard;
  const auto control = AccessControl::open(missing, {&shard, 1});
  ASSERT_FALSE(control);
  EXPECT_TRUE(control.error().starts_with("auth.key_file: /nonexistent/key cannot be read: ")) << control.error();
}

TEST(AccessControl, AChangedFileIsReadAgainAndTheOldKeysStayUntilEveryShardGoesByTheNew) {
  const TemporaryFile key_file{kSecret}, revocations{""};
  AuthOptions options;
  options.key_file = key_file.path();
  options.revocation_file = revocations.path();
  const std::string token = *sign_token(R"({"sub":"alice","exp":1790003600})", *read_secret(kSecret));
  ShardControl shards[2];
  const auto use = [](ShardControl& shard) { shard.authenticator_used.store(shard.authenticator.load()); };
  const auto opened = AccessControl::open(options, shards);
  ASSERT_TRUE(opened) << opened.error();
  AccessControl& control = **opened;
  EXPECT_FALSE(control.changed());
  EXPECT_FALSE(control.settled());  // no shard has begun
  for (ShardControl& shard : shards) use(shard);
  EXPECT_TRUE(control.settled());
  EXPECT_TRUE(control.authenticator().verify(token, kNow));

  write_file(revocations.path(), "user alice\n");
  EXPECT_TRUE(control.changed());
  const Authenticator* before = shards[0].authenticator.load();
  EXPECT_TRUE(control.reload());
  EXPECT_FALSE(control.changed());
  EXPECT_NE(shards[0].authenticator.load(), before);
  use(shards[0]);
  EXPECT_FALSE(control.settled());
  EXPECT_TRUE(before->verify(token, kNow));  // the second shard may still ask it
  use(shards[1]);
  EXPECT_TRUE(control.settled());
  EXPECT_EQ(control.authenticator().verify(token, kNow).error(), TokenError::revoked);

  write_file(revocations.path(), "half a li");
  EXPECT_TRUE(control.changed());
  EXPECT_FALSE(control.reload());
  EXPECT_TRUE(control.settled());  // nothing new was handed out
  EXPECT_EQ(control.authenticator().verify(token, kNow).error(), TokenError::revoked);
  write_file(revocations.path(), "");
  EXPECT_TRUE(control.changed());
  EXPECT_TRUE(control.reload());
  for (ShardControl& shard : shards) use(shard);
  EXPECT_TRUE(control.authenticator().verify(token, kNow));
  write_file(key_file.path(), kOtherSecret);
  EXPECT_TRUE(control.reload());
  EXPECT_FALSE(control.authenticator().verify(token, kNow));
  EXPECT_DEATH((void)control.reload(), "goes by the last ones");
}

}  // namespace
}  // namespace ringcast
