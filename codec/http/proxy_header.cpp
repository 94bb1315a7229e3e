#include "codec/http/proxy_header.hpp"

#include <algorithm>
#include <array>

#include "codec/text/numbers.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kTextBegin = "PROXY ";
constexpr std::size_t kTextBytesMax = 107;  // section 2.1, with CR and LF
constexpr std::array<std::uint8_t, 12> kBinaryBegin{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                    0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::size_t kBinaryHeadBytes = 16;  // signature, version and command, family, length

using Parsed = Result<std::optional<ProxyHeader>, std::string_view>;

/// Takes a word off the front, and the single space behind it.
std::string_view take_word(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

std::optional<std::uint16_t> port_of(std::string_view text) {
  const auto number = parse_uint64(text);
  return number && *number <= 0xffff ? std::optional{static_cast<std::uint16_t>(*number)} : std::nullopt;
}

Parsed parse_text(std::string_view input) {
  const std::size_t end = input.substr(0, kTextBytesMax).find("\r\n");
  if (end == std::string_view::npos) {
    if (input.size() >= kTextBytesMax) return unexpected(std::string_view{"the PROXY header has no end"});
    return std::optional<ProxyHeader>{};
  }
  ProxyHeader header{.bytes = end + 2, .has_source = false, .source = {}, .port = 0};
  std::string_view rest = input.substr(kTextBegin.size(), end - kTextBegin.size());
  const std::string_view family = take_word(rest);
  if (family == "UNKNOWN") return std::optional{header};  // what follows is to be ignored
  const bool v4 = family == "TCP4";
  if (!v4 && family != "TCP6") return unexpected(std::string_view{"the PROXY header has an unknown family"});
  const auto source = parse_ip_address(take_word(rest));
  const auto target = parse_ip_address(take_word(rest));
  const auto source_port = port_of(take_word(rest));
  const auto target_port = port_of(rest);
  if (!source || !target || !source_port || !target_port || (v4 && !is_ipv4(*source))) {
    return unexpected(std::string_view{"the PROXY header has a malformed address"});
  }
  header.has_source = true;
  header.source = *source;
  header.port = *source_port;
  return std::optional{header};
}

Parsed parse_binary(Bytes input) {
  if (input.size() < kBinaryHeadBytes) return std::optional<ProxyHeader>{};
  const std::uint8_t version = input[12] >> 4;
  const std::uint8_t command = input[12] & 0x0f;
  const std::uint8_t family = input[13];
  const std::size_t length = load_big_endian<std::uint16_t>(input.data() + 14);
  if (version != 2 || command > 1) return unexpected(std::string_view{"the PROXY header has an unknown version"});
  if (kBinaryHeadBytes + length > kProxyHeaderBytesMax) {
    return unexpected(std::string_view{"the PROXY header is too large"});
  }
  if (input.size() < kBinaryHeadBytes + length) return std::optional<ProxyHeader>{};
  ProxyHeader header{.bytes = kBinaryHeadBytes + length, .has_source = false, .source = {}, .port = 0};
  const bool local = command == 0;
  const Bytes addresses = input.subspan(kBinaryHeadBytes, length);
  constexpr std::uint8_t kTcp4 = 0x11, kTcp6 = 0x21;
  const std::size_t address_bytes = family == kTcp4 ? 4 : family == kTcp6 ? 16 : 0;
  if (local || address_bytes == 0) return std::optional{header};  // also unix sockets and datagrams: nothing to show
  if (length < 2 * address_bytes + 4) return unexpected(std::string_view{"the PROXY header has a malformed address"});
  header.has_source = true;
  if (family == kTcp4) {
    header.source = ipv4_address(addresses[0], addresses[1], addresses[2], addresses[3]);
  } else {
    std::copy_n(addresses.begin(), header.source.size(), header.source.begin());
  }
  header.port = load_big_endian<std::uint16_t>(addresses.data() + 2 * address_bytes);
  return std::optional{header};
}

}  // namespace

bool looks_like_proxy_header(Bytes input) {
  if (input.empty()) return false;
  if (input[0] == kBinaryBegin[0]) {
    const std::size_t size = std::min(input.size(), kBinaryBegin.size());
    return std::equal(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size), kBinaryBegin.begin());
  }
  const std::string_view text = as_text(input.first(std::min(input.size(), kTextBegin.size())));
  return kTextBegin.starts_with(text);
}

Parsed parse_proxy_header(Bytes input) {
  if (!looks_like_proxy_header(input)) return unexpected(std::string_view{"there is no PROXY header"});
  if (input[0] == kBinaryBegin[0]) return parse_binary(input);
  if (input.size() < kTextBegin.size()) return std::optional<ProxyHeader>{};
  return parse_text(as_text(input));
}

}  // namespace ringcast
