// codec/websocket/extension_offer.hpp: reads Sec-WebSocket-Extensions (RFC 6455 section 9.1).
//
// Thread  any.  Memory  none; views into the header.  Failure  false: the header is malformed.
// Not here whether an offer is accepted: today all are declined by not echoing them (handshake).
#pragma once

#include <string_view>

namespace ringcast {

struct ExtensionOffer {
  std::string_view name;
  std::string_view parameters;  // "a; b=1", checked, without the leading ';'; may be empty
};

/// Reads one element of the list: token *( ";" token [ "=" ( token | quoted-string ) ] ).
/// returns  false if it is malformed.
[[nodiscard]] bool read_extension_offer(std::string_view element, ExtensionOffer& offer);

}  // namespace ringcast
