#include "codec/dialect/command.hpp"

#include <array>
#include <utility>

#include "codec/text/numbers.hpp"

namespace ringcast {
namespace {

struct ErrorCodeRow {
  ErrorCode code;
  std::string_view name;
};
constexpr std::array kErrorCodes{
    ErrorCodeRow{ErrorCode::invalid_message, "invalid_message"},
    ErrorCodeRow{ErrorCode::rate_limited, "rate_limited"},
    ErrorCodeRow{ErrorCode::unauthorized, "unauthorized"},
    ErrorCodeRow{ErrorCode::auth_required, "auth_required"},
    ErrorCodeRow{ErrorCode::auth_failed, "auth_failed"},
    ErrorCodeRow{ErrorCode::processing_error, "processing_error"},
    ErrorCodeRow{ErrorCode::connection_closed, "connection_closed"},
    ErrorCodeRow{ErrorCode::unknown_channel, "unknown_channel"},
    ErrorCodeRow{ErrorCode::too_many_subscriptions, "too_many_subscriptions"},
    ErrorCodeRow{ErrorCode::message_too_large, "message_too_large"},
    ErrorCodeRow{ErrorCode::overloaded, "overloaded"},
    ErrorCodeRow{ErrorCode::not_supported, "not_supported"},
};
static_assert(kErrorCodes.size() == std::to_underlying(ErrorCode::end), "every code has a name");
static_assert(
    [] {
      for (std::size_t i = 0; i < kErrorCodes.size(); ++i) {
        if (std::to_underlying(kErrorCodes[i].code) != i) {
          return false;
        }
      }
      return true;
    }(),
    "the rows stand in the order of the codes");

}  // namespace

std::string_view name_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::native: return "native";
    case Dialect::exchange: return "exchange";
    case Dialect::binary: return "binary";
    default: return "undecided";
  }
}

std::string_view name_of(ErrorCode code) {
  const std::size_t row = std::to_underlying(code);
  return row < kErrorCodes.size() ? kErrorCodes[row].name : "processing_error";
}

std::string_view name_of(GapReason reason) {
  switch (reason) {
    case GapReason::conflated: return "conflated";
    case GapReason::dropped: return "dropped";
    case GapReason::expired: return "expired";
    case GapReason::epoch: return "epoch";
  }
  return "dropped";
}

std::optional<ResumePoint> parse_resume_point(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto epoch = parse_epoch(text.substr(0, colon));
  const auto seq = parse_uint64(text.substr(colon + 1));
  if (!epoch || !seq) return std::nullopt;
  return ResumePoint{*epoch, Sequence{*seq}};
}

}  // namespace ringcast
