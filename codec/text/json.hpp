// codec/text/json.hpp: reads JSON that strangers wrote: all of it is validated, nothing is copied.
//
// Owner    a decoder owns one JsonReader and reuses it; JsonValue and JsonMember are views into the text that was read.
// Thread   the owner's.
// Memory   a member table of kEnvelopeMembersMax, and scratch for strings spelled with escapes: none until one appears,
//          at most as large as the largest text that held one. The caller bounds its texts.
// Failure  JsonError: where, and a static sentence. Walks over text that was never validated are memory-safe, no more.
// Not here numbers as values (numbers.hpp), writing (json_write.hpp), what the members mean (codec/dialect).
//
// Why this is not simdjson: it refuses integers beyond 64 bits and numbers beyond double, both valid JSON that must be
// relayed as sent; its on-demand reader does not validate what it skips, so raw spans cost a second parse; and it wants
// each text copied to padded memory. A publish of 300 bytes of market data takes 205 ns here, 275 ns there (both of its
// parsers, and the copy). It is the second opinion that the tests compare this reader with, byte for byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"

namespace ringcast {

inline constexpr std::uint32_t kJsonDepthMax = 128;  // two words of bits on the stack; twice what .NET reads by default
inline constexpr std::uint32_t kPayloadDepthMax = kJsonDepthMax - 1;  // a payload travels inside one envelope
inline constexpr std::size_t kEnvelopeMembersMax = 64;                // the largest command has 9; others are ignored

struct JsonError {
  std::size_t at = 0;         // byte offset of what is wrong; the text's size when it ends too early
  std::string_view sentence;  // static text
};

enum class JsonKind : std::uint8_t { object, array, string, number, boolean, null };

/// One value, as written. `text` includes a string's quotes and has no white space around it.
struct JsonValue {
  std::string_view text;
  JsonKind kind = JsonKind::null;
  bool has_escapes = false;  // strings only

  [[nodiscard]] bool is_true() const { return kind == JsonKind::boolean && text.size() == 4; }
  /// A string's characters, still escaped: its meaning only if !has_escapes.
  [[nodiscard]] std::string_view inside_quotes() const { return text.substr(1, text.size() - 2); }
};

struct JsonMember {
  std::string_view name;  // in a reader's table: unescaped; from ObjectWalk: as written between the quotes
  JsonValue value;
  bool name_has_escapes = false;
};

/// Checks every byte of `text` against RFC 8259: one value, white space around it, nothing else; UTF-8; no lone
/// surrogates.
[[nodiscard]] Result<JsonKind, JsonError> validate_json(std::string_view text, std::uint32_t depth_max = kJsonDepthMax);
[[nodiscard]] inline bool is_valid_json(std::string_view text, std::uint32_t depth_max = kPayloadDepthMax) {
  return validate_json(text, depth_max).has_value();
}

/// Writes the characters that `escaped` (the inside of a JSON string) means; never more than escaped.size() bytes.
/// `out` may not overlap it. returns how many, or nothing when `escaped` is not the inside of a valid string.
[[nodiscard]] std::optional<std::size_t> unescape_json(std::string_view escaped, char* out);

/// True if the inside of a JSON string means exactly `plain`. No memory.
[[nodiscard]] bool escaped_equals(std::string_view escaped, std::string_view plain);

/// Walks the elements of an array in order. For text that was validated; on other text it is safe and may stop early.
class ArrayWalk {
 public:
  explicit ArrayWalk(std::string_view array);
  /// The next element, or nothing after the last.
  [[nodiscard]] std::optional<JsonValue> next();

 private:
  std::string_view rest_;
};

/// Walks the members of an object in order; says nothing about duplicates. As safe as ArrayWalk.
class ObjectWalk {
 public:
  explicit ObjectWalk(std::string_view object);
  [[nodiscard]] std::optional<JsonMember> next();

 private:
  std::string_view rest_;
};

class JsonReader {
 public:
  JsonReader();

  /// Validates the whole text and takes the members of its object; forgets the text before.
  /// An object with two members of one name (however spelled) or more than kEnvelopeMembersMax is an error.
  /// returns  the kind of the value; for anything but an object there are no members.
  [[nodiscard]] Result<JsonKind, JsonError> read(std::string_view text);

  /// The members of the object that was read, in order, names unescaped. Valid until the next read.
  [[nodiscard]] std::span<const JsonMember> members() const { return members_; }
  /// The member of that name, or null.
  [[nodiscard]] const JsonValue* find(std::string_view name) const;

  /// The characters of a string inside the text that was read: a view of it, or of scratch. Valid until the next read.
  /// Once for each string: its scratch is taken again if asked again.
  [[nodiscard]] std::string_view string_of(const JsonValue& string);
  [[nodiscard]] std::string_view unescaped(std::string_view inside_quotes, bool has_escapes);
  /// Scratch for what a decoder spells anew; valid until the next read. At most kSpareBytes together per read.
  [[nodiscard]] char* spare(std::size_t bytes);
  static constexpr std::size_t kSpareBytes = 512;

 private:
  [[nodiscard]] char* take_scratch(std::size_t bytes);

  std::string_view text_;
  std::vector<JsonMember> members_;
  std::unique_ptr<char[]> scratch_;
  std::size_t scratch_bytes_ = 0;
  std::size_t scratch_used_ = 0;
};

}  // namespace ringcast
