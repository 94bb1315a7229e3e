// Tokens, the files of keys and of revocations: nobody gets in without our signature, and who has it gets what the
// claims say and no more.
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "codec/text/channel_name.hpp"
#include "engine/access/authenticator.hpp"
#include "tests/engine/access/token_fixture.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kSecret = "forty bytes that no input can come upon.";
constexpr WallTime kNow{seconds{1'795'860'000}};
constexpr std::string_view kRevoked = "token t1\nuser bob\nuser eve before 1700000000\n";

const Authenticator& authenticator() {
  static const Authenticator made{{.keys = {*read_secret(kSecret)},
                                   .issuer = {},
                                   .audience = {},
                                   .clock_skew = milliseconds{30'000},
                                   .revocations = *Revocations::read(kRevoked)}};
  return made;
}

void read_claims(std::string_view encoded) {
  const auto claims = read_token_claims(encoded);
  if (!claims) return;
  fuzz::holds(is_valid_channel_name(claims->user) && claims->user.size() <= kUserBytesMax, "a token names a user");
  fuzz::holds(claims->subscribe.size() <= kGrantPatternsMax && claims->publish.size() <= kGrantPatternsMax,
              "patterns have their bound");
  const std::string text = text_of(*claims);
  const auto again = read_token_claims(base64url(text));
  fuzz::holds(again && text_of(*again) == text, "what is issued says what was read");
}

/// A token as a stranger sends it.
void read_foreign(std::string_view token) {
  fuzz::holds(!authenticator().verify(token, kNow), "nobody gets in who cannot sign");
  const auto parts = split_token(token);
  if (!parts) return;
  fuzz::holds(token.size() <= kTokenBytesMax, "a token has its bound");
  (void)read_token_header(parts->header);
  read_claims(parts->claims);
}

/// A header and claims that somebody signed who has our secret: the two lines of the input.
void read_signed(std::string_view halves) {
  const std::size_t cut = std::min(halves.find('\n'), halves.size());
  const std::string header = base64url(halves.substr(0, cut));
  const std::string claims = base64url(halves.substr(std::min(cut + 1, halves.size())));
  std::string token = header + '.' + claims;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int digest_bytes = 0;
  const Bytes message = as_bytes(token);
  fuzz::holds(HMAC(EVP_sha256(), kSecret.data(), static_cast<int>(kSecret.size()), message.data(), message.size(),
                   digest.data(), &digest_bytes) != nullptr,
              "libcrypto signs");
  token += '.' + base64url(as_text(Bytes{digest}.first(digest_bytes)));
  const auto grant = authenticator().verify(token, kNow);
  if (!grant) return;
  const auto read_header = read_token_header(header);
  fuzz::holds(read_header && read_header->algorithm == TokenAlgorithm::hs256, "the key fixes the algorithm");
  fuzz::holds(is_valid_channel_name(grant->user) && grant->user.size() <= kUserBytesMax, "who gets in is somebody");
  fuzz::holds(grant->expires > kNow, "for some time");
  fuzz::holds(grant->user != "bob" && grant->token_id != "t1", "and was not revoked");
  fuzz::holds(grant->user != "eve" || grant->issued >= WallTime{seconds{1'700'000'000}}, "nor before that time");
  fuzz::holds(authenticator().stands(*grant), "what was granted stands while nothing changes");
  fuzz::holds(!grant->may_subscribe("$sys/stats") || grant->admin, "the server's channels are for administrators");
  fuzz::holds(!grant->may_publish("$sys/stats"), "and nobody publishes there");
  fuzz::holds(grant_bytes(*grant) <= 20 * token.size(), "memory has its bound");
}

void use(const std::vector<TokenKey>& keys) {
  fuzz::holds(!keys.empty() && keys.size() <= kTokenKeysMax, "a file of keys has some");
  for (const TokenKey& key : keys) {
    fuzz::holds(key.verifier.has_value() && key.id.size() <= kKeyIdBytesMax, "a key can be used");
    const std::array<std::uint8_t, 64> no_signature{};
    fuzz::holds(!key.verifier->verify(as_bytes("text"), no_signature), "and takes no signature of zeros");
  }
}

void read_files(std::string_view text) {
  const auto keys = read_verify_keys(text);
  keys ? use(*keys) : fuzz::holds(!keys.error().empty(), "a refusal has a reason");
  const auto set = read_jwk_set(text);
  set ? use(set->keys) : fuzz::holds(!set.error().empty(), "a refusal has a reason");
  const auto signing = read_signing_key(text);
  fuzz::holds(signing || !signing.error().empty(), "a refusal has a reason");
  const auto revoked = Revocations::read(text);
  fuzz::holds(revoked || !revoked.error().empty(), "a refusal has a reason");
}

}  // namespace
}  // namespace ringcast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringcast;
  fuzz::Input input{data, size};
  const std::uint8_t kind = input.byte();  // in the corpus: t, s, f, or a for claims alone
  const auto bytes = fuzz::copy_of(input.rest());
  switch (kind % 4) {
    case 't' % 4: read_foreign(as_text(bytes)); break;
    case 's' % 4: read_signed(as_text(bytes)); break;
    case 'f' % 4: read_files(as_text(bytes)); break;
    default: read_claims(base64url(as_text(bytes))); break;
  }
  fuzz::holds(ERR_peek_error() == 0, "libcrypto's queue of errors is left empty");
  return 0;
}
