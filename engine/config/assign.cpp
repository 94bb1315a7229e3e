#include "engine/config/assign.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <ratio>
#include <type_traits>

#include "engine/config/value_text.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kAddressOff = "off";  // instead of an address: there is none

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;  // for clang 16, which deduces none for aggregates

std::string kind_of(const RawValue& value) {
  return std::visit(Overloaded{[](const PlainText& plain) { return fmt::format("'{}'", plain.text); },
                               [](bool) { return std::string{"true or false"}; },
                               [](std::int64_t number) { return fmt::format("the number {}", number); },
                               [](const std::string& text) { return fmt::format("the text '{}'", text); },
                               [](const std::vector<std::string>&) { return std::string{"a list"}; },
                               [](const OtherType& other) { return other.name; }},
                    value);
}
auto wrong_type(std::string_view wanted, const RawValue& value) {
  return unexpected(fmt::format("needs {}, not {}", wanted, kind_of(value)));
}

/// Text, from whichever source.
const std::string* text_in(const RawValue& value) {
  if (const auto* plain = std::get_if<PlainText>(&value)) return &plain->text;
  return std::get_if<std::string>(&value);
}

Result<std::uint64_t, std::string> number_in(const RawValue& value, Measure measure) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    if (*number < 0) return unexpected(fmt::format("{} is negative", *number));
    return static_cast<std::uint64_t>(*number);
  }
  if (measure == Measure::bytes) {
    if (const auto* text = text_in(value)) return parse_size(*text);
    return wrong_type("a size like \"64KiB\"", value);
  }
  if (const auto* plain = std::get_if<PlainText>(&value)) return parse_count(plain->text);
  return wrong_type("a whole number", value);
}

