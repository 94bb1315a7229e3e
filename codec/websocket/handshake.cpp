#include "codec/websocket/handshake.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "alloc/base/ensure.hpp"
#include "codec/hash/base64.hpp"
#include "codec/hash/sha1.hpp"
#include "codec/http/response_writer.hpp"
#include "codec/websocket/extension_offer.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 section 1.3
constexpr std::size_t kKeyCharacters = base64_encoded_bytes(ClientNonce{}.size());

tl::unexpected<HandshakeRefusal> refuse(std::uint16_t status, std::string_view sentence) {
  return tl::unexpected{HandshakeRefusal{status, sentence}};
}

/// Base64 of 16 bytes. The four unused bits of the last digit may be anything: some clients write 22 at random.
bool is_key(std::string_view key) {
  if (key.size() != kKeyCharacters || !key.ends_with("==")) return false;
  std::array<char, kKeyCharacters> digits;  // zeros instead of the padding, so that every bit counts
  digits.fill('A');
  std::copy_n(key.begin(), kKeyCharacters - 2, digits.begin());
  std::array<std::uint8_t, kKeyCharacters / 4 * 3> decoded;
  return base64_decode({digits.data(), digits.size()}, decoded).has_value();
}

struct FieldRow {
  std::string_view name, missing, repeated;
};
/// The value of a field that must appear exactly once.
Result<std::string_view, HandshakeRefusal> single_field(const HeaderFields& fields, const FieldRow& row) {
  const auto found = fields.find(row.name);
  if (!found) return refuse(400, row.missing);
  if (fields.occurrences(row.name) > 1) return refuse(400, row.repeated);
  return *found;
}
constexpr FieldRow kKeyRow{"Sec-WebSocket-Key", "Sec-WebSocket-Key is missing", "Sec-WebSocket-Key is repeated"};
constexpr FieldRow kVersionRow{"Sec-WebSocket-Version", "Sec-WebSocket-Version is missing",
                               "Sec-WebSocket-Version is repeated"};

/// RFC 6455 section 4.1 item 10: tokens, all different. Takes the first that is supported.
bool choose_subprotocol(const RequestHead& head, std::span<const std::string_view> supported, HandshakeAccept& accept) {
  constexpr std::size_t kOffersMax = 32;  // decision: beyond it the quadratic comparison below is abuse
  std::array<std::string_view, kOffersMax> offers;
  std::size_t count = 0;
  for (const HeaderField& field : head.fields) {
    if (!equals_ignoring_case(field.name, "Sec-WebSocket-Protocol")) continue;
    std::string_view rest = field.value;
    while (const auto offer = next_list_element(rest)) {
      const auto known_end = offers.begin() + static_cast<std::ptrdiff_t>(count);
      if (count == kOffersMax || !is_token(*offer) || std::find(offers.begin(), known_end, *offer) != known_end) {
        return false;
      }
      offers[count++] = *offer;
      if (accept.subprotocol.empty() && std::find(supported.begin(), supported.end(), *offer) != supported.end()) {
        accept.subprotocol = *offer;
      }
    }
  }
  accept.subprotocols_offered = count > 0;
  return count > 0 || head.fields.occurrences("Sec-WebSocket-Protocol") == 0;
}

bool read_extensions(const HeaderFields& fields, HandshakeAccept& accept) {
  for (const HeaderField& field : fields) {
    if (!equals_ignoring_case(field.name, "Sec-WebSocket-Extensions")) continue;
    std::string_view rest = field.value;
    while (const auto element = next_list_element(rest)) {
      ExtensionOffer offer;
      if (!read_extension_offer(*element, offer)) return false;
      if (accept.deflate || !equals_ignoring_case(offer.name, kDeflateName)) continue;
      accept.deflate_offered = true;
      accept.deflate = accept_deflate_offer(offer.parameters);  // declined: the next one is looked at
    }
  }
  return true;
}

