// engine/admin/admin_gate.hpp: who may come in through the admin port: one table of rules.
//
// Thread   any; pure.  Memory  none.  Failure  an AdminError, the first rule that is broken.
// Source   protocol.md section 5: "an administrator's token unless the peer is on loopback and no authentication is
//          configured; a tokenless request with a foreign Origin, an unknown Host or forwarding headers is refused".
// Not here checking the token itself (access/authenticator), which path wants whom (routes).
//
// A token is what no web page and no proxy has by accident, so who presents a good one is held to nothing else. Without
// one, the only credential is where the request comes from: then it must not come from a page of another site (Origin),
// by a name that was made to point here (Host), or through a proxy that makes strangers look local.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "alloc/base/result.hpp"
#include "codec/http/request_head.hpp"
#include "engine/access/grant.hpp"
#include "engine/access/token.hpp"
#include "engine/admin/admin_error.hpp"
#include "engine/limits.hpp"

namespace ringcast {

enum class AdminRole : std::uint8_t { anybody, administrator };

struct AdminVisitor {
  std::string_view host;
  std::optional<std::string_view> origin;
  bool forwarded = false;          // a proxy speaks for somebody else
  bool loopback = false;           // the peer's address
  std::string_view local_address;  // that it reached us at, numeric: as a Host it is the node's own name
  bool authenticates = false;      // the node takes tokens
  const Result<Grant, TokenError>* token = nullptr;  // null: none came, or the node takes none
};

/// Empty: come in.
[[nodiscard]] std::optional<AdminError> refusal_of(const AccessOptions& access, const AdminVisitor& visitor,
                                                   AdminRole wanted);

/// Fields that say "on behalf of".
[[nodiscard]] bool is_forwarded(const HeaderFields& fields);
/// The token of `Authorization: Bearer <token>`; empty: there is none.
[[nodiscard]] std::string_view bearer_token(const HeaderFields& fields);

}  // namespace ringcast
