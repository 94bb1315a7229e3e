// codec/hash/base64.hpp: base64 of RFC 4648: section 4 with padding, and section 5 (base64url) without.
//
// Thread  any.  Memory  the caller's.  Failure  an empty optional: the text is not canonical base64, or does not fit.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "alloc/base/bytes.hpp"

namespace ringcast {

/// How many characters base64_encode writes for `bytes` bytes.
[[nodiscard]] constexpr std::size_t base64_encoded_bytes(std::size_t bytes) { return (bytes + 2) / 3 * 4; }

/// Writes base64 into `out`, which holds at least base64_encoded_bytes(bytes.size()); returns what was written.
std::string_view base64_encode(Bytes bytes, std::span<char> out);

/// Reads canonical base64 (padding present, unused bits zero, nothing else) into `out`.
///
/// returns  the bytes written; empty if `text` is anything but canonical base64, or `out` is too small for it.
[[nodiscard]] std::optional<MutableBytes> base64_decode(std::string_view text, MutableBytes out);

/// How many characters base64url_encode writes for `bytes` bytes.
[[nodiscard]] constexpr std::size_t base64url_encoded_bytes(std::size_t bytes) { return (bytes * 4 + 2) / 3; }
/// The most bytes that so many characters can stand for.
[[nodiscard]] constexpr std::size_t base64url_decoded_bytes(std::size_t characters) { return characters * 3 / 4; }

/// Writes base64url without padding, as tokens have it (RFC 7515 section 2); returns what was written.
std::string_view base64url_encode(Bytes bytes, std::span<char> out);

/// Reads canonical base64url without padding (unused bits zero, nothing else) into `out`.
///
/// returns  the bytes written; empty if `text` is anything else, or `out` is too small for it.
[[nodiscard]] std::optional<MutableBytes> base64url_decode(std::string_view text, MutableBytes out);

}  // namespace ringcast
