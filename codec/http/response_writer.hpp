// codec/http/response_writer.hpp: writes HTTP/1.1 responses.
//
// Owner    the caller.  Thread  any.
// Memory   appends to the caller's string.
// Failure  ensure(): a field that would break the head in two (CR, LF, NUL) is our mistake, never sent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ringcast {

/// "Switching Protocols" for 101; "Unknown" for what has no row.
[[nodiscard]] std::string_view reason_phrase(std::uint16_t status);

/// Appends one response to `out`: status line, then fields, then one of the end_ functions.
class ResponseWriter {
 public:
  ResponseWriter(std::string& out, std::uint16_t status);

  ResponseWriter& field(std::string_view name, std::string_view value);
  ResponseWriter& field(std::string_view name, std::uint64_t value);
  /// The empty line only (101, or a body that the caller frames itself).
  void end_head();
  /// Content-Length, the empty line, the body.
  void end_with_body(std::string_view content_type, std::string_view body);

 private:
  std::string* out_;
};

/// A whole short response of plain text that closes the connection: refusals before the upgrade.
void append_plain_response(std::string& out, std::uint16_t status, std::string_view sentence);

}  // namespace ringcast
