// Who may come in through the admin port (protocol.md section 5): the whole matrix as tables.
#include "engine/admin/admin_gate.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ringcast {
namespace {

using enum AdminError;

enum class Token : std::uint8_t { none, bad, reader, admin };

struct Row {
  std::string_view sentence;
  bool authenticates;
  Token token;
  bool loopback;
  std::string_view host;
  std::optional<std::string_view> origin;
  bool forwarded;
  std::optional<AdminError> administrator;  // what a path for administrators answers
  std::optional<AdminError> anybody;        // what /healthz answers
};
constexpr std::nullopt_t in = std::nullopt;
constexpr std::string_view kLocal = "127.0.0.1:9002";

// clang-format off
const Row kRows[] = {
    // nobody authenticates: where the request comes from is all there is
    {"a local program", false, Token::none, true, kLocal, {}, false, in, in},
    {"a local program that says localhost", false, Token::none, true, "localhost:9002", {}, false, in, in},
    {"another host", false, Token::none, false, "10.0.0.7:9002", {}, false, remote_peer, in},
    {"the node's own page", false, Token::none, true, kLocal, "http://127.0.0.1:9002", false, in, in},
    {"a page of an allow-listed origin", false, Token::none, true, kLocal, "https://desk.example", false, in, in},
    {"a page from elsewhere", false, Token::none, true, kLocal, "https://evil.example", false, foreign_origin, foreign_origin},
    {"a page from another port of this host", false, Token::none, true, kLocal, "http://127.0.0.1:8000", false, foreign_origin, foreign_origin},
    {"a page without an origin to speak of", false, Token::none, true, kLocal, "null", false, foreign_origin, foreign_origin},
    {"a name that was made to point here", false, Token::none, true, "evil.example:9002", {}, false, unknown_host, unknown_host},
    {"a name that is configured", false, Token::none, true, "feed.example", {}, false, in, in},
    {"no Host at all", false, Token::none, true, "", {}, false, unknown_host, unknown_host},
    {"a proxy on this host", false, Token::none, true, kLocal, {}, true, forwarded, forwarded},
    {"a token where none is taken changes nothing", false, Token::none, true, kLocal, "https://evil.example", false, foreign_origin, foreign_origin},

    // tokens are taken
    {"no token", true, Token::none, true, kLocal, {}, false, auth_required, in},
    {"no token, from another host that says our address", true, Token::none, false, "10.0.0.7:9002", {}, false, auth_required, in},
    {"a token that is not good", true, Token::bad, true, kLocal, {}, false, auth_failed, in},
    {"a token of somebody else", true, Token::reader, true, kLocal, {}, false, unauthorized, in},
    {"an administrator", true, Token::admin, true, kLocal, {}, false, in, in},
    {"an administrator from another host", true, Token::admin, false, "10.0.0.7:9002", {}, false, in, in},
    {"an administrator through a proxy", true, Token::admin, true, "10.0.0.8", {}, true, in, in},
    {"an administrator's dashboard elsewhere", true, Token::admin, true, kLocal, "https://desk2.example", false, in, in},
    {"an administrator by any name", true, Token::admin, false, "node.example", {}, false, in, in},
    {"a bad token is no token: a page from elsewhere", true, Token::bad, true, kLocal, "https://evil.example", false, foreign_origin, foreign_origin},
    {"a bad token is no token: through a proxy", true, Token::bad, true, kLocal, {}, true, forwarded, forwarded},
    {"no token, by a name that was made to point here", true, Token::none, true, "evil.example", {}, false, unknown_host, unknown_host},
};
// clang-format on

TEST(AdminGate, SaysWhoMayComeIn) {
  AccessOptions access;
  access.origins = {"https://desk.example"};
  access.hosts = {"feed.example"};
  for (const Row& row : kRows) {
    Result<Grant, TokenError> grant = unexpected(TokenError::bad_signature);
    if (row.token == Token::reader || row.token == Token::admin) grant = Grant{};
    if (row.token == Token::admin) grant->admin = true;
    const AdminVisitor visitor{.host = row.host,
                               .origin = row.origin,
                               .forwarded = row.forwarded,
                               .loopback = row.loopback,
                               .local_address = row.loopback ? "127.0.0.1" : "10.0.0.7",
                               .authenticates = row.authenticates,
                               .token = row.token == Token::none ? nullptr : &grant};
    EXPECT_EQ(refusal_of(access, visitor, AdminRole::administrator), row.administrator) << row.sentence;
    EXPECT_EQ(refusal_of(access, visitor, AdminRole::anybody), row.anybody) << row.sentence;
  }
}

RequestHead head_with(const std::string& text) {
  RequestHead head;
  EXPECT_TRUE(parse_request_head(as_bytes(text), head));
  return head;
}
std::string request_with(std::string_view field) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string{field} + "\r\n\r\n";
}

TEST(AdminGate, KnowsTheFieldsOfProxies) {
  struct FieldRow {
    std::string_view field;
    bool forwarded;
  };
  constexpr FieldRow kFields[] = {
      {"X-Forwarded-For: 1.2.3.4", true},  {"x-forwarded-host: a", true}, {"X-FORWARDED-PROTO: https", true},
      {"Forwarded: for=1.2.3.4", true},    {"Via: 1.1 proxy", true},      {"X-Real-IP: 1.2.3.4", true},
      {"CF-Connecting-IP: 1.2.3.4", true}, {"X-Forwarded: a", false},     {"Accept: x-forwarded-for", false},
      {"Referer: http://a/", false},
  };
  for (const FieldRow& row : kFields) {
    const std::string text = request_with(row.field);
    EXPECT_EQ(is_forwarded(head_with(text).fields), row.forwarded) << row.field;
  }
}

TEST(AdminGate, TakesATokenFromOneBearerFieldOnly) {
  struct FieldRow {
    std::string_view field, token;
  };
  constexpr FieldRow kFields[] = {
      {"Authorization: Bearer a.b.c", "a.b.c"},
      {"authorization: bearer   a.b.c", "a.b.c"},
      {"Authorization: Basic YTpi", ""},
      {"Authorization: Bearer", ""},
      {"Authorization: Bearera.b.c", ""},
      {"Authorization: Bearer a.b.c\r\nAuthorization: Bearer d.e.f", ""},
      {"Cookie: token=a.b.c", ""},
  };
  for (const FieldRow& row : kFields) {
    const std::string text = request_with(row.field);
    EXPECT_EQ(bearer_token(head_with(text).fields), row.token) << row.field;
  }
}

}  // namespace
}  // namespace ringcast
