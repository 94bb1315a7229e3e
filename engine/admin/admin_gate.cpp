#include "engine/admin/admin_gate.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "codec/http/url.hpp"
#include "engine/access/origin_check.hpp"

namespace ringcast {
namespace {

constexpr std::array<std::string_view, 6> kForwardingFields{
    "Forwarded", "Via", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"};
constexpr std::string_view kForwardedPrefix = "X-Forwarded-";

std::optional<AdminError> check_origin(const AccessOptions& access, const AdminVisitor& visitor) {
  AccessVerdict verdict = check_origin_and_host(access, visitor.host, visitor.origin);
  if (verdict == AccessVerdict::unknown_host && !visitor.local_address.empty()) {
    const auto authority = split_host_port(visitor.host);
    if (authority && authority->host == visitor.local_address) {  // no name, so none that was made to point here
      AccessOptions with_own = access;
      with_own.hosts.emplace_back(visitor.local_address);
      verdict = check_origin_and_host(with_own, visitor.host, visitor.origin);
    }
  }
  switch (verdict) {
    case AccessVerdict::allowed: return std::nullopt;
    case AccessVerdict::foreign_origin: return AdminError::foreign_origin;
    case AccessVerdict::unknown_host: return AdminError::unknown_host;
  }
  return AdminError::unknown_host;
}

}  // namespace

std::optional<AdminError> refusal_of(const AccessOptions& access, const AdminVisitor& visitor, AdminRole wanted) {
  const bool trusted = visitor.token != nullptr && visitor.token->has_value();
  if (!trusted) {
    if (const auto refusal = check_origin(access, visitor)) return refusal;
    if (visitor.forwarded) return AdminError::forwarded;
  }
  if (wanted == AdminRole::anybody) return std::nullopt;
  if (!visitor.authenticates) {
    return visitor.loopback ? std::nullopt : std::optional{AdminError::remote_peer};
  }
  if (visitor.token == nullptr) return AdminError::auth_required;
  if (!trusted) return AdminError::auth_failed;
  return visitor.token->value().admin ? std::nullopt : std::optional{AdminError::unauthorized};
}

bool is_forwarded(const HeaderFields& fields) {
  return std::ranges::any_of(fields, [](const HeaderField& field) {
    return equals_ignoring_case(field.name.substr(0, kForwardedPrefix.size()), kForwardedPrefix) ||
           std::ranges::any_of(kForwardingFields,
                               [&](std::string_view name) { return equals_ignoring_case(name, field.name); });
  });
}

std::string_view bearer_token(const HeaderFields& fields) {
  constexpr std::string_view kScheme = "Bearer ";
  if (fields.occurrences("Authorization") != 1) return {};  // two would be a guess
  const std::string_view value = *fields.find("Authorization");
  if (!equals_ignoring_case(value.substr(0, kScheme.size()), kScheme)) return {};
  return trimmed(value.substr(std::min(kScheme.size(), value.size())));
}

}  // namespace ringcast
