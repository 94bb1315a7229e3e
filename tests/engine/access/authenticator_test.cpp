// Which tokens are good (RFC 7515, 7519, 8725). What PyJWT signed is in test_keys.hpp.
#include "engine/access/authenticator.hpp"

#include <gtest/gtest.h>
#include <jwt.h>
#include <openssl/hmac.h>

#include "codec/hash/crypto_errors.hpp"
#include "engine/access/token_signer.hpp"
#include "tests/doubles/test_keys.hpp"
#include "tests/engine/access/token_fixture.hpp"

namespace ringcast {
namespace {

using namespace test_keys;

constexpr WallTime kNow{seconds{1'790'000'000}};  // an hour before the tokens of test_keys.hpp expire

Authenticator authenticator_with(std::string_view key_file, std::string issuer = {}, std::string audience = {},
                                 std::string_view revoked = {}) {
  AuthenticatorRules rules;
  rules.keys = *read_verify_keys(key_file);
  rules.issuer = std::move(issuer);
  rules.audience = std::move(audience);
  rules.revocations = *Revocations::read(revoked);
  return Authenticator{std::move(rules)};
}

/// Any header and any claims with a correct HMAC: libjwt would not write these.
std::string hmac_token(std::string_view header, std::string_view claims, std::string_view secret = kSecret) {
  std::string token = base64url(header) + "." + base64url(claims);
  std::array<unsigned char, 32> digest;
  unsigned size = digest.size();
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data(), &size);
  return token + "." + base64url(as_text(Bytes{digest.data(), digest.size()}));
}
constexpr std::string_view kHs256Header = R"({"alg":"HS256","typ":"JWT"})";

TEST(Authenticator, TakesWhatAnotherLibrarySignedWithEachAlgorithm) {
  const struct {
    std::string_view key, token;
  } rows[] = {{kSecret, kHs256Token}, {kRsaPublic, kRs256Token}, {kEcPublic, kEs256Token}};
  for (const auto& row : rows) {
    const auto grant = authenticator_with(row.key).verify(row.token, kNow);
    ASSERT_TRUE(grant) << sentence_of(grant.error());
    EXPECT_EQ(grant->user, "alice");
    EXPECT_EQ(grant->expires, kNow + seconds{3'600 + 30});
    EXPECT_TRUE(grant->may_subscribe("orders"));
    EXPECT_FALSE(grant->may_publish("orders"));
    EXPECT_FALSE(grant->admin);
    EXPECT_EQ(count_crypto_errors(), 0U);
  }
}

TEST(Authenticator, AChangeOfAnyCharacterOfATokenIsNoticed) {
  for (const auto& [key, token] :
       {std::pair{kSecret, kHs256Token}, {kRsaPublic, kRs256Token}, {kEcPublic, kEs256Token}}) {
    const Authenticator authenticator = authenticator_with(key);
    for (std::size_t i = 0; i < token.size(); i += i < 150 ? 1 : 7) {
      std::string other{token};
      other[i] = other[i] == 'A' ? 'B' : 'A';
      EXPECT_FALSE(authenticator.verify(other, kNow)) << i;
      EXPECT_FALSE(authenticator.verify(std::string{token}.erase(i, 1), kNow)) << i;
      EXPECT_FALSE(authenticator.verify(token.substr(0, i), kNow)) << i;
    }
    EXPECT_FALSE(authenticator.verify(std::string{token} + "A", kNow));
    EXPECT_EQ(count_crypto_errors(), 0U);  // TLS on the same thread would take them for its own
  }
}

struct TokenRow {
  std::string_view sentence;
  std::string token;
  std::optional<TokenError> error;  // none: good
};

void expect_rows(const Authenticator& authenticator, std::span<const TokenRow> rows) {
  for (const TokenRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto grant = authenticator.verify(row.token, kNow);
    if (row.error) {
      ASSERT_FALSE(grant);
      EXPECT_EQ(sentence_of(grant.error()), sentence_of(*row.error));
    } else {
      EXPECT_TRUE(grant) << sentence_of(grant.error());
    }
    EXPECT_EQ(count_crypto_errors(), 0U);
  }
}

constexpr std::string_view kClaims = R"({"sub":"alice","exp":1790003600})";

TEST(Authenticator, TheKeySaysTheAlgorithmNotTheToken) {
  using enum TokenError;
  // What a public key file looks like to everybody, used as a secret. libjwt 1.10 takes it, and takes what has expired.
  const std::string confused = hmac_token(kHs256Header, kClaims, kRsaPublic);
  jwt_t* decoded = nullptr;
  ASSERT_EQ(jwt_decode(&decoded, confused.c_str(), reinterpret_cast<const unsigned char*>(kRsaPublic.data()),
                       static_cast<int>(kRsaPublic.size())),
            0)
      << "libjwt has learnt: this test's comment is out of date";
  jwt_free(decoded);
  const std::string stale = hmac_token(kHs256Header, R"({"sub":"alice","exp":1})");
  ASSERT_EQ(jwt_decode(&decoded, stale.c_str(), reinterpret_cast<const unsigned char*>(kSecret.data()),
                       static_cast<int>(kSecret.size())),
            0);
  jwt_free(decoded);
  EXPECT_EQ(authenticator_with(kSecret).verify(stale, kNow).error(), expired);
  const TokenRow rsa_rows[] = {
      {"HS256 with the RSA public key as its secret", confused, wrong_algorithm},
      {"HS256 with another secret", std::string{kHs256Token}, wrong_algorithm},
      {"ES256 where the key is RSA", std::string{kEs256Token}, wrong_algorithm},
      {"RS256 of another RSA key", signed_token(kClaims, *read_signing_key(kOtherRsaPrivate)), bad_signature},
      {"RS256 of this one", signed_token(kClaims, *read_signing_key(kRsaPrivate)), std::nullopt},
  };
  expect_rows(authenticator_with(kRsaPublic), rsa_rows);
  const TokenRow ec_rows[] = {
      {"RS256 where the key is P-256", std::string{kRs256Token}, wrong_algorithm},
      {"ES256 of another key", signed_token(kClaims, *read_signing_key(kOtherEcPrivate)), bad_signature},
      {"ES256 of this one", signed_token(kClaims, *read_signing_key(kEcPrivateSec1)), std::nullopt},
      {"ES256 with nothing for a signature", std::string{kEs256Token.substr(0, kEs256Token.rfind('.') + 1)},
       bad_signature},
      {"ES256 with zeros for a signature",
       std::string{kEs256Token.substr(0, kEs256Token.rfind('.') + 1)} + std::string(86, 'A'), bad_signature},
  };
  expect_rows(authenticator_with(kEcPublic), ec_rows);
}

TEST(Authenticator, GarbledUnsignedAndOversizeTokensAreRefused) {
  using enum TokenError;
  const std::string good = hmac_token(kHs256Header, kClaims);
  const std::string body = base64url(kClaims);
  const auto with = [&](std::string_view header) { return hmac_token(header, kClaims); };
  const auto of_size = [&](std::size_t characters) {  // three of the claims' bytes are four of the token's
    std::string claims = R"({"sub":"alice","exp":1790003600,"x":")";
    const std::size_t others = base64url(kHs256Header).size() + 2 + base64url_encoded_bytes(32);
    claims.resize((characters - others) * 3 / 4 - 2, 'x');
    return hmac_token(kHs256Header, claims + "\"}");
  };
  const TokenRow rows[] = {
      {"a good one", good, std::nullopt},
      {"nothing", "", malformed},
      {"one part", "abc", malformed},
      {"two parts", "abc.def", malformed},
      {"four parts", good + ".abc", malformed},
      {"five parts, as encrypted ones have", "a.b.c.d.e", malformed},
      {"an empty header", "." + body + ".abcd", malformed},
      {"a header that is no JSON", base64url("hello") + "." + body + ".abcd", malformed},
      {"a header that is a list", base64url("[]") + "." + body + ".abcd", malformed},
      {"characters that are no base64url", good.substr(0, 10) + "+" + good.substr(11), malformed},
      {"padding", good + "=", malformed},
      {"a space", good + " ", malformed},
      {"a zero byte", good + std::string(1, '\0'), malformed},
      {"a header with a member twice", with(R"({"alg":"HS256","alg":"HS256"})"), malformed},
      {"a header with a member twice, spelled differently", with(R"({"alg":"HS256","\u0061lg":"none"})"), malformed},
      {"a header without alg", with(R"({"typ":"JWT"})"), malformed},
      {"an alg that is no string", with(R"({"alg":256})"), malformed},
      {"an extension that must be understood", with(R"({"alg":"HS256","crit":["exp"],"exp":1})"), malformed},
      {"a typ that is no JWT", with(R"({"alg":"HS256","typ":"JOSE"})"), malformed},
      {"no typ", with(R"({"alg":"HS256"})"), std::nullopt},
      {"unsigned", base64url(R"({"alg":"none"})") + "." + body + ".", unsigned_token},
      {"unsigned, in other letters", base64url(R"({"alg":"NoNe"})") + "." + body + ".", unsigned_token},
      {"unsigned, yet with a signature", with(R"({"alg":"none"})"), unsigned_token},
      {"an algorithm of the same family", with(R"({"alg":"HS512"})"), wrong_algorithm},
      {"an algorithm that nobody knows", with(R"({"alg":"hs256"})"), wrong_algorithm},
      {"another secret", hmac_token(kHs256Header, kClaims, kOtherSecret), bad_signature},
      {"no signature", good.substr(0, good.rfind('.') + 1), bad_signature},
      {"another's signature", good.substr(0, good.rfind('.') + 1) + base64url("0123456789abcdef0123456789abcdef"),
       bad_signature},
      {"a kid that nobody has, although the key is right", with(R"({"alg":"HS256","kid":"x"})"), std::nullopt},
      {"a kid that is no string", with(R"({"alg":"HS256","kid":{}})"), malformed},
      {"claims that are no JSON, signed", hmac_token(kHs256Header, "alice"), malformed},
      {"large, within the limit", of_size(kTokenBytesMax), std::nullopt},
      {"oversize", of_size(kTokenBytesMax + 2), too_large},
      {"a megabyte", std::string(1U << 20, 'A'), too_large},
  };
  expect_rows(authenticator_with(kSecret), rows);
}

TEST(Authenticator, EveryClaimIsLookedAt) {
  using enum TokenError;
  const auto with = [](std::string_view claims) { return hmac_token(kHs256Header, claims); };
  std::string many = R"({"sub":"a","exp":1790003600,"subscribe":["x")";
  for (int i = 1; i < 64; ++i) many += ",\"x\"";
  const std::string long_name(251, 'u');
  const TokenRow rows[] = {
      {"no expiry", with(R"({"sub":"alice"})"), bad_claims},
      {"an expiry that is text", with(R"({"sub":"alice","exp":"1790003600"})"), bad_claims},
      {"an expiry before 1970", with(R"({"sub":"alice","exp":-1})"), bad_claims},
      {"an expiry of a power of ten", with(R"({"sub":"alice","exp":1.79e9})"), bad_claims},
      {"an expiry far beyond any clock", with(R"({"sub":"alice","exp":9000000001})"), bad_claims},
      {"an expiry beyond any number", with(R"({"sub":"alice","exp":99999999999999999999})"), bad_claims},
      {"an expiry with a fraction", with(R"({"sub":"alice","exp":1790003600.75})"), std::nullopt},
      {"expired, within the clock skew", with(R"({"sub":"alice","exp":1789999971})"), std::nullopt},
      {"expired a moment before that", with(R"({"sub":"alice","exp":1789999970})"), expired},
      {"expired long ago", with(R"({"sub":"alice","exp":1})"), expired},
      {"valid from now on", with(R"({"sub":"alice","exp":1790003600,"nbf":1790000000})"), std::nullopt},
      {"valid in a moment, within the clock skew", with(R"({"sub":"alice","exp":1790003600,"nbf":1790000030})"),
       std::nullopt},
      {"not valid yet", with(R"({"sub":"alice","exp":1790003600,"nbf":1790000031})"), not_yet_valid},
      {"a begin that is text", with(R"({"sub":"alice","exp":1790003600,"nbf":"now"})"), bad_claims},
      {"issued in the future", with(R"({"sub":"alice","exp":1790003600,"iat":1790000031})"), not_yet_valid},
      {"no subject", with(R"({"exp":1790003600})"), bad_claims},
      {"an empty subject", with(R"({"sub":"","exp":1790003600})"), bad_claims},
      {"a subject that is a number", with(R"({"sub":42,"exp":1790003600})"), bad_claims},
      {"a subject with a control character", with(R"({"sub":"a\nb","exp":1790003600})"), bad_claims},
      {"a subject that looks like a pattern", with(R"({"sub":"*","exp":1790003600})"), bad_claims},
      {"a subject of 251 bytes", with(R"({"exp":1790003600,"sub":")" + long_name + "\"}"), bad_claims},
      {"a subject of 250 bytes", with(R"({"exp":1790003600,"sub":")" + long_name.substr(1) + "\"}"), std::nullopt},
      {"a claim twice", with(R"({"sub":"alice","sub":"admin","exp":1790003600})"), malformed},
      {"claims that are a list", with("[]"), malformed},
      {"a pattern", with(R"({"sub":"alice","exp":1790003600,"subscribe":"orders.>"})"), std::nullopt},
      {"a pattern that is none", with(R"({"sub":"alice","exp":1790003600,"subscribe":[">x"]})"), bad_claims},
      {"patterns that are no texts", with(R"({"sub":"alice","exp":1790003600,"publish":[1]})"), bad_claims},
      {"64 patterns", with(many + "]}"), std::nullopt},
      {"65 patterns", with(many + ",\"x\"]}"), bad_claims},
      {"an admin who is not sure", with(R"({"sub":"alice","exp":1790003600,"admin":"true"})"), bad_claims},
      {"a rate", with(R"({"sub":"alice","exp":1790003600,"max_rate":10})"), std::nullopt},
      {"a rate below zero", with(R"({"sub":"alice","exp":1790003600,"max_rate":-10})"), bad_claims},
      {"a rate that is text", with(R"({"sub":"alice","exp":1790003600,"max_rate":"10"})"), bad_claims},
      {"an audience, and none is ours", with(R"({"sub":"alice","exp":1790003600,"aud":"feed"})"), wrong_audience},
      {"an audience of nobody", with(R"({"sub":"alice","exp":1790003600,"aud":[]})"), wrong_audience},
      {"an audience that is a number", with(R"({"sub":"alice","exp":1790003600,"aud":7})"), bad_claims},
      {"an issuer, and any will do", with(R"({"sub":"alice","exp":1790003600,"iss":"x"})"), std::nullopt},
      {"an issuer that is a number", with(R"({"sub":"alice","exp":1790003600,"iss":7})"), bad_claims},
      {"claims that nobody knows", with(R"({"sub":"alice","exp":1790003600,"roles":[{"a":[1]}]})"), std::nullopt},
  };
  expect_rows(authenticator_with(kSecret), rows);
}

TEST(Authenticator, IssuerAndAudienceAreWhatTheNodeWasTold) {
  using enum TokenError;
  const auto with = [](std::string_view more) {
    return hmac_token(kHs256Header, std::string{R"({"sub":"alice","exp":1790003600)"}.append(more).append("}"));
  };
  const TokenRow rows[] = {
      {"both", with(R"(,"iss":"https://id.example","aud":"feed")"), std::nullopt},
      {"for several", with(R"(,"iss":"https://id.example","aud":["other","feed"])"), std::nullopt},
      {"no issuer", with(R"(,"aud":"feed")"), wrong_issuer},
      {"another issuer", with(R"(,"iss":"https://id.example/","aud":"feed")"), wrong_issuer},
      {"no audience", with(R"(,"iss":"https://id.example")"), wrong_audience},
      {"another audience", with(R"(,"iss":"https://id.example","aud":["feed2","eed"])"), wrong_audience},
  };
  expect_rows(authenticator_with(kSecret, "https://id.example", "feed"), rows);
}

TEST(Authenticator, RevokedTokensAreRefusedAndNoLongerStand) {
  using enum TokenError;
  constexpr std::string_view kList = "token leaked\nuser mallory\nuser bob before 1790000000\n";
  const auto with = [](std::string_view claims) { return hmac_token(kHs256Header, claims); };
  const TokenRow rows[] = {
      {"nobody's", with(kClaims), std::nullopt},
      {"the token itself", with(R"({"sub":"alice","exp":1790003600,"jti":"leaked"})"), revoked},
      {"a token of a user that is out", with(R"({"sub":"mallory","exp":1790003600,"iat":1790000000})"), revoked},
      {"a user's older token", with(R"({"sub":"bob","exp":1790003600,"iat":1789999999})"), revoked},
      {"a user's token that does not say when", with(R"({"sub":"bob","exp":1790003600})"), revoked},
      {"a user's newer token", with(R"({"sub":"bob","exp":1790003600,"iat":1790000000})"), std::nullopt},
  };
  const Authenticator lenient = authenticator_with(kSecret);
  const Authenticator strict = authenticator_with(kSecret, "", "", kList);
  expect_rows(strict, rows);
  for (const TokenRow& row : rows) {
    const auto grant = lenient.verify(row.token, kNow);
    ASSERT_TRUE(grant);
    EXPECT_TRUE(lenient.stands(*grant));
    EXPECT_EQ(strict.stands(*grant), !row.error.has_value()) << row.sentence;
    EXPECT_FALSE(authenticator_with(kOtherSecret).stands(*grant));  // its key is gone
  }
}

TEST(Authenticator, AmongSeveralKeysTheKidChooses) {
  const auto token = [](std::string_view secret, std::string id) {
    TokenKey key = secret_of(secret);
    key.id = std::move(id);
    return signed_token(kClaims, key);
  };
  AuthenticatorRules rules;
  for (const auto& [secret, id] : {std::pair{kSecret, "new"}, {kOtherSecret, "old"}}) {
    rules.keys.push_back(secret_of(secret));
    rules.keys.back().id = id;
  }
  const Authenticator authenticator{std::move(rules)};
  const TokenRow rows[] = {
      {"the new one", token(kSecret, "new"), std::nullopt},
      {"the old one", token(kOtherSecret, "old"), std::nullopt},
      {"no kid: all are tried", token(kOtherSecret, ""), std::nullopt},
      {"the old one under the new one's name", token(kOtherSecret, "new"), TokenError::bad_signature},
      {"a name that nobody has", token(kSecret, "newer"), TokenError::unknown_key},
  };
  expect_rows(authenticator, rows);
}

TEST(Authenticator, TheKeyThatATokenNamesIsTriedBeforeThoseWithoutAName) {
  AuthenticatorRules rules;
  for (std::size_t i = 0; i < kKeysTriedMax; ++i) rules.keys.push_back(secret_of(kOtherSecret));
  rules.keys.push_back(secret_of(kSecret));
  rules.keys.back().id = "a";
  TokenKey signer = secret_of(kSecret);
  signer.id = "a";
  const TokenRow rows[] = {{"named", signed_token(kClaims, signer), std::nullopt}};
  expect_rows(Authenticator{std::move(rules)}, rows);
}

TEST(Authenticator, AtSightIsRefusedWhatNoKeyIsForAndNothingElse) {
  AuthenticatorRules rules;
  rules.keys.push_back(secret_of(kSecret));
  rules.keys.back().id = "a";
  const Authenticator authenticator{std::move(rules)};
  const auto named = [](std::string_view secret, std::string id) {
    TokenKey key = secret_of(secret);
    key.id = std::move(id);
    return signed_token(kClaims, key);
  };
  const struct {
    std::string_view sentence;
    std::string token;
    std::optional<TokenError> error;
  } rows[] = {
      {"no token", "x", TokenError::malformed},
      {"unsigned", base64url(R"({"alg":"none"})") + "." + base64url(kClaims) + ".", TokenError::unsigned_token},
      {"another algorithm", base64url(R"({"alg":"RS256"})") + "." + base64url(kClaims) + ".AAAA",
       TokenError::wrong_algorithm},
      {"another key's name", named(kSecret, "b"), TokenError::unknown_key},
      {"good", named(kSecret, "a"), std::nullopt},
      {"signed by somebody else: that takes a verification", named(kOtherSecret, "a"), std::nullopt},
  };
  for (const auto& row : rows) EXPECT_EQ(authenticator.refused_at_sight(row.token), row.error) << row.sentence;
}

TEST(Grant, SaysWhoMayDoWhat) {
  const Authenticator authenticator = authenticator_with(kSecret);
  const auto grant_of = [&](std::string_view more) {
    return *authenticator.verify(
        hmac_token(kHs256Header, std::string{R"({"sub":"alice","exp":1790003600)"}.append(more).append("}")), kNow);
  };
  const struct {
    std::string_view sentence, claims, channel;
    bool subscribe, publish;
  } rows[] = {
      {"nothing is granted by being there", "", "orders", false, false},
      {"reading is not writing", R"(,"subscribe":["orders"])", "orders", true, false},
      {"writing is not reading", R"(,"publish":["orders"])", "orders", false, true},
      {"a pattern within a segment", R"(,"subscribe":["*@trade"])", "btcusdt@trade", true, false},
      {"and no further", R"(,"subscribe":["*@trade"])", "a.b@trade", false, false},
      {"everything but the server's and users' own", R"(,"subscribe":[">"],"publish":[">"])", "orders", true, true},
      {"not the server's", R"(,"subscribe":[">"],"publish":[">"])", "$sys/stats", false, false},
      {"not even spelled out", R"(,"subscribe":["$sys/stats"],"publish":["$sys/stats"])", "$sys/stats", false, false},
      {"an administrator reads the server's, and does not write it", R"(,"admin":true)", "$sys/stats", true, false},
      {"an administrator needs patterns like everybody", R"(,"admin":true)", "orders", false, false},
      {"one's own channel", "", "user:alice", true, false},
      {"not another's", R"(,"subscribe":[">"])", "user:bob", false, false},
      {"nor one that begins alike", "", "user:alice2", false, false},
      {"another's, spelled out", R"(,"subscribe":["user:b*"],"publish":["user:>"])", "user:bob", true, true},
  };
  for (const auto& row : rows) {
    const Grant grant = grant_of(row.claims);
    EXPECT_EQ(grant.may_subscribe(row.channel), row.subscribe) << row.sentence;
    EXPECT_EQ(grant.may_publish(row.channel), row.publish) << row.sentence;
  }
  const struct {
    std::string_view sentence, claims, pattern;
    bool within;
  } patterns[] = {
      {"nothing is granted by being there", "", ">", false},
      {"wider than what is granted", R"(,"subscribe":["orders.*"])", ">", true},
      {"narrower", R"(,"subscribe":["orders.>"])", "orders.eu.*", true},
      {"beside it", R"(,"subscribe":["orders.*"])", "trades.*", false},
      {"one letter apart", R"(,"subscribe":["orders.a*"])", "orders.b*", false},
      {"what begins alike may meet", R"(,"subscribe":["*@trade"])", "btc*", true},
      {"one of several", R"(,"subscribe":["x.*","orders.*"])", "orders.*", true},
      {"the server's, for anybody", R"(,"subscribe":[">","$sys/*"])", "$sys/*", false},
      {"the server's, for an administrator", R"(,"admin":true)", "$sys/*", true},
      {"everything does not mean users'", R"(,"subscribe":[">"])", "user:b*", false},
      {"users' does not mean everything", R"(,"subscribe":["user:>"])", "*", false},
      {"users', spelled out", R"(,"subscribe":["user:b*"])", "user:*", true},
      {"one's own is among all users'", "", "user:*", true},
      {"one's own, spelled in part", "", "user:al*", true},
      {"not those of others", "", "user:b*", false},
  };
  for (const auto& row : patterns) {
    EXPECT_EQ(grant_of(row.claims).may_subscribe_within(row.pattern), row.within) << row.sentence;
  }
  const Grant grant = grant_of(R"(,"max_rate":5,"conflate":true,"jti":"j-1","iat":1789990000)");
  EXPECT_EQ(grant.max_rate, 5U);
  EXPECT_TRUE(grant.conflate);
  EXPECT_EQ(grant.token_id, "j-1");
  EXPECT_EQ(grant.issued, WallTime{seconds{1'789'990'000}});
}

TEST(TokenClaims, AreReadAsTheyAreWritten) {
  TokenClaims claims;
  claims.user = "a \"quoted\" user\xc3\xa9";
  claims.token_id = "j-1";
  claims.issuer = "https://id.example";
  claims.audience = {"feed", "desk"};
  claims.expires = kNow + hours{1};
  claims.issued = kNow;
  claims.not_before = kNow - hours{1};
  for (const std::string_view text : {"*@trade", "orders.>"}) claims.subscribe.push_back(*Pattern::compile(text));
  claims.publish.push_back(*Pattern::compile("orders.*"));
  claims.max_rate = 10;
  claims.conflate = claims.admin = true;
  const std::string text = text_of(claims);
  const auto read = read_token_claims(base64url(text));
  ASSERT_TRUE(read) << text;
  EXPECT_EQ(text_of(*read), text);
  EXPECT_EQ(read->user, claims.user);
  EXPECT_EQ(read->audience, claims.audience);
  EXPECT_EQ(read->subscribe.size(), 2U);
  EXPECT_EQ(text_of({.user = "x",
                     .token_id = {},
                     .issuer = {},
                     .audience = {},
                     .expires = kNow,
                     .not_before = {},
                     .issued = {},
                     .subscribe = {},
                     .publish = {}}),
            R"({"sub":"x","exp":1790000000})");
}

TEST(TokenSigner, WhatIsSignedIsVerified) {
  for (const auto& [private_file, public_file] : {std::pair{kSecret, kSecret},
                                                  {kRsaPrivate, kRsaPublic},
                                                  {kRsaPrivatePkcs1, kRsaPublic},
                                                  {kEcPrivate, kEcPublic}}) {
    const auto token = sign_token(std::string{kClaims}, *read_signing_key(private_file));
    ASSERT_TRUE(token);
    EXPECT_TRUE(authenticator_with(public_file).verify(*token, kNow));
  }
  TokenKey broken = *read_signing_key(kEcPrivate);
  broken.material = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
  EXPECT_FALSE(sign_token(std::string{kClaims}, broken));
  EXPECT_FALSE(sign_token("no json", secret_of(kSecret)));
  EXPECT_EQ(count_crypto_errors(), 0U);
}

}  // namespace
}  // namespace ringcast
