#include "codec/http/request_head.hpp"

#include "codec/http/characters.hpp"
#include "codec/http/head_reader.hpp"
#include "codec/http/url.hpp"

namespace ringcast {
namespace {

/// "GET /path HTTP/1.1": two single spaces, no more.
Result<void, HeadError> read_request_line(std::string_view line, RequestHead& head) {
  const std::size_t method_end = line.find(' ');
  if (method_end == std::string_view::npos || !is_token(line.substr(0, method_end))) {
    return unexpected(HeadError::bad_method);
  }
  head.method = line.substr(0, method_end);
  line.remove_prefix(method_end + 1);

  const std::size_t target_end = line.find(' ');
  if (target_end == std::string_view::npos) return unexpected(HeadError::bad_version);
  head.target = line.substr(0, target_end);
  const auto version = read_version(line.substr(target_end + 1));
  if (!version) return unexpected(version.error());
  head.version_minor = *version;

  const auto target = split_target(head.target);
  const bool asterisk = head.target == "*";  // RFC 9112 section 3.2.4: only OPTIONS asks about the whole server
  if (!target || (asterisk && head.method != "OPTIONS")) return unexpected(HeadError::bad_target);
  head.path = target->path;
  head.query = target->query;
  head.host = target->authority;
  return {};
}

/// RFC 9112 section 3.2: exactly one Host in HTTP/1.1; an absolute target's authority wins over it.
Result<void, HeadError> read_host(RequestHead& head) {
  const std::size_t hosts = head.fields.occurrences("Host");
  if (hosts > 1) return unexpected(HeadError::host_repeated);
  if (hosts == 0) {
    if (head.version_minor >= 1) return unexpected(HeadError::host_missing);
    return {};
  }
  const std::string_view host = *head.fields.find("Host");
  if (!host.empty() && !split_host_port(host)) return unexpected(HeadError::bad_host);
  if (head.host.empty()) head.host = host;
  return {};
}

Result<void, HeadError> read_head(const HeadLines& lines, HeadLimits limits, RequestHead& head) {
  if (const auto line = read_request_line(lines.first_line, head); !line) return line;
  if (const auto fields = read_fields(lines.field_lines, head.fields, limits); !fields) return fields;
  if (const auto host = read_host(head); !host) return host;
  const auto framing = read_body_framing(head.fields);
  if (!framing) return unexpected(framing.error());
  // RFC 9112 section 6.1: an HTTP/1.0 sender does not know Transfer-Encoding, so somebody in between is confused.
  if (framing->chunked && head.version_minor == 0) return unexpected(HeadError::bad_transfer_encoding);
  head.chunked = framing->chunked;
  head.content_length = framing->content_length;
  head.head_bytes = lines.head_bytes;
  return {};
}

}  // namespace

bool RequestHead::keep_alive() const {
  if (fields.has_token("Connection", "close")) return false;
  return version_minor >= 1 || fields.has_token("Connection", "keep-alive");
}

Result<std::optional<std::size_t>, HeadError> parse_request_head(Bytes input, RequestHead& head, HeadLimits limits,
                                                                 std::size_t seen_bytes) {
  const auto lines = find_head(as_text(input), limits, seen_bytes);
  if (!lines) return unexpected(lines.error());
  if (!*lines) return std::nullopt;
  if (const auto read = read_head(**lines, limits, head); !read) return unexpected(read.error());
  return head.head_bytes;
}

}  // namespace ringcast
