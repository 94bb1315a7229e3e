#include "codec/http/response_head.hpp"

#include <algorithm>

#include "codec/http/characters.hpp"
#include "codec/http/head_reader.hpp"

namespace ringcast {
namespace {

/// "HTTP/1.1 101 Switching Protocols"; the reason may be empty, its space missing.
Result<void, HeadError> read_status_line(std::string_view line, ResponseHead& head) {
  const std::size_t version_end = line.find(' ');
  if (version_end == std::string_view::npos) return unexpected(HeadError::bad_status);
  const auto version = read_version(line.substr(0, version_end));
  if (!version) return unexpected(version.error());
  head.version_minor = *version;
  line.remove_prefix(version_end + 1);

  const std::string_view status = line.substr(0, 3);
  const bool ends = line.size() == 3 || (line.size() > 3 && line[3] == ' ');
  if (!ends || status[0] == '0' || !std::all_of(status.begin(), status.end(), is_digit)) {
    return unexpected(HeadError::bad_status);
  }
  head.status = static_cast<std::uint16_t>((status[0] - '0') * 100 + (status[1] - '0') * 10 + (status[2] - '0'));
  head.reason = line.size() > 4 ? line.substr(4) : std::string_view{};
  return {};
}

Result<void, HeadError> read_head(const HeadLines& lines, HeadLimits limits, ResponseHead& head) {
  if (const auto line = read_status_line(lines.first_line, head); !line) return line;
  if (const auto fields = read_fields(lines.field_lines, head.fields, limits); !fields) return fields;
  const auto framing = read_body_framing(head.fields);
  if (!framing) return unexpected(framing.error());
  head.chunked = framing->chunked;
  head.content_length = framing->content_length;
  head.head_bytes = lines.head_bytes;
  return {};
}

}  // namespace

Result<std::optional<std::size_t>, HeadError> parse_response_head(Bytes input, ResponseHead& head, HeadLimits limits,
                                                                  std::size_t seen_bytes) {
  const auto lines = find_head(as_text(input), limits, seen_bytes);
  if (!lines) return unexpected(lines.error());
  if (!*lines) return std::nullopt;
  if (const auto read = read_head(**lines, limits, head); !read) return unexpected(read.error());
  return head.head_bytes;
}

}  // namespace ringcast
