// bench/system/nats_protocol.hpp: what a NATS server says, cut into operations; the client protocol, as text in frames.
//
// Owner    a verifier or a publisher's dialect, a reader a connection.  Thread  its.
// Memory   an operation whose end has not arrived.
// Failure  an operation of kind malformed, after which the stream makes no sense.
// Not here what an operation means (nats_wire), headers (HMSG), TLS.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringcast {

struct NatsOperation {
  enum class Kind : std::uint8_t { message, info, ping, pong, ok, error, malformed };
  Kind kind = Kind::malformed;
  std::string_view text;  // message: its payload; info: JSON; error: the server's words; malformed: the line
};

/// The next operation at the front of `input`, which is moved behind it; nothing if its end is not there.
[[nodiscard]] std::optional<NatsOperation> next_nats_operation(std::string_view& input);

/// One connection's stream. Operations do not end where frames do.
class NatsStream {
 public:
  /// Calls `visit` for every operation that is complete with `arrived`; its text is valid during the call.
  template <class Visit>
  void feed(std::string_view arrived, Visit&& visit) {
    const bool held = !held_.empty();
    if (held) held_ += arrived;
    std::string_view input = held ? std::string_view{held_} : arrived;
    while (const auto operation = next_nats_operation(input)) visit(*operation);
    if (held) {
      held_.erase(0, held_.size() - input.size());
    } else {
      held_ = input;
    }
  }

 private:
  std::string held_;
};

/// What a client says first. It asks for no answers to what it publishes.
inline constexpr std::string_view kNatsConnect =
    R"(CONNECT {"verbose":false,"pedantic":false,"tls_required":false,"lang":"c++","version":"1","protocol":0})"
    "\r\n";

}  // namespace ringcast
