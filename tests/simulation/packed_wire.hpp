// tests/simulation/packed_wire.hpp: permessage-deflate of a simulated client: offered, agreed, packed, unpacked.
//
// Owner  the conversation, by value.  Thread  one.  Memory  libdeflate's, once a message was packed or unpacked.
// Failure  a sentence: what the server did wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "codec/deflate/message_deflater.hpp"
#include "codec/deflate/message_inflater.hpp"
#include "codec/http/response_head.hpp"
#include "codec/websocket/deflate_offer.hpp"

namespace ringcast::simulation {

class PackedWire {
 public:
  /// The request's field that asks the server to point back at most 2^window_bits bytes.
  [[nodiscard]] std::string offer(std::uint8_t window_bits) {
    offered_ = window_bits;
    std::string field = "Sec-WebSocket-Extensions: permessage-deflate";
    if (window_bits < kWindowBitsMax) field += "; server_max_window_bits=" + std::to_string(window_bits);
    return field + "\r\n";
  }
  /// Reads the 101. Returns what is wrong with it, or nothing.
  [[nodiscard]] std::string_view answered(const ResponseHead& head) {
    const auto value = head.fields.find("Sec-WebSocket-Extensions");
    if (!value) return offered_ ? "compression was offered and is not agreed to" : "";
    if (!offered_) return "compression is agreed to that nobody offered";
    ExtensionOffer answer;
    if (!read_extension_offer(*value, answer) || answer.name != kDeflateName)
      return "an extension that is none of ours";
    const auto agreed = verify_deflate_answer(answer.parameters);
    if (!agreed || agreed->server_window_bits != *offered_) return "compression is agreed to in other terms";
    agreed_ = true;
    return "";
  }
  [[nodiscard]] bool agreed() const { return agreed_; }
  /// Then the server agrees, though the client may not have read it yet.
  [[nodiscard]] bool offered() const { return offered_.has_value(); }

  /// Empty: it does not get smaller.
  [[nodiscard]] std::string pack(std::string_view text) {
    std::string packed(text.size(), '\0');
    packed.resize(deflater_.deflate(as_bytes(text), {reinterpret_cast<std::uint8_t*>(packed.data()), packed.size()}));
    return packed;
  }
  /// Nothing: it does not unpack, or is larger than the window that was agreed.
  [[nodiscard]] std::optional<std::string_view> unpack(Bytes packed) {
    const auto message = inflater_.inflate(packed);
    if (!message || (*offered_ < kWindowBitsMax && !fits_window(message->size(), *offered_))) return std::nullopt;
    return as_text(*message);
  }

 private:
  std::optional<std::uint8_t> offered_;
  bool agreed_ = false;
  MessageDeflater deflater_;
  MessageInflater inflater_{4U << 20};
};

}  // namespace ringcast::simulation
