// engine/stats/json_document.hpp: writes a JSON document member by member, with the commas where they belong.
//
// Owner    the function that writes.  Thread  the owner's.  Memory  the string it appends to.
// Failure  none: the caller closes what it opens. Not here reading (codec/text/json.hpp).
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "codec/text/json_write.hpp"
#include "codec/text/numbers.hpp"
#include "codec/text/timestamp.hpp"

namespace ringcast {

class JsonDocument {
 public:
  void open_object() { (comma(), open('{')); }
  void open_object(std::string_view name) { (key(name), open('{')); }
  void open_array(std::string_view name) { (key(name), open('[')); }
  void close_object() { close('}'); }
  void close_array() { close(']'); }

  void number(std::string_view name, std::uint64_t value) { (key(name), append_decimal(text_, value)); }
  void text(std::string_view name, std::string_view value) { (key(name), append_json_string(text_, value)); }
  /// A value that is JSON already.
  void raw(std::string_view name, std::string_view json) { (key(name), text_ += json); }
  void boolean(std::string_view name, bool value) { (key(name), text_ += value ? "true" : "false"); }
  /// With at most three digits behind the point.
  void decimal(std::string_view name, double value) { (key(name), append_decimal_fraction(value)); }
  /// As RFC 3339; null for a time of zero, which means never.
  void time(std::string_view name, std::uint64_t wall_ns) {
    key(name);
    if (wall_ns == 0) {
      text_ += "null";
      return;
    }
    text_ += '"';
    append_timestamp(text_, WallTime{nanoseconds{static_cast<std::int64_t>(wall_ns)}});
    text_ += '"';
  }
  void element(std::string_view value) { (comma(), append_json_string(text_, value)); }
  void element(std::uint64_t value) { (comma(), append_decimal(text_, value)); }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void comma() {
    if (needs_comma_) text_ += ',';
    needs_comma_ = true;
  }
  void key(std::string_view name) {
    comma();
    append_json_string(text_, name);
    text_ += ':';
  }
  void open(char bracket) {
    text_ += bracket;
    needs_comma_ = false;
  }
  void close(char bracket) {
    text_ += bracket;
    needs_comma_ = true;
  }
  void append_decimal_fraction(double value) {
    char digits[64];
    const double cut = std::isfinite(value) ? std::round(value * 1'000) / 1'000 : 0;
    const auto end = std::to_chars(digits, digits + sizeof digits, cut, std::chars_format::fixed);
    text_.append(digits, end.ec == std::errc{} ? end.ptr : digits);
  }

  std::string text_;
  bool needs_comma_ = false;
};

}  // namespace ringcast
