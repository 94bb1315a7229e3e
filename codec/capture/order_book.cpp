#include "codec/capture/order_book.hpp"

#include "codec/text/json.hpp"
#include "codec/text/numbers.hpp"

namespace ringcast {
namespace {

std::optional<DecimalText> read_decimal(const std::optional<JsonValue>& value) {
  if (!value || value->kind != JsonKind::string) {
    return std::nullopt;
  }
  return DecimalText::parse(value->inside_quotes());
}

template <class Levels>
void append_side(std::string& out, const Levels& levels) {
  char separator = '[';
  for (const auto& [price, quantity] : levels) {
    out += separator;
    out += "[\"";
    out += price.text();
    out += "\",\"";
    out += quantity.text();
    out += "\"]";
    separator = ',';
  }
  out += levels.empty() ? "[]" : "]";
}

}  // namespace

std::string_view sentence_of(BookFault fault) {
  switch (fault) {
    case BookFault::malformed_level: return "a level is not a price and a quantity";
    case BookFault::too_many_levels: return "the book has too many levels";
  }
  return {};
}

void OrderBook::clear() {
  bids_.clear();
  asks_.clear();
}

template <class Levels>
Result<void, BookFault> OrderBook::apply_side(Levels& levels, std::string_view changes) {
  for (ArrayWalk walk{changes}; const std::optional<JsonValue> level = walk.next();) {
    if (level->kind != JsonKind::array) {
      return unexpected(BookFault::malformed_level);
    }
    ArrayWalk parts{level->text};
    const std::optional<DecimalText> price = read_decimal(parts.next());
    const std::optional<DecimalText> quantity = read_decimal(parts.next());
    if (!price || !quantity) {
      return unexpected(BookFault::malformed_level);
    }
    if (quantity->is_zero()) {
      levels.erase(*price);
      continue;
    }
    levels.insert_or_assign(*price, *quantity);
    if (levels.size() > limits_.levels_max) {
      return unexpected(BookFault::too_many_levels);
    }
  }
  return {};
}

Result<void, BookFault> OrderBook::apply(std::string_view bids, std::string_view asks) {
  if (!bids.starts_with('[') || !asks.starts_with('[')) {
    return unexpected(BookFault::malformed_level);
  }
  const Result<void, BookFault> applied = apply_side(bids_, bids);
  return applied ? apply_side(asks_, asks) : applied;
}

bool OrderBook::is_crossed() const {
  return !bids_.empty() && !asks_.empty() && bids_.begin()->first >= asks_.begin()->first;
}

void OrderBook::append_json(std::string& out, std::uint64_t last_update_id) const {
  out += R"({"lastUpdateId":)";
  append_decimal(out, last_update_id);
  out += R"(,"bids":)";
  append_side(out, bids_);
  out += R"(,"asks":)";
  append_side(out, asks_);
  out += '}';
}

}  // namespace ringcast