Result<std::vector<std::string>, std::string> list_in(const RawValue& value) {
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return *list;
  if (const auto* text = std::get_if<std::string>(&value)) return std::vector<std::string>{*text};
  const auto* plain = std::get_if<PlainText>(&value);
  if (plain == nullptr) return wrong_type("a text or a list of texts", value);
  std::vector<std::string> list;
  std::string_view rest = plain->text;
  while (!rest.empty()) {  // in the environment and in flags a list is written with commas
    const std::size_t comma = std::min(rest.find(','), rest.size());
    list.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return list;
}

std::string measured(Measure measure, std::uint64_t number) {
  if (measure == Measure::bytes) return size_text(number);
  if (measure == Measure::time) return duration_text(nanoseconds{static_cast<std::int64_t>(number)});
  return fmt::format("{}", number);
}

Assigned in_range(Measure measure, const Range& range, std::uint64_t number) {
  if (number >= range.least && number <= range.most) return std::monostate{};
  return unexpected(fmt::format("{} is out of range: {}", measured(measure, number), range_text(measure, range)));
}

template <class Number>
Assigned assign_number(Measure measure, Range range, Number& field, const RawValue& value) {
  const auto number = number_in(value, measure);
  if (!number) return unexpected(number.error());
  range.most = std::min(range.most, std::uint64_t{std::numeric_limits<Number>::max()});
  const Assigned fits = in_range(measure, range, *number);
  if (fits) field = static_cast<Number>(*number);
  return fits;
}

template <class Duration>
Assigned assign_duration(const Range& range, Duration& field, const RawValue& value) {
  const std::string* text = text_in(value);
  if (text == nullptr) return wrong_type("a duration like \"30s\"", value);
  const auto parsed = parse_duration(*text);
  if (!parsed) return unexpected(parsed.error());
  const Assigned fits = in_range(Measure::time, range, static_cast<std::uint64_t>(parsed->count()));
  if (!fits) return fits;
  const auto exact = std::chrono::duration_cast<Duration>(*parsed);
  if (exact != *parsed) {
    return unexpected(fmt::format("'{}' is finer than {}", *text, duration_text(Duration{1})));
  }
  field = exact;
  return fits;
}

struct Assign {
  Measure measure;
  const Range& range;
  const RawValue& value;

  Assigned operator()(bool& field) const {
    if (const auto* truth = std::get_if<bool>(&value)) {
      field = *truth;
      return std::monostate{};
    }
    const auto* plain = std::get_if<PlainText>(&value);
    if (plain == nullptr || (plain->text != "true" && plain->text != "false")) {
      return wrong_type("true or false", value);
    }
    field = plain->text == "true";
    return std::monostate{};
  }
  Assigned operator()(std::uint32_t& field) const { return assign_number(measure, range, field, value); }
  Assigned operator()(std::uint64_t& field) const { return assign_number(measure, range, field, value); }
  Assigned operator()(milliseconds& field) const { return assign_duration(range, field, value); }
  Assigned operator()(microseconds& field) const { return assign_duration(range, field, value); }
  Assigned operator()(std::string& field) const {
    const std::string* text = text_in(value);
    if (text == nullptr) return wrong_type("a text", value);
    field = *text;
    return std::monostate{};
  }
  Assigned operator()(std::vector<std::string>& field) const {
    auto list = list_in(value);
    if (!list) return unexpected(list.error());
    field = *std::move(list);
    return std::monostate{};
  }
  Assigned operator()(std::vector<std::uint32_t>& field) const {
    const std::string* text = text_in(value);
    if (text == nullptr) return wrong_type("cores like \"0-3\"", value);
    auto cores = parse_cores(*text);
    if (!cores) return unexpected(cores.error());
    field = *std::move(cores);
    return std::monostate{};
  }
  Assigned operator()(std::vector<ListenAddress>& field) const {
    const auto list = list_in(value);
    if (!list) return unexpected(list.error());
    std::vector<ListenAddress> addresses;
    for (const std::string& text : *list) {
      auto address = parse_listen_address(text);
      if (!address) return unexpected(address.error());
      addresses.push_back(*std::move(address));
    }
    if (addresses.empty()) return unexpected(std::string{"needs at least one address"});
    field = std::move(addresses);
    return std::monostate{};
  }
  Assigned operator()(std::vector<IpRange>& field) const {
    const auto list = list_in(value);
    if (!list) return unexpected(list.error());
    std::vector<IpRange> ranges;
    for (const std::string& text : *list) {
      const auto parsed = parse_ip_range(text);
      if (!parsed) {
        return unexpected(
            fmt::format("'{}' is no address or range of addresses: written like 10.0.0.7, 10.0.0.0/8 or "
                        "2001:db8::/32, with nothing behind the prefix",
                        text));
      }
      ranges.push_back(*parsed);
    }
    field = std::move(ranges);
    return std::monostate{};
  }
  Assigned operator()(std::optional<ListenAddress>& field) const {
    const std::string* text = text_in(value);
    if (text == nullptr) return wrong_type("an address like \"127.0.0.1:9002\", or \"off\"", value);
    if (*text == kAddressOff) {
      field.reset();
      return std::monostate{};
    }
    auto address = parse_listen_address(*text);
    if (!address) return unexpected(address.error());
    field = *std::move(address);
    return std::monostate{};
  }
};

std::string list_text(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(toml_string(text));
  return fmt::format("[{}]", fmt::join(quoted, ", "));
}

std::string range_text(const IpRange& range) {
  const bool v4 = is_ipv4(range.first) && range.bits >= 96;
  const unsigned bits = v4 ? range.bits - 96U : range.bits;
  return bits == (v4 ? 32U : 128U) ? to_text(range.first) : fmt::format("{}/{}", to_text(range.first), bits);
}

struct Write {
  Measure measure;

  std::string operator()(bool field) const { return field ? "true" : "false"; }
  std::string operator()(std::uint32_t field) const { return (*this)(std::uint64_t{field}); }
  std::string operator()(std::uint64_t field) const {
    return measure == Measure::bytes ? toml_string(size_text(field)) : fmt::format("{}", field);
  }
  std::string operator()(milliseconds field) const { return toml_string(duration_text(field)); }
  std::string operator()(microseconds field) const { return toml_string(duration_text(field)); }
  std::string operator()(const std::string& field) const { return toml_string(field); }
  std::string operator()(const std::vector<std::string>& field) const { return list_text(field); }
  std::string operator()(const std::vector<std::uint32_t>& field) const { return toml_string(cores_text(field)); }
  std::string operator()(const std::vector<ListenAddress>& field) const {
    std::vector<std::string> texts;
    for (const ListenAddress& address : field) texts.push_back(address_text(address));
    return texts.size() == 1 ? toml_string(texts.front()) : list_text(texts);
  }
  std::string operator()(const std::vector<IpRange>& field) const {
    std::vector<std::string> texts;
    for (const IpRange& range : field) texts.push_back(range_text(range));
    return list_text(texts);
  }
  std::string operator()(const std::optional<ListenAddress>& field) const {
    return toml_string(field ? address_text(*field) : std::string{kAddressOff});
  }
};

}  // namespace

