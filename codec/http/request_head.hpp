// codec/http/request_head.hpp: reads the head of one HTTP/1.1 request, strictly (RFC 9112).
//
// Owner    the caller's RequestHead (3.3 KB: on the stack for the call, not in a connection).  Thread  any.
// Memory   none; the head is views into the input.
// Failure  a HeadError; an empty optional: the head is not complete yet.
// Not here bodies, the upgrade (websocket/handshake), who may connect (engine/access).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "alloc/base/bytes.hpp"
#include "alloc/base/result.hpp"
#include "codec/http/head_error.hpp"
#include "codec/http/header_fields.hpp"

namespace ringcast {

struct RequestHead {
  std::string_view method;  // a token, as sent: methods are case-sensitive
  std::string_view target;  // as sent: "/path?query", "http://host/path?query" or "*"
  std::string_view path;    // of the target, still percent-encoded; starts with '/' (or is "*")
  std::string_view query;   // of the target, without the '?', still percent-encoded
  std::string_view host;    // the target's authority if it has one, else the Host field; may be empty in HTTP/1.0
  std::uint8_t version_minor = 1;  // 0 or 1
  bool chunked = false;                          // Transfer-Encoding: chunked
  std::optional<std::uint64_t> content_length;   // absent: no body unless chunked
  std::size_t head_bytes = 0;                    // with the empty line: what follows is body or pipelined data
  HeaderFields fields;

  [[nodiscard]] bool has_body() const { return chunked || content_length.value_or(0) > 0; }
  /// Does the peer expect the connection to stay open after the response? (RFC 9112 section 9.3)
  [[nodiscard]] bool keep_alive() const;
};

/// Reads a request head from the front of `input`.
///
/// head        filled in when complete; its views point into `input`. Untouched while incomplete.
/// seen_bytes  how much of `input` an earlier call has already looked at (its input.size() then), so that a head
///             that arrives byte by byte costs no more than one that arrives at once; 0 the first time.
/// returns     head.head_bytes when complete; empty when more is needed; an error as soon as it is certain: what
///             needs the whole head (fields, Host) at its end, line endings and control characters at once.
[[nodiscard]] Result<std::optional<std::size_t>, HeadError> parse_request_head(Bytes input, RequestHead& head,
                                                                               HeadLimits limits = {},
                                                                               std::size_t seen_bytes = 0);

}  // namespace ringcast
