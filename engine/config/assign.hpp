// engine/config/assign.hpp: one value, from whatever source, into the field of one row; and back as TOML.
//
// Thread   any.  Memory  the values returned.
// Failure  a sentence that says what is wrong with the value; the field is then as it was.
// Not here where values come from (load.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "alloc/base/result.hpp"
#include "engine/config/schema.hpp"

namespace ringcast {

/// What stood in the environment or on the command line: its type is read from the row.
struct PlainText {
  std::string text;
};
/// What a TOML file can hold where none of our values is: a table, a float, a date, a list of other things than text.
struct OtherType {
  std::string name;  // "a table"
};
using RawValue = std::variant<PlainText, bool, std::int64_t, std::string, std::vector<std::string>, OtherType>;

using Assigned = Result<std::monostate, std::string>;

template <class Target>
[[nodiscard]] Assigned assign(const KeyRow<Target>& row, Target& target, const RawValue& value);
extern template Assigned assign(const KeyRow<NodeOptions>&, NodeOptions&, const RawValue&);
extern template Assigned assign(const KeyRow<NamespaceRule>&, NamespaceRule&, const RawValue&);

/// The value of the row's field, as TOML that assign() reads back as the same.
template <class Target>
[[nodiscard]] std::string toml_value(const KeyRow<Target>& row, const Target& target);
extern template std::string toml_value(const KeyRow<NodeOptions>&, const NodeOptions&);
extern template std::string toml_value(const KeyRow<NamespaceRule>&, const NamespaceRule&);

/// The field of the row, and only that.
template <class Target>
void copy_value(const KeyRow<Target>& row, Target& into, const Target& from);
extern template void copy_value(const KeyRow<NodeOptions>&, NodeOptions&, const NodeOptions&);

/// How the row's value is written, for --help and the reference page: "size", "true or false", "conflate | disconnect".
template <class Target>
[[nodiscard]] std::string form_of(const KeyRow<Target>& row);
extern template std::string form_of(const KeyRow<NodeOptions>&);
extern template std::string form_of(const KeyRow<NamespaceRule>&);

/// The row's range in its own unit, "1 to 10000000"; empty if it has none.
[[nodiscard]] std::string range_text(Measure measure, const Range& range);

}  // namespace ringcast
