#include "codec/text/json_scan.hpp"

namespace ringcast::json_detail {

Escape read_escape(const char* at, const char* end) {
  if (end - at < 2 || *at != '\\') {
    return {};
  }
  switch (at[1]) {
    case '"':
    case '\\':
    case '/': return {2, static_cast<unsigned char>(at[1])};
    case 'b': return {2, '\b'};
    case 'f': return {2, '\f'};
    case 'n': return {2, '\n'};
    case 'r': return {2, '\r'};
    case 't': return {2, '\t'};
    case 'u': break;
    default: return {};
  }
  const std::uint32_t code = hex_quad(at + 2, end);
  if (code > 0xFFFF || is_low_surrogate(code)) {
    return {};
  }
  if (!is_high_surrogate(code)) {
    return {6, code};
  }
  if (end - at < 12 || at[6] != '\\' || at[7] != 'u') {
    return {};
  }
  const std::uint32_t low = hex_quad(at + 8, end);
  if (low > 0xFFFF || !is_low_surrogate(low)) {
    return {};
  }
  return {12, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)};
}

bool Scanner::string() {
  saw_escape_ = false;
  if (!take('"')) {
    return fail("a string must begin with a quote");
  }
  while (true) {
    at_ = skip_plain(at_, end_);
    if (at_ == end_) {
      return fail("a string has no closing quote");
    }
    const auto byte = static_cast<unsigned char>(*at_);
    if (byte == '"') {
      ++at_;
      return true;
    }
    if (byte == '\\') {
      const Escape escape = read_escape(at_, end_);
      if (escape.bytes == 0) {
        return fail("a string has an escape that means nothing, or half a surrogate pair");
      }
      saw_escape_ = true;
      at_ += escape.bytes;
    } else if (byte < 0x20) {
      return fail("a string has a control character that is not escaped");
    } else {
      const std::uint32_t bytes = utf8_sequence(at_, end_);
      if (bytes == 0) {
        return fail("a string is not UTF-8");
      }
      at_ += bytes;
    }
  }
}

bool Scanner::name_and_colon() {
  skip_space();
  if (!at('"')) {
    return fail("a member must begin with its name");
  }
  if (!string()) {
    return false;
  }
  skip_space();
  return take(':') || fail("a member's name must be followed by a colon");
}

bool Scanner::word(std::string_view expected) {
  if (static_cast<std::size_t>(end_ - at_) < expected.size() ||
      std::memcmp(at_, expected.data(), expected.size()) != 0) {
    return fail("a value is none that JSON knows");
  }
  at_ += expected.size();
  return true;
}

bool Scanner::number() {
  const auto digits = [this] {
    const char* first = at_;
    while (at_ != end_ && is_digit(*at_)) {
      ++at_;
    }
    return at_ != first;
  };
  if (at('-')) {
    ++at_;
  }
  if (at('0')) {
    ++at_;
    if (at_ != end_ && is_digit(*at_)) {
      return fail("a number has a leading zero");
    }
  } else if (!digits()) {
    return fail("a value is none that JSON knows");
  }
  if (take('.') && !digits()) {
    return fail("a number has no digit after its point");
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) {
      ++at_;
    }
    if (!digits()) {
      return fail("a number has no digit in its exponent");
    }
  }
  return true;
}

bool Scanner::scalar() {
  switch (*at_) {
    case '"': return string();
    case 't': return word("true");
    case 'f': return word("false");
    case 'n': return word("null");
    default: return number();
  }
}

// Takes containers' openings, up to and including the first value that is complete: a scalar or an empty container.
bool Scanner::open_containers(std::uint32_t depth_max) {
  while (true) {
    skip_space();
    if (at_end()) {
      return fail("the text ends where a value should be");
    }
    const bool object = *at_ == '{';
    if (!object && *at_ != '[') {
      return scalar();
    }
    if (depth_ == depth_max) {
      return fail("the values are nested too deeply");
    }
    push(object);
    ++at_;
    skip_space();
    if (take(object ? '}' : ']')) {
      --depth_;
      return true;
    }
    if (object && !name_and_colon()) {
      return false;
    }
  }
}

// After a value: takes the closings that follow, and a comma (with the next name) if there is more.
bool Scanner::close_containers() {
  while (depth_ > 0) {
    skip_space();
    if (at_end()) {
      return fail("the text ends inside an object or array");
    }
    const bool object = top_is_object();
    if (take(',')) {
      return !object || name_and_colon();
    }
    if (!take(object ? '}' : ']')) {
      return fail("after a value there must be a comma or the end of its object or array");
    }
    --depth_;
  }
  return true;
}

bool Scanner::value(std::uint32_t depth_max) {
  ensure(depth_max <= kJsonDepthMax, "the nesting fits its bits");
  depth_ = 0;
  do {
    if (!open_containers(depth_max) || !close_containers()) {
      return false;
    }
  } while (depth_ > 0);
  return true;
}

}  // namespace ringcast::json_detail
