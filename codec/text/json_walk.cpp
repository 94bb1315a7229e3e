#include <cstring>

#include "codec/text/json.hpp"
#include "codec/text/json_scan.hpp"

namespace ringcast {

using json_detail::is_space;
using json_detail::read_escape;

namespace {

std::size_t write_utf8(std::uint32_t code, char* out) {
  const auto put = [out](std::size_t i, std::uint32_t byte) {
    out[i] = static_cast<char>(static_cast<unsigned char>(byte));
  };
  if (code < 0x80) {
    put(0, code);
    return 1;
  }
  if (code < 0x800) {
    put(0, 0xC0U | code >> 6);
    put(1, 0x80U | (code & 0x3FU));
    return 2;
  }
  if (code < 0x10000) {
    put(0, 0xE0U | code >> 12);
    put(1, 0x80U | (code >> 6 & 0x3FU));
    put(2, 0x80U | (code & 0x3FU));
    return 3;
  }
  put(0, 0xF0U | code >> 18);
  put(1, 0x80U | (code >> 12 & 0x3FU));
  put(2, 0x80U | (code >> 6 & 0x3FU));
  put(3, 0x80U | (code & 0x3FU));
  return 4;
}

// From an opening quote to the byte after the closing one; null if there is none.
const char* skip_string(const char* at, const char* end, bool& has_escapes) {
  has_escapes = false;
  ++at;
  while (at != end) {
    at = json_detail::skip_plain(at, end);
    if (at == end) {
      break;
    }
    if (*at == '"') {
      return at + 1;
    }
    if (*at == '\\') {
      has_escapes = true;
      at += end - at >= 2 ? 2 : 1;
    } else {
      ++at;
    }
  }
  return nullptr;
}

// From an opening bracket to the byte after its match, or to the end of what is there.
const char* skip_container(const char* at, const char* end) {
  std::size_t depth = 0;
  while (at != end) {
    switch (*at) {
      case '"': {
        bool ignored = false;
        at = skip_string(at, end, ignored);
        if (at == nullptr) {
          return end;
        }
        continue;
      }
      case '{':
      case '[': ++depth; break;
      case '}':
      case ']':
        --depth;
        if (depth == 0) {
          return at + 1;
        }
        break;
      default: break;
    }
    ++at;
  }
  return end;
}

void drop_space(std::string_view& rest) {
  while (!rest.empty() && is_space(rest.front())) {
    rest.remove_prefix(1);
  }
}

// Takes one value off the front of `rest`. On validated text it is exactly that value.
std::optional<JsonValue> take_value(std::string_view& rest) {
  drop_space(rest);
  if (rest.empty()) {
    return std::nullopt;
  }
  const char* begin = rest.data();
  const char* end = begin + rest.size();
  const char* after = begin;
  JsonValue value;
  switch (*begin) {
    case '{':
    case '[':
      value.kind = *begin == '{' ? JsonKind::object : JsonKind::array;
      after = skip_container(begin, end);
      break;
    case '"':
      value.kind = JsonKind::string;
      after = skip_string(begin, end, value.has_escapes);
      if (after == nullptr) {
        return std::nullopt;
      }
      break;
    default:
      value.kind = *begin == 't' || *begin == 'f' ? JsonKind::boolean
                   : *begin == 'n'                ? JsonKind::null
                                                  : JsonKind::number;
      while (after != end && !is_space(*after) && *after != ',' && *after != ']' && *after != '}') {
        ++after;
      }
      if (after == begin) {
        return std::nullopt;
      }
      break;
  }
  value.text = rest.substr(0, static_cast<std::size_t>(after - begin));
  rest.remove_prefix(value.text.size());
  return value;
}

// Stands before the next element: past white space and one comma. False at the end.
bool more_follows(std::string_view& rest, char closing) {
  drop_space(rest);
  if (!rest.empty() && rest.front() == ',') {
    rest.remove_prefix(1);
    drop_space(rest);
  }
  return !rest.empty() && rest.front() != closing;
}

std::string_view inside(std::string_view container, char opening) {
  drop_space(container);
  return !container.empty() && container.front() == opening ? container.substr(1) : std::string_view{};
}

}  // namespace

std::optional<std::size_t> unescape_json(std::string_view escaped, char* out) {
  const char* at = escaped.data();
  const char* end = at + escaped.size();
  char* to = out;
  while (at != end) {
    const auto* slash = static_cast<const char*>(std::memchr(at, '\\', static_cast<std::size_t>(end - at)));
    const char* plain_end = slash == nullptr ? end : slash;
    const auto plain = static_cast<std::size_t>(plain_end - at);
    std::memcpy(to, at, plain);
    to += plain;
    at = plain_end;
    if (at != end) {
      const json_detail::Escape escape = read_escape(at, end);
      if (escape.bytes == 0) {
        return std::nullopt;
      }
      to += write_utf8(escape.code, to);
      at += escape.bytes;
    }
  }
  return static_cast<std::size_t>(to - out);
}

bool escaped_equals(std::string_view escaped, std::string_view plain) {
  if (escaped.find('\\') == std::string_view::npos) return escaped == plain;
  const char* at = escaped.data();
  const char* end = at + escaped.size();
  while (at != end) {
    std::uint32_t taken = 1;
    char bytes[4] = {*at};
    std::size_t meant = 1;
    if (*at == '\\') {
      const json_detail::Escape escape = read_escape(at, end);
      if (escape.bytes == 0) {
        return false;
      }
      taken = escape.bytes;
      meant = write_utf8(escape.code, bytes);
    }
    if (plain.size() < meant || std::memcmp(plain.data(), bytes, meant) != 0) {
      return false;
    }
    plain.remove_prefix(meant);
    at += taken;
  }
  return plain.empty();
}

ArrayWalk::ArrayWalk(std::string_view array) : rest_{inside(array, '[')} {}

std::optional<JsonValue> ArrayWalk::next() {
  if (!more_follows(rest_, ']')) {
    rest_ = {};
    return std::nullopt;
  }
  std::optional<JsonValue> value = take_value(rest_);
  if (!value) {
    rest_ = {};
  }
  return value;
}

ObjectWalk::ObjectWalk(std::string_view object) : rest_{inside(object, '{')} {}

std::optional<JsonMember> ObjectWalk::next() {
  const auto stop = [this] {
    rest_ = {};
    return std::nullopt;
  };
  if (!more_follows(rest_, '}') || rest_.front() != '"') {
    return stop();
  }
  const std::optional<JsonValue> name = take_value(rest_);
  drop_space(rest_);
  if (!name || rest_.empty() || rest_.front() != ':') {
    return stop();
  }
  rest_.remove_prefix(1);
  const std::optional<JsonValue> value = take_value(rest_);
  if (!value) {
    return stop();
  }
  return JsonMember{name->inside_quotes(), *value, name->has_escapes};
}

}  // namespace ringcast
