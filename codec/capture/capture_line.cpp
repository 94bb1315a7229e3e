#include "codec/capture/capture_line.hpp"

#include <limits>

#include "codec/text/channel_name.hpp"
#include "codec/text/numbers.hpp"

namespace ringcast {

Result<CaptureLine, CaptureLineError> parse_capture_line(std::string_view line, JsonReader& reader) {
  if (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  const std::size_t space = line.find(' ');
  const std::optional<std::uint64_t> received = parse_uint64(line.substr(0, space));
  if (space == std::string_view::npos || !received ||
      *received > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return unexpected(CaptureLineError{"a line must begin with its receive time in nanoseconds and a space"});
  }
  CaptureLine parsed;
  parsed.received = WallTime{nanoseconds{static_cast<std::int64_t>(*received)}};
  parsed.json = line.substr(space + 1);
  const Result<JsonKind, JsonError> kind = reader.read(parsed.json);
  if (!kind) {
    return unexpected(CaptureLineError{kind.error().sentence});
  }
  const JsonValue* stream = reader.find("stream");
  const JsonValue* data = reader.find("data");
  if (stream != nullptr && stream->kind == JsonKind::string && data != nullptr) {
    parsed.stream = reader.string_of(*stream);
    const ChannelNameFault fault = check_channel_name(parsed.stream);
    if (fault != ChannelNameFault::none) {
      return unexpected(CaptureLineError{sentence_of(fault)});
    }
    parsed.kind = CaptureKind::stream_message;
    parsed.data = data->text;
    return parsed;
  }
  const JsonValue* last = reader.find("lastUpdateId");
  const JsonValue* bids = reader.find("bids");
  const JsonValue* asks = reader.find("asks");
  const std::optional<std::uint64_t> last_update_id = last != nullptr ? parse_uint64(last->text) : std::nullopt;
  if (last_update_id && bids != nullptr && bids->kind == JsonKind::array && asks != nullptr &&
      asks->kind == JsonKind::array) {
    parsed.kind = CaptureKind::order_book_snapshot;
    parsed.last_update_id = *last_update_id;
    parsed.bids = bids->text;
    parsed.asks = asks->text;
  }
  return parsed;
}

}  // namespace ringcast
