// codec/websocket/handshake.hpp: the opening handshake of RFC 6455 section 4, both sides.
//
// Thread   any.  Memory  the caller's string; results are views into the request, the response or literals.
// Failure  a HandshakeRefusal: the status to answer with and a sentence. ClientRefusal on the client's side.
// Not here Origin and Host (engine/access), paths and dialects (engine/session), 503 (engine/access/admission),
//          randomness: the client's nonce is a parameter. Whether a deflate offer is taken up is the engine's choice.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "alloc/base/bytes.hpp"
#include "alloc/base/result.hpp"
#include "codec/http/head_error.hpp"
#include "codec/http/request_head.hpp"
#include "codec/http/response_head.hpp"
#include "codec/websocket/deflate_offer.hpp"

namespace ringcast {

inline constexpr std::string_view kWebSocketVersion = "13";  // RFC 6455 section 4.1

using AcceptKey = std::array<char, 28>;   // base64 of a SHA-1
using ClientNonce = std::array<std::uint8_t, 16>;

/// base64(sha1(key + GUID)), RFC 6455 section 4.2.2.
[[nodiscard]] AcceptKey accept_key_of(std::string_view key);

// -- server --

struct HandshakeAccept {
  AcceptKey accept{};
  std::string_view subprotocol{};      // the client's first choice among those supported; empty: none
  bool subprotocols_offered = false;   // it offered some, supported or not
  bool deflate_offered = false;        // at least once, in whatever terms
  std::optional<DeflateAgreement> deflate{};  // the first offer that can be taken up; reset it to decline
};

struct HandshakeRefusal {
  std::uint16_t status = 400;     // 400, 405 or 426 from check_upgrade; any other from the engine
  std::string_view sentence{};      // why, for the body and the log
};
using HandshakeResult = Result<HandshakeAccept, HandshakeRefusal>;

/// True if the request asks for a WebSocket at all: Upgrade lists websocket. Others are plain HTTP (polling, sse).
[[nodiscard]] bool wants_websocket(const RequestHead& head);

/// Checks everything that RFC 6455 section 4.2.1 asks of a request.
/// supported  subprotocols to choose from, compared exactly.
[[nodiscard]] HandshakeResult check_upgrade(const RequestHead& head,
                                            std::span<const std::string_view> supported = {});

/// True if the request's Sec-WebSocket-Protocol names it, exactly.
[[nodiscard]] bool offers_subprotocol(const RequestHead& head, std::string_view name);

/// Appends the 101 response.
void append_upgrade_response(std::string& out, const HandshakeAccept& accept);
/// Appends a refusal: 405 with Allow, 426 with Upgrade and Sec-WebSocket-Version, all with the sentence as
/// body and Connection: close.
void append_refusal(std::string& out, const HandshakeRefusal& refusal);
/// A refusal for a head that the parser refused: 400, 431 or 505.
[[nodiscard]] HandshakeRefusal refusal_of(HeadError error);

// -- client --

struct UpgradeRequest {
  std::string_view host{};    // the URL's authority
  std::string_view target{};  // starts with '/'
  ClientNonce nonce{};      // 16 random bytes, new for each connection
  std::string_view origin{};  // empty: not sent
  std::span<const std::string_view> subprotocols{};
  bool offers_deflate = false;  // kDeflateOffer
  std::span<const HeaderField> more_fields{};  // Authorization and the like
};
void append_upgrade_request(std::string& out, const UpgradeRequest& request);

struct ClientRefusal {
  std::uint16_t status = 0;   // what the server answered; 101 when the rest of its answer is wrong
  std::string_view sentence{};
};
struct UpgradeAnswer {
  std::string_view subprotocol{};               // empty: none was chosen
  std::optional<DeflateAgreement> deflate{};
};
/// Checks the server's answer: 101, Upgrade, Connection, Accept; no extension and no subprotocol that was not offered.
[[nodiscard]] Result<UpgradeAnswer, ClientRefusal> verify_upgrade_response(const ResponseHead& head,
                                                                           const UpgradeRequest& request);

}  // namespace ringcast
