// codec/http/head_reader.hpp: what requests and responses have in common: finding the end of a head, reading fields.
//
// Thread   any.  Memory  none.  Failure  a HeadError; an empty optional: not complete yet.
// Not here the first line (request_head, response_head). Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "alloc/base/result.hpp"
#include "codec/http/head_error.hpp"
#include "codec/http/header_fields.hpp"

namespace ringcast {

/// A head's two parts, without the line endings around them.
struct HeadLines {
  std::string_view first_line;
  std::string_view field_lines;  // each with its CR LF; may be empty
  std::size_t head_bytes = 0;    // everything, with the empty line
};

/// Finds the empty line that ends a head. One CR LF before the first line is skipped (RFC 9112 section 2.2).
/// seen_bytes  what earlier calls found to contain no mistake and no end.
[[nodiscard]] Result<std::optional<HeadLines>, HeadError> find_head(std::string_view input, HeadLimits limits,
                                                                    std::size_t seen_bytes);

/// Reads "name: value" lines.
[[nodiscard]] Result<void, HeadError> read_fields(std::string_view field_lines, HeaderFields& fields,
                                                  HeadLimits limits);

/// How the body is framed, refusing every combination that two readers could understand differently.
struct BodyFraming {
  bool chunked = false;
  std::optional<std::uint64_t> content_length;
};
[[nodiscard]] Result<BodyFraming, HeadError> read_body_framing(const HeaderFields& fields);

/// "HTTP/1.x": the x, 0 or 1.
[[nodiscard]] Result<std::uint8_t, HeadError> read_version(std::string_view text);

}  // namespace ringcast
