// codec/http/response_head.hpp: reads the head of one HTTP/1.1 response, for the client side.
//
// Owner    the caller's ResponseHead.  Thread  any.  Memory  none; views into the input.
// Failure  a HeadError; an empty optional: the head is not complete yet.
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

struct ResponseHead {
  std::uint16_t status = 0;  // 100 to 999
  std::string_view reason;
  std::uint8_t version_minor = 1;
  bool chunked = false;
  std::optional<std::uint64_t> content_length;
  std::size_t head_bytes = 0;
  HeaderFields fields;
};

/// As parse_request_head.
[[nodiscard]] Result<std::optional<std::size_t>, HeadError> parse_response_head(Bytes input, ResponseHead& head,
                                                                                HeadLimits limits = {},
                                                                                std::size_t seen_bytes = 0);

}  // namespace ringcast
