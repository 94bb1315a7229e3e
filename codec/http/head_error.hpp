// codec/http/head_error.hpp: every way in which an HTTP/1.1 message head can be refused.
//
// Thread  any.  Memory  none: the sentences are literals.  Failure  none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "codec/http/header_fields.hpp"

namespace ringcast {

enum class HeadError : std::uint8_t {
  too_large,
  too_many_fields,
  control_character,
  bare_line_ending,
  bad_method,
  bad_target,
  bad_version,
  unsupported_version,
  bad_status,
  folded_field,
  bad_field_name,
  bad_field_value,
  host_missing,
  host_repeated,
  bad_host,
  bad_content_length,
  bad_transfer_encoding,
  ambiguous_body,
  end,
};

/// The HTTP status that a server answers with: 431, 505, else 400.
[[nodiscard]] std::uint16_t status_of(HeadError error);
[[nodiscard]] std::string_view sentence_of(HeadError error);

struct HeadLimits {
  std::size_t head_bytes_max = kHeadBytesMaxDefault;
  std::size_t fields_max = kHeadFieldsMax;  // at most kHeadFieldsMax
};

}  // namespace ringcast
