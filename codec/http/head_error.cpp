#include "codec/http/head_error.hpp"

#include <array>
#include <utility>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

struct HeadErrorRow {
  HeadError error;
  std::uint16_t status;
  std::string_view sentence;
};

constexpr std::array kRows{
    HeadErrorRow{HeadError::too_large, 431, "the header block is too large"},
    HeadErrorRow{HeadError::too_many_fields, 431, "there are too many header fields"},
    HeadErrorRow{HeadError::control_character, 400, "the header block contains a control character"},
    HeadErrorRow{HeadError::bare_line_ending, 400, "a line of the header block does not end with CR LF"},
    HeadErrorRow{HeadError::bad_method, 400, "the method is not a token"},
    HeadErrorRow{HeadError::bad_target, 400, "the request target is malformed"},
    HeadErrorRow{HeadError::bad_version, 400, "the protocol version is malformed"},
    HeadErrorRow{HeadError::unsupported_version, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here"},
    HeadErrorRow{HeadError::bad_status, 400, "the status line is malformed"},
    HeadErrorRow{HeadError::folded_field, 400, "a header field is folded over two lines"},
    HeadErrorRow{HeadError::bad_field_name, 400, "a header field's name is not a token"},
    HeadErrorRow{HeadError::bad_field_value, 400, "a header field's value contains a control character"},
    HeadErrorRow{HeadError::host_missing, 400, "the Host field is missing"},
    HeadErrorRow{HeadError::host_repeated, 400, "the Host field appears more than once"},
    HeadErrorRow{HeadError::bad_host, 400, "the Host field is malformed"},
    HeadErrorRow{HeadError::bad_content_length, 400, "the Content-Length field is malformed or repeated"},
    HeadErrorRow{HeadError::bad_transfer_encoding, 400, "the Transfer-Encoding is not just chunked"},
    HeadErrorRow{HeadError::ambiguous_body, 400, "both Content-Length and Transfer-Encoding are given"},
};

constexpr bool rows_are_in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (std::to_underlying(kRows[i].error) != i) return false;
  }
  return true;
}
static_assert(kRows.size() == std::to_underlying(HeadError::end), "every error has a row");
static_assert(rows_are_in_order());

const HeadErrorRow& row_of(HeadError error) {
  ensure(error < HeadError::end, "a head error is one of the enum's");
  return kRows[std::to_underlying(error)];
}

}  // namespace

std::uint16_t status_of(HeadError error) { return row_of(error).status; }
std::string_view sentence_of(HeadError error) { return row_of(error).sentence; }

}  // namespace ringcast
