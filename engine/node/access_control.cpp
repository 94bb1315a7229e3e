#include "engine/node/access_control.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

Result<std::string, std::string> read_file(const std::string& path, std::size_t bytes_max) {
  std::ifstream file{path, std::ios::binary};
  std::string text;
  if (file) {
    std::array<char, 65'536> piece;
    while (text.size() <= bytes_max && (file.read(piece.data(), piece.size()), file.gcount() > 0)) {
      text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
    }
  }
  if (!file.is_open() || file.bad()) return unexpected(std::string{"cannot be read: "} + std::strerror(errno));
  if (text.size() > bytes_max) return unexpected("has more than " + std::to_string(bytes_max) + " bytes");
  return text;
}

std::string about(std::string_view key, const std::string& path, const std::string& sentence) {
  return std::string{key} + ": " + path + " " + sentence;
}

/// Without a kid a token is tried with few keys: more of them would never be used, and nobody would know why.
Result<void, std::string> check_count(const std::vector<TokenKey>& keys) {
  if (keys.size() > kTokenKeysMax) {
    return unexpected("there are " + std::to_string(keys.size()) + " keys; " + std::to_string(kTokenKeysMax) +
                      " at most");
  }
  for (const auto algorithm : {TokenAlgorithm::hs256, TokenAlgorithm::rs256, TokenAlgorithm::es256}) {
    const auto nameless = std::ranges::count_if(
        keys, [algorithm](const TokenKey& key) { return key.algorithm == algorithm && key.id.empty(); });
    if (static_cast<std::size_t>(nameless) > kKeysTriedMax) {
      return unexpected("there are " + std::to_string(nameless) + " keys for " + std::string{name_of(algorithm)} +
                        " without a kid; " + std::to_string(kKeysTriedMax) + " at most are tried: use a JWK set");
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<AccessControl>, std::string> AccessControl::open(const AuthOptions& options,
                                                                        std::span<ShardControl> shards) {
  std::unique_ptr<AccessControl> control{new AccessControl{options, shards}};
  control->stamps_ = control->stamps_now();
  auto made = control->read();
  if (!made) return unexpected(std::move(made.error()));
  control->current_ = std::move(*made);
  for (ShardControl& shard : shards) shard.authenticator.store(control->current_.get(), std::memory_order_release);
  return control;
}

AccessControl::Stamp AccessControl::stamp_of(const std::string& path) {
  struct stat found {};
  if (path.empty() || ::stat(path.c_str(), &found) != 0) return {};
  return {.modified_ns = found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec,
          .size = found.st_size,
          .inode = found.st_ino};
}

AccessControl::Stamps AccessControl::stamps_now() const {
  return {stamp_of(options_.key_file), stamp_of(options_.jwks_file), stamp_of(options_.revocation_file)};
}

bool AccessControl::changed() const { return stamps_now() != stamps_; }

bool AccessControl::settled() const {
  return std::ranges::all_of(shards_, [this](const ShardControl& shard) {
    return shard.authenticator_used.load(std::memory_order_acquire) == current_.get();
  });
}

Result<std::unique_ptr<const Authenticator>, std::string> AccessControl::read() const {
  AuthenticatorRules rules;
  rules.issuer = options_.issuer;
  rules.audience = options_.audience;
  rules.clock_skew = options_.clock_skew;
  if (!options_.secret.empty()) {
    auto key = read_secret(options_.secret);
    if (!key) return unexpected(std::move(key.error()));
    rules.keys.push_back(std::move(*key));
  }
  if (!options_.key_file.empty()) {
    const auto text = read_file(options_.key_file, kKeyFileBytesMax);
    if (!text) return unexpected(about("auth.key_file", options_.key_file, text.error()));
    auto keys = read_verify_keys(*text);
    if (!keys) return unexpected(about("auth.key_file", options_.key_file, keys.error()));
    std::ranges::move(*keys, std::back_inserter(rules.keys));
  }
  if (!options_.jwks_file.empty()) {
    const auto text = read_file(options_.jwks_file, kKeyFileBytesMax);
    if (!text) return unexpected(about("auth.jwks_file", options_.jwks_file, text.error()));
    auto set = read_jwk_set(*text);
    if (!set) return unexpected(about("auth.jwks_file", options_.jwks_file, set.error()));
    std::ranges::move(set->keys, std::back_inserter(rules.keys));
  }
  if (auto good = check_count(rules.keys); !good) return unexpected(std::move(good.error()));
  if (!options_.revocation_file.empty()) {
    const auto text = read_file(options_.revocation_file, kRevocationFileBytesMax);
    if (!text) return unexpected(about("auth.revocation_file", options_.revocation_file, text.error()));
    auto revocations = Revocations::read(*text);
    if (!revocations) return unexpected(about("auth.revocation_file", options_.revocation_file, revocations.error()));
    rules.revocations = std::move(*revocations);
  }
  return std::make_unique<const Authenticator>(std::move(rules));
}

Result<void, std::string> AccessControl::reload() {
  ensure(settled(), "a shard is given other keys when it goes by the last ones");
  stamps_ = stamps_now();  // before reading: what changes meanwhile is read again
  auto made = read();
  if (!made) return unexpected(std::move(made.error()));
  before_ = std::exchange(current_, std::move(*made));
  for (ShardControl& shard : shards_) shard.authenticator.store(current_.get(), std::memory_order_release);
  return {};
}

}  // namespace ringcast
