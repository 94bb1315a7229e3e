#include "codec/http/response_writer.hpp"

#include <algorithm>
#include <array>

#include "alloc/base/ensure.hpp"
#include "codec/http/characters.hpp"
#include "codec/http/header_fields.hpp"

namespace ringcast {
namespace {

struct StatusRow {
  std::uint16_t status;
  std::string_view phrase;
};
constexpr std::array kStatuses{  // RFC 9110 section 15; 426 and 431 as RFC 6455 and RFC 6585 use them
    StatusRow{101, "Switching Protocols"},
    StatusRow{200, "OK"},
    StatusRow{202, "Accepted"},
    StatusRow{204, "No Content"},
    StatusRow{301, "Moved Permanently"},
    StatusRow{302, "Found"},
    StatusRow{304, "Not Modified"},
    StatusRow{400, "Bad Request"},
    StatusRow{401, "Unauthorized"},
    StatusRow{403, "Forbidden"},
    StatusRow{404, "Not Found"},
    StatusRow{405, "Method Not Allowed"},
    StatusRow{408, "Request Timeout"},
    StatusRow{409, "Conflict"},
    StatusRow{411, "Length Required"},
    StatusRow{413, "Content Too Large"},
    StatusRow{414, "URI Too Long"},
    StatusRow{415, "Unsupported Media Type"},
    StatusRow{421, "Misdirected Request"},
    StatusRow{426, "Upgrade Required"},
    StatusRow{429, "Too Many Requests"},
    StatusRow{431, "Request Header Fields Too Large"},
    StatusRow{500, "Internal Server Error"},
    StatusRow{501, "Not Implemented"},
    StatusRow{503, "Service Unavailable"},
    StatusRow{504, "Gateway Timeout"},
    StatusRow{505, "HTTP Version Not Supported"},
};

}  // namespace

std::string_view reason_phrase(std::uint16_t status) {
  const auto* const row =
      std::find_if(kStatuses.begin(), kStatuses.end(), [&](const StatusRow& it) { return it.status == status; });
  return row == kStatuses.end() ? std::string_view{"Unknown"} : row->phrase;
}

ResponseWriter::ResponseWriter(std::string& out, std::uint16_t status) : out_{&out} {
  ensure(status >= 100 && status <= 999, "a status has three digits");
  *out_ += "HTTP/1.1 ";
  *out_ += std::to_string(status);
  *out_ += ' ';
  *out_ += reason_phrase(status);
  *out_ += "\r\n";
}

ResponseWriter& ResponseWriter::field(std::string_view name, std::string_view value) {
  ensure(is_token(name), "a field's name is a token");
  ensure(std::all_of(value.begin(), value.end(), is_field_value_char), "a field's value has no line ending in it");
  *out_ += name;
  *out_ += ": ";
  *out_ += value;
  *out_ += "\r\n";
  return *this;
}

ResponseWriter& ResponseWriter::field(std::string_view name, std::uint64_t value) {
  return field(name, std::string_view{std::to_string(value)});
}

void ResponseWriter::end_head() { *out_ += "\r\n"; }

void ResponseWriter::end_with_body(std::string_view content_type, std::string_view body) {
  field("Content-Type", content_type).field("Content-Length", std::uint64_t{body.size()}).end_head();
  *out_ += body;
}

void append_plain_response(std::string& out, std::uint16_t status, std::string_view sentence) {
  std::string body{sentence};
  body += '\n';
  ResponseWriter{out, status}.field("Connection", "close").end_with_body("text/plain; charset=utf-8", body);
}

}  // namespace ringcast
