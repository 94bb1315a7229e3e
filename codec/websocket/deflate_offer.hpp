// codec/websocket/deflate_offer.hpp: what permessage-deflate is offered with and what is agreed, RFC 7692 section 7.1.
//
// Thread   any.  Memory  none; views into the header.
// Failure  an offer that is not understood to the letter is declined (section 7: unknown, repeated or invalid
//          parameters), and the next one is looked at; an answer like that fails the client's handshake.
// Not here the header's grammar (extension_offer), compressing (codec/deflate), who uses it (handshake).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "codec/websocket/extension_offer.hpp"

namespace ringcast {

inline constexpr std::string_view kDeflateName = "permessage-deflate";  // RFC 7692 section 7
inline constexpr std::uint8_t kWindowBitsMin = 8;                       // section 7.1.2.1
inline constexpr std::uint8_t kWindowBitsMax = 15;

/// Both sides forget each message when it is over: a server_no_context_takeover because one compressed frame is for
/// all readers, a client_no_context_takeover because then an idle connection holds no state.
struct DeflateAgreement {
  std::uint8_t server_window_bits = kWindowBitsMax;  // what the server sends may point so far back: 2^bits bytes
  bool server_window_named = false;                  // the offer names it, so the answer has to
  std::optional<std::uint8_t> client_window_bits{};  // the client said it would stay within; repeated, not relied on

  bool operator==(const DeflateAgreement&) const = default;
};

/// What to answer to one offer of that name; nothing: decline it.
[[nodiscard]] std::optional<DeflateAgreement> accept_deflate_offer(std::string_view parameters);

/// Appends the value of the answering Sec-WebSocket-Extensions.
void append_deflate_answer(std::string& out, const DeflateAgreement& agreement);

/// What our own client offers.
inline constexpr std::string_view kDeflateOffer = "permessage-deflate; server_no_context_takeover";
/// What a server answered to kDeflateOffer; nothing: the answer is none that may be given to it.
[[nodiscard]] std::optional<DeflateAgreement> verify_deflate_answer(std::string_view parameters);

}  // namespace ringcast