/// False: an extension that was not offered, or an answer that does not fit the offer.
bool read_answered_extensions(const ResponseHead& head, const UpgradeRequest& request, UpgradeAnswer& answer) {
  for (const HeaderField& field : head.fields) {
    if (!equals_ignoring_case(field.name, "Sec-WebSocket-Extensions")) continue;
    std::string_view rest = field.value;
    while (const auto element = next_list_element(rest)) {
      ExtensionOffer extension;
      const bool ours = read_extension_offer(*element, extension) && request.offers_deflate && !answer.deflate &&
                        equals_ignoring_case(extension.name, kDeflateName);
      if (ours) answer.deflate = verify_deflate_answer(extension.parameters);
      if (!ours || !answer.deflate) return false;
    }
  }
  return true;
}

}  // namespace

AcceptKey accept_key_of(std::string_view key) {
  std::array<std::uint8_t, kKeyCharacters + kGuid.size()> joined;
  ensure(key.size() == kKeyCharacters, "a key has 24 characters");
  std::copy(key.begin(), key.end(), joined.begin());
  std::copy(kGuid.begin(), kGuid.end(), joined.begin() + kKeyCharacters);
  AcceptKey accept;
  base64_encode(sha1(joined), accept);
  return accept;
}

bool wants_websocket(const RequestHead& head) { return head.fields.has_token("Upgrade", "websocket"); }

HandshakeResult check_upgrade(const RequestHead& head, std::span<const std::string_view> supported) {
  if (head.method != "GET") return refuse(405, "a WebSocket handshake is a GET request");
  const bool upgrades = head.fields.has_token("Connection", "upgrade");
  if (!wants_websocket(head)) {
    const bool tries = upgrades || head.fields.find("Upgrade") || head.fields.find(kKeyRow.name);
    if (tries) return refuse(400, "the Upgrade field does not name websocket");
    return refuse(426, "this address speaks WebSocket");  // somebody's browser: say what to do
  }
  if (!upgrades) return refuse(400, "the Connection field does not name upgrade");
  if (head.version_minor < 1) return refuse(400, "a WebSocket handshake needs HTTP/1.1");
  const auto version = single_field(head.fields, kVersionRow);
  if (!version) return unexpected(version.error());
  if (*version != kWebSocketVersion) return refuse(426, "only version 13 of the WebSocket protocol is spoken here");
  const auto key = single_field(head.fields, kKeyRow);
  if (!key) return unexpected(key.error());
  if (!is_key(*key)) return refuse(400, "Sec-WebSocket-Key is not the base64 form of 16 bytes");
  if (head.has_body()) return refuse(400, "a WebSocket handshake has no body");

  HandshakeAccept accept;
  if (!choose_subprotocol(head, supported, accept)) return refuse(400, "Sec-WebSocket-Protocol is malformed");
  if (!read_extensions(head.fields, accept)) return refuse(400, "Sec-WebSocket-Extensions is malformed");
  accept.accept = accept_key_of(*key);
  return accept;
}

bool offers_subprotocol(const RequestHead& head, std::string_view name) {
  for (const HeaderField& field : head.fields) {
    if (!equals_ignoring_case(field.name, "Sec-WebSocket-Protocol")) continue;
    std::string_view rest = field.value;
    while (const auto offer = next_list_element(rest)) {
      if (*offer == name) return true;
    }
  }
  return false;
}

void append_upgrade_response(std::string& out, const HandshakeAccept& accept) {
  ResponseWriter response{out, 101};
  response.field("Upgrade", "websocket").field("Connection", "Upgrade");
  response.field("Sec-WebSocket-Accept", std::string_view{accept.accept.data(), accept.accept.size()});
  if (!accept.subprotocol.empty()) response.field("Sec-WebSocket-Protocol", accept.subprotocol);
  if (accept.deflate) {
    std::string answer;
    append_deflate_answer(answer, *accept.deflate);
    response.field("Sec-WebSocket-Extensions", answer);
  }
  response.end_head();
}