template <class Target>
Assigned assign(const KeyRow<Target>& row, Target& target, const RawValue& value) {
  const auto into = Overloaded{[&](const ChoiceField<Target>& field) -> Assigned {
                                 const std::string* text = text_in(value);
                                 const auto word =
                                     text == nullptr ? field.words.end() : std::ranges::find(field.words, *text);
                                 if (word == field.words.end())
                                   return wrong_type(fmt::format("one of {}", fmt::join(field.words, ", ")), value);
                                 field.set(target, static_cast<std::size_t>(word - field.words.begin()));
                                 return std::monostate{};
                               },
                               [&](auto* at) -> Assigned {
                                 return Assign{row.measure, row.range, value}(at(target));
                               }};
  return std::visit(into, row.field);
}

template <class Target>
std::string toml_value(const KeyRow<Target>& row, const Target& target) {
  Target copy = target;  // the accessors are for writing too
  const auto from =
      Overloaded{[&](const ChoiceField<Target>& field) { return toml_string(field.words[field.get(copy)]); },
                 [&](auto* at) { return Write{row.measure}(at(copy)); }};
  return std::visit(from, row.field);
}

template <class Target>
void copy_value(const KeyRow<Target>& row, Target& into, const Target& from) {
  Target copy = from;  // the accessors are for writing too
  const auto set = Overloaded{[&](const ChoiceField<Target>& field) { field.set(into, field.get(from)); },
                              [&](auto* at) { at(into) = at(copy); }};
  std::visit(set, row.field);
}

template <class Target>
std::string form_of(const KeyRow<Target>& row) {
  const auto form =
      Overloaded{[](const ChoiceField<Target>& field) { return fmt::format("{}", fmt::join(field.words, " | ")); },
                 [&](auto* at) -> std::string {
                   using Value = std::remove_reference_t<std::invoke_result_t<decltype(at), Target&>>;
                   if constexpr (std::is_same_v<Value, bool>) return "true or false";
                   if constexpr (std::is_same_v<Value, std::string>) return "text";
                   if constexpr (std::is_same_v<Value, std::vector<std::string>>) return "list of texts";
                   if constexpr (std::is_same_v<Value, std::vector<std::uint32_t>>) return "cores";
                   if constexpr (std::is_same_v<Value, std::vector<ListenAddress>>)
                     return "address or list of addresses";
                   if constexpr (std::is_same_v<Value, std::vector<IpRange>>) return "list of ranges of addresses";
                   if constexpr (std::is_same_v<Value, std::optional<ListenAddress>>) return "address or off";
                   return row.measure == Measure::bytes ? "size" : row.measure == Measure::time ? "duration" : "number";
                 }};
  return std::visit(form, row.field);
}

std::string range_text(Measure measure, const Range& range) {
  if (range.least == 0 && range.most == std::numeric_limits<std::uint64_t>::max()) return {};
  return fmt::format("{} to {}", measured(measure, range.least), measured(measure, range.most));
}

template Assigned assign(const KeyRow<NodeOptions>&, NodeOptions&, const RawValue&);
template Assigned assign(const KeyRow<NamespaceRule>&, NamespaceRule&, const RawValue&);
template std::string toml_value(const KeyRow<NodeOptions>&, const NodeOptions&);
template std::string toml_value(const KeyRow<NamespaceRule>&, const NamespaceRule&);
template void copy_value(const KeyRow<NodeOptions>&, NodeOptions&, const NodeOptions&);
template std::string form_of(const KeyRow<NodeOptions>&);
template std::string form_of(const KeyRow<NamespaceRule>&);

}  // namespace ringcast
