#include "codec/websocket/deflate_offer.hpp"

#include <algorithm>
#include <array>

#include "codec/http/header_fields.hpp"

namespace ringcast {
namespace {

/// What stood behind permessage-deflate. A window of 0 bits: the parameter stands there without a value.
struct Parameters {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::optional<std::uint8_t> server_window_bits;
  std::optional<std::uint8_t> client_window_bits;
};

/// "8" to "15": no sign, no leading zero (section 7.1.2.1).
std::optional<std::uint8_t> window_bits_of(std::string_view text) {
  if (text.empty() || text.size() > 2 || text.front() == '0') return std::nullopt;
  unsigned bits = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    bits = 10 * bits + static_cast<unsigned>(c - '0');
  }
  if (bits < kWindowBitsMin || bits > kWindowBitsMax) return std::nullopt;
  return static_cast<std::uint8_t>(bits);
}

bool take_flag(bool& flag, std::optional<std::string_view> value) {
  if (flag || value) return false;
  flag = true;
  return true;
}

enum class Value : bool { required, optional };
bool take_window(std::optional<std::uint8_t>& window, std::optional<std::string_view> value, Value needed) {
  if (window) return false;
  if (!value) {
    window = 0;
    return needed == Value::optional;
  }
  window = window_bits_of(*value);
  return window.has_value();
}

/// Nothing: a parameter is unknown, repeated, or has a value that it may not have.
std::optional<Parameters> read_parameters(std::string_view rest, Value client_window) {
  Parameters read;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    std::string_view name = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    std::optional<std::string_view> value;
    if (const std::size_t equals = name.find('='); equals != std::string_view::npos) {
      value = trimmed(name.substr(equals + 1));
      name = trimmed(name.substr(0, equals));
      if (value->size() >= 2 && value->front() == '"') value = value->substr(1, value->size() - 2);
    }
    bool good = false;
    if (name == "server_no_context_takeover") good = take_flag(read.server_no_context_takeover, value);
    if (name == "client_no_context_takeover") good = take_flag(read.client_no_context_takeover, value);
    if (name == "server_max_window_bits") good = take_window(read.server_window_bits, value, Value::required);
    if (name == "client_max_window_bits") good = take_window(read.client_window_bits, value, client_window);
    if (!good) return std::nullopt;
  }
  return read;
}

void append_window(std::string& out, std::string_view name, std::uint8_t bits) {
  out.append("; ").append(name).append("=").append(std::to_string(bits));
}

}  // namespace

std::optional<DeflateAgreement> accept_deflate_offer(std::string_view parameters) {
  const auto offered = read_parameters(parameters, Value::optional);
  if (!offered) return std::nullopt;
  DeflateAgreement agreement;
  if (offered->server_window_bits) {
    agreement.server_window_bits = *offered->server_window_bits;
    agreement.server_window_named = true;
  }
  // Without a value it only says that it would understand a limit, and we have no use for one.
  if (offered->client_window_bits && *offered->client_window_bits != 0) {
    agreement.client_window_bits = offered->client_window_bits;
  }
  return agreement;
}

void append_deflate_answer(std::string& out, const DeflateAgreement& agreement) {
  // Neither takeover need be offered to be ruled out (sections 7.1.1.1 and 7.1.1.2).
  out.append(kDeflateName).append("; server_no_context_takeover; client_no_context_takeover");
  if (agreement.server_window_named) append_window(out, "server_max_window_bits", agreement.server_window_bits);
  if (agreement.client_window_bits) append_window(out, "client_max_window_bits", *agreement.client_window_bits);
}

std::optional<DeflateAgreement> verify_deflate_answer(std::string_view parameters) {
  const auto answered = read_parameters(parameters, Value::required);
  if (!answered || !answered->server_no_context_takeover) return std::nullopt;
  if (answered->client_window_bits) return std::nullopt;  // not offered, so not to be answered (section 7.1.2.2)
  DeflateAgreement agreement;
  if (answered->server_window_bits) {
    agreement.server_window_bits = *answered->server_window_bits;
    agreement.server_window_named = true;
  }
  return agreement;
}

}  // namespace ringcast
