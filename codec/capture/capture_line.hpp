// codec/capture/capture_line.hpp: one line of a captured feed (protocol.md section 7): `<ns> <json>`.
//
// Thread  any.  Memory  none; views into the line, valid as long as it.  Failure  a static sentence.
// Not here files and lines (capture_reader.hpp), books (the replay tool).
#pragma once

#include <cstdint>
#include <string_view>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "codec/text/json.hpp"

namespace ringcast {

enum class CaptureKind : std::uint8_t { stream_message, order_book_snapshot, other };

struct CaptureLine {
  WallTime received{};
  CaptureKind kind = CaptureKind::other;
  std::string_view json;             // the whole JSON text
  std::string_view stream;           // stream_message: a valid channel name, unescaped
  std::string_view data;             // stream_message: JSON text as sent
  std::uint64_t last_update_id = 0;  // order_book_snapshot
  std::string_view bids, asks;       // order_book_snapshot: JSON arrays as sent
};

struct CaptureLineError {
  std::string_view sentence;  // static text
};

/// Reads one line without its newline (a final carriage return is ignored). The JSON is validated in full.
///
/// reader   its scratch holds `stream` if that was spelled with escapes: valid until its next read.
/// returns  other for valid JSON that is neither a stream message nor a snapshot.
[[nodiscard]] Result<CaptureLine, CaptureLineError> parse_capture_line(std::string_view line, JsonReader& reader);

}  // namespace ringcast