void append_refusal(std::string& out, const HandshakeRefusal& refusal) {
  ResponseWriter response{out, refusal.status};
  if (refusal.status == 426) {
    // RFC 9110 section 15.5.22 asks for Upgrade, RFC 6455 section 4.4 for the versions we speak.
    response.field("Upgrade", "websocket").field("Connection", "Upgrade, close");
    response.field("Sec-WebSocket-Version", kWebSocketVersion);
  } else {
    response.field("Connection", "close");
  }
  if (refusal.status == 405) response.field("Allow", "GET");
  std::string body{refusal.sentence};
  body += '\n';
  response.end_with_body("text/plain; charset=utf-8", body);
}

HandshakeRefusal refusal_of(HeadError error) { return {status_of(error), sentence_of(error)}; }

void append_upgrade_request(std::string& out, const UpgradeRequest& request) {
  ensure(request.target.starts_with('/') && request.target.find_first_of(" \r\n") == std::string_view::npos,
         "a request target is a path without spaces");
  std::array<char, kKeyCharacters> key;
  base64_encode(request.nonce, key);
  const auto field = [&out](std::string_view name, std::string_view value) {
    ensure(is_token(name) && value.find_first_of(std::string_view{"\r\n\0", 3}) == std::string_view::npos,
           "a request field is one line");
    out.append(name).append(": ").append(value).append("\r\n");
  };
  out.append("GET ").append(request.target).append(" HTTP/1.1\r\n");
  field("Host", request.host);
  field("Upgrade", "websocket");
  field("Connection", "Upgrade");
  field("Sec-WebSocket-Key", {key.data(), key.size()});
  field("Sec-WebSocket-Version", kWebSocketVersion);
  if (!request.origin.empty()) field("Origin", request.origin);
  std::string offers;
  for (const std::string_view name : request.subprotocols) offers.append(offers.empty() ? "" : ", ").append(name);
  if (!offers.empty()) field("Sec-WebSocket-Protocol", offers);
  if (request.offers_deflate) field("Sec-WebSocket-Extensions", kDeflateOffer);
  for (const HeaderField& more : request.more_fields) field(more.name, more.value);
  out.append("\r\n");
}

Result<UpgradeAnswer, ClientRefusal> verify_upgrade_response(const ResponseHead& head, const UpgradeRequest& request) {
  const auto refused = [&head](std::string_view sentence) { return unexpected(ClientRefusal{head.status, sentence}); };
  if (head.status != 101) return refused("the server did not switch protocols");
  if (head.version_minor < 1) return refused("the server answered in HTTP/1.0");
  if (!head.fields.has_token("Upgrade", "websocket")) return refused("the answer's Upgrade is not websocket");
  if (!head.fields.has_token("Connection", "upgrade")) return refused("the answer's Connection is not upgrade");

  std::array<char, kKeyCharacters> key;
  const AcceptKey expected = accept_key_of(base64_encode(request.nonce, key));
  const auto accept = head.fields.find("Sec-WebSocket-Accept");
  if (!accept || head.fields.occurrences("Sec-WebSocket-Accept") != 1 ||
      *accept != std::string_view{expected.data(), expected.size()}) {
    return refused("the answer's Sec-WebSocket-Accept does not fit the key");
  }
  UpgradeAnswer answer;
  if (!read_answered_extensions(head, request, answer)) {
    return refused("the server uses an extension that was not offered, or not like that");
  }
  const auto chosen = head.fields.find("Sec-WebSocket-Protocol");
  if (!chosen) return answer;
  const bool offered = std::find(request.subprotocols.begin(), request.subprotocols.end(), *chosen) !=
                       request.subprotocols.end();
  if (!offered || head.fields.occurrences("Sec-WebSocket-Protocol") != 1) {
    return refused("the server chose a subprotocol that was not offered");
  }
  answer.subprotocol = *chosen;
  return answer;
}

}  // namespace ringcast
