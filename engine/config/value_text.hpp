// engine/config/value_text.hpp: durations, sizes, addresses and core lists as people write them, both ways.
//
// Thread   any.  Memory  the values returned.
// Failure  a sentence about the text, for a ConfigProblem: it says what was wrong and how it is written.
// Not here ranges, which belong to a key (schema.hpp), and whether an address can be bound (transport).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "engine/config/node_options.hpp"

namespace ringcast {

/// `30s`, `250ms`, `1m30s`: one or more whole numbers, each with ns, us, ms, s, m, h or d, largest unit first.
[[nodiscard]] Result<nanoseconds, std::string> parse_duration(std::string_view text);
/// With the largest unit that divides it: 90 s is `90s`, 120 s is `2m`, nothing is `0s`.
[[nodiscard]] std::string duration_text(nanoseconds duration);

/// `64KiB`, `2GiB`, `1500B`, `1500`: a whole number with B, KiB, MiB, GiB or TiB.
[[nodiscard]] Result<std::uint64_t, std::string> parse_size(std::string_view text);
[[nodiscard]] std::string size_text(std::uint64_t bytes);

/// A whole decimal number without sign, blanks or anything else around it.
[[nodiscard]] Result<std::uint64_t, std::string> parse_count(std::string_view text);

/// `127.0.0.1:9001`, `[::1]:9001`, `localhost:9001`, `unix:/run/ringcast.sock`.
[[nodiscard]] Result<ListenAddress, std::string> parse_listen_address(std::string_view text);
[[nodiscard]] std::string address_text(const ListenAddress& address);

/// `0-3,5`: cores in the order written, each once.
[[nodiscard]] Result<std::vector<std::uint32_t>, std::string> parse_cores(std::string_view text);
[[nodiscard]] std::string cores_text(const std::vector<std::uint32_t>& cores);

/// The text as a TOML basic string, quotes included.
[[nodiscard]] std::string toml_string(std::string_view text);

}  // namespace ringcast
