#include "codec/websocket/extension_offer.hpp"

#include <algorithm>
#include <cstddef>

#include "codec/http/header_fields.hpp"

namespace ringcast {
namespace {

/// A quoted value must be a token once unquoted (RFC 6455 section 9.1).
bool is_parameter_value(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return is_token(text);
}

bool is_parameter(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return is_token(trimmed(text));
  return is_token(trimmed(text.substr(0, equals))) && is_parameter_value(trimmed(text.substr(equals + 1)));
}

}  // namespace

bool read_extension_offer(std::string_view element, ExtensionOffer& offer) {
  const std::size_t name_end = std::min(element.find(';'), element.size());
  offer.name = trimmed(element.substr(0, name_end));
  offer.parameters = trimmed(element.substr(std::min(name_end + 1, element.size())));
  if (!is_token(offer.name)) return false;
  if (name_end == element.size()) return true;
  std::string_view rest = element.substr(name_end + 1);  // a quoted token contains no ';'
  while (true) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    if (!is_parameter(rest.substr(0, end))) return false;
    if (end == rest.size()) return true;
    rest.remove_prefix(end + 1);
  }
}

}  // namespace ringcast
