// tools/client/client_handshake.hpp: asks a server for a WebSocket and reads its answer, however it is split.
//
// Owner    one a connection, until it is open.  Thread  the connection's.
// Memory   the answer's head, at most HeadLimits::head_bytes_max, and as much of a refusal's body.
// Failure  a sentence: the server's status and words, or what is wrong with its answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "codec/websocket/handshake.hpp"
#include "tools/client/endpoint.hpp"
#include "tools/client/random.hpp"

namespace ringcast {

struct UpgradeFailure {
  std::uint16_t status = 0;  // 0: the answer was no HTTP
  std::string sentence;
  seconds retry_after{0};  // what the server asks to wait, at most kRetryAfterMax
};
inline constexpr seconds kRetryAfterMax{300};  // a server that wants more is asked again all the same

class ClientHandshake {
 public:
  ClientHandshake(const Endpoint& endpoint, Prng& random, bool offers_deflate = false);
  ClientHandshake(const ClientHandshake&) = delete;  // request_ has views into its neighbours
  ClientHandshake& operator=(const ClientHandshake&) = delete;

  [[nodiscard]] const std::string& request() const { return request_text_; }

  /// Takes the next bytes of the answer.
  /// returns  nothing while the head is incomplete; else how many bytes of `input` belonged to it: frames follow.
  [[nodiscard]] Result<std::optional<std::size_t>, UpgradeFailure> feed(Bytes input);
  /// After that: the server compresses messages.
  [[nodiscard]] bool agreed_deflate() const { return agreed_deflate_; }

 private:
  [[nodiscard]] UpgradeFailure refusal(const ResponseHead& head, std::string_view sentence) const;

  std::string authority_, target_, subprotocol_, authorization_, request_text_;
  std::string_view offers_[1];
  HeaderField fields_[1];
  UpgradeRequest request_;
  std::vector<std::uint8_t> answer_;
  bool agreed_deflate_ = false;
};

}  // namespace ringcast
