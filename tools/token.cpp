// tools/token.cpp: `ringcast token`: issues a JSON Web Token that says who somebody is and what he may do.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codec/text/numbers.hpp"
#include "engine/access/token.hpp"
#include "engine/access/token_signer.hpp"
#include "engine/config/value_text.hpp"
#include "tools/client/random.hpp"
#include "tools/client/socket.hpp"
#include "tools/subcommand.hpp"
#include "tools/terminal.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kCommand = "token";

struct TokenOptions {
  std::string key_file, user, ttl, issuer, algorithm, key_id;
  std::optional<std::string> token_id;
  std::vector<std::string> audience, subscribe, publish;
  std::uint32_t max_rate = 0;
  bool conflate = false;
  bool admin = false;
};

Result<TokenKey, std::string> load_key(const TokenOptions& options) {
  std::ifstream file{options.key_file, std::ios::binary};
  std::string text(kKeyFileBytesMax + 1, '\0');
  if (file) {
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
  }
  if (!file.is_open() || file.bad()) {
    return unexpected(fmt::format("{}: cannot be read: {}", options.key_file, std::strerror(errno)));
  }
  if (text.size() > kKeyFileBytesMax) return unexpected(fmt::format("{}: is too large for a key", options.key_file));
  auto key = read_signing_key(text);
  if (!key) return unexpected(fmt::format("{} {}", options.key_file, key.error()));
  key->id = options.key_id;
  if (!options.algorithm.empty() && options.algorithm != name_of(key->algorithm)) {
    return unexpected(
        fmt::format("{} holds a key for {}, not for {}", options.key_file, name_of(key->algorithm), options.algorithm));
  }
  return key;
}

/// "3600", or with a unit, "1h".
std::optional<seconds> parse_ttl(const std::string& text) {
  if (const auto number = parse_uint64(text)) return seconds{*number};
  const auto duration = parse_duration(text);
  if (!duration) return std::nullopt;
  const auto whole = std::chrono::duration_cast<seconds>(*duration);
  return whole == *duration ? std::optional{whole} : std::nullopt;
}

Result<std::vector<Pattern>, std::string> compile(const std::vector<std::string>& texts) {
  if (texts.size() > kGrantPatternsMax) {
    return unexpected(fmt::format("{} patterns are more than a token may have ({})", texts.size(), kGrantPatternsMax));
  }
  std::vector<Pattern> patterns;
  for (const std::string& text : texts) {
    auto pattern = Pattern::compile(text);
    if (!pattern) return unexpected(fmt::format("'{}': {}", text, sentence_of(pattern.error())));
    patterns.push_back(std::move(*pattern));
  }
  return patterns;
}

/// Sixteen hexadecimal digits: enough to tell tokens apart in a revocation list.
std::string random_id() {
  Prng random;
  std::string id;
  append_epoch(id, Epoch{random.next()});
  return id;
}

Result<TokenClaims, std::string> make_claims(const TokenOptions& options) {
  constexpr seconds kTtlMax = hours{24 * 366 * 10};
  const auto ttl = parse_ttl(options.ttl);
  if (!ttl || *ttl < seconds{1} || *ttl > kTtlMax) {
    return unexpected(fmt::format("--ttl '{}' is not 1 second to 10 years", options.ttl));
  }
  auto subscribe = compile(options.subscribe);
  if (!subscribe) return unexpected(std::move(subscribe.error()));
  auto publish = compile(options.publish);
  if (!publish) return unexpected(std::move(publish.error()));
  if (!is_valid_user_id(options.user)) {
    return unexpected(
        fmt::format("--sub is 1 to {} bytes of UTF-8 without control characters, '*' and '>'", kUserBytesMax));
  }
  const WallTime now{std::chrono::duration_cast<seconds>(wall_now().time_since_epoch())};
  TokenClaims claims;
  claims.user = options.user;
  claims.token_id = options.token_id ? *options.token_id : random_id();
  if (!options.issuer.empty()) claims.issuer = options.issuer;
  if (!options.audience.empty()) claims.audience = options.audience;
  claims.issued = now;
  claims.expires = now + *ttl;
  claims.subscribe = std::move(*subscribe);
  claims.publish = std::move(*publish);
  claims.max_rate = options.max_rate;
  claims.conflate = options.conflate;
  claims.admin = options.admin;
  return claims;
}

int run_token(const TokenOptions& options) {
  const auto claims = make_claims(options);
  if (!claims) {
    complain(kCommand, claims.error());
    return kExitUsage;
  }
  const auto key = load_key(options);
  if (!key) {
    complain(kCommand, key.error());
    return kExitFailure;
  }
  const auto token = sign_token(text_of(*claims), *key);
  if (!token) {
    complain(kCommand, fmt::format("{}: the key cannot sign", options.key_file));
    return kExitFailure;
  }
  if (token->size() > kTokenBytesMax) {
    complain(kCommand, fmt::format("the token has {} bytes; nodes take {} at most", token->size(), kTokenBytesMax));
    return kExitFailure;
  }
  std::puts(token->c_str());
  return kExitSuccess;
}

}  // namespace

void add_token_command(CLI::App& app, int& exit_code) {
  CLI::App* token = app.add_subcommand("token", "issue a JSON Web Token");
  const auto options = std::make_shared<TokenOptions>();
  token->add_option("--key", options->key_file, "the key to sign with: a private key in PEM, or a secret of 32 bytes")
      ->required()
      ->type_name("FILE");
  token->add_option("--sub", options->user, "the user whom the token names")->required()->type_name("USER");
  token->add_option("--ttl", options->ttl, "how long it is valid: seconds, or 1h, 7d")
      ->required()
      ->type_name("SECONDS");
  const auto list = [token](const char* name, std::vector<std::string>& into, const char* description) {
    return token->add_option(name, into, description)->type_name("PATTERN")->allow_extra_args(false);
  };
  list("--subscribe", options->subscribe, "channels that he may read; may be repeated");
  list("--publish", options->publish, "channels that he may write; may be repeated");
  token->add_flag("--admin", options->admin, "he is an administrator");
  token->add_option("--max-rate", options->max_rate, "messages a second of each of his subscriptions; 0 means no bound")
      ->check(CLI::Range(0U, 1'000'000U))
      ->type_name("N");
  token->add_flag("--conflate", options->conflate, "all of his subscriptions conflate");
  token->add_option("--issuer", options->issuer, "who issues it (iss)")->type_name("TEXT");
  list("--audience", options->audience, "whom it is for (aud); may be repeated")->type_name("TEXT");
  token->add_option("--algorithm", options->algorithm, "refuse a key for another one")
      ->check(CLI::IsMember({"HS256", "RS256", "ES256"}));
  token->add_option("--key-id", options->key_id, "the key's name in a JWK set (kid)")->type_name("TEXT");
  token->add_option("--id", options->token_id, "its name in a revocation list (jti); default: a random one")
      ->type_name("TEXT");
  token->callback([options, &exit_code] { exit_code = run_token(*options); });
}

}  // namespace ringcast
