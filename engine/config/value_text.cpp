#include "engine/config/value_text.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "alloc/base/units.hpp"

namespace ringcast {
namespace {

struct TimeUnit {
  std::string_view name;
  std::int64_t nanoseconds;
};
// Largest first, as they must follow each other in a duration.
constexpr std::array kTimeUnits{
    TimeUnit{"d", 86'400'000'000'000},
    TimeUnit{"h", 3'600'000'000'000},
    TimeUnit{"m", 60'000'000'000},
    TimeUnit{"s", 1'000'000'000},
    TimeUnit{"ms", 1'000'000},
    TimeUnit{"us", 1'000},
    TimeUnit{"ns", 1},
};
constexpr std::string_view kDurationForm = "a duration is written like 30s, 250ms, 5m or 1m30s";

struct SizeUnit {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array kSizeUnits{SizeUnit{"TiB", 1024_GiB}, SizeUnit{"GiB", 1_GiB}, SizeUnit{"MiB", 1_MiB},
                                SizeUnit{"KiB", 1_KiB}, SizeUnit{"B", 1}};
constexpr std::string_view kSizeForm = "a size is written like 1500, 64KiB, 1MiB or 2GiB";

constexpr std::string_view kAddressForm =
    "an address is written 127.0.0.1:9001, [::1]:9001, localhost:9001 or unix:/path; plain: may stand before it";

constexpr std::uint32_t kCoreMax = 1'023;  // CPU_SETSIZE - 1: what sched_setaffinity can name

/// The digits in front of `text`, taken off it; nothing if there are none or they do not fit.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::string_view take_letters(std::string_view& text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto end = std::find_if_not(text.begin(), text.end(), is_letter);
  const std::string_view letters = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(letters.size());
  return letters;
}

Result<std::uint16_t, std::string> parse_port(std::string_view text, std::string_view whole) {
  const auto port = parse_count(text);
  if (!port || *port > std::numeric_limits<std::uint16_t>::max()) {
    return unexpected(fmt::format("'{}' has no port from 0 to 65535; {}", whole, kAddressForm));
  }
  return static_cast<std::uint16_t>(*port);
}

Result<ListenAddress, std::string> parse_unix_path(std::string_view path) {
  constexpr std::size_t kPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty() || path.front() != '/') return unexpected(fmt::format("'{}' is not an absolute path", path));
  if (path.size() > kPathBytesMax) {
    return unexpected(
        fmt::format("the path of a Unix socket has at most {} bytes, this one {}", kPathBytesMax, path.size()));
  }
  if (path.find('\0') != std::string_view::npos) return unexpected(std::string{"a path has no zero byte"});
  return ListenAddress{
      .family = ListenAddress::Family::unix_path, .host = {}, .port = 0, .path = std::string{path}, .loopback = true};
}

}  // namespace

Result<nanoseconds, std::string> parse_duration(std::string_view text) {
  std::string_view rest = text;
  std::int64_t total = 0;
  std::size_t unit_next = 0;  // each unit once, and none after a smaller one
  do {
    const auto number = take_number(rest);
    const std::string_view letters = take_letters(rest);
    const auto* const unit =
        std::find_if(kTimeUnits.begin(), kTimeUnits.end(), [&](const TimeUnit& row) { return row.name == letters; });
    if (!number || unit == kTimeUnits.end()) return unexpected(fmt::format("'{}': {}", text, kDurationForm));
    const auto unit_index = static_cast<std::size_t>(unit - kTimeUnits.begin());
    if (unit_index < unit_next) {
      return unexpected(fmt::format("'{}': each unit once, the largest first; {}", text, kDurationForm));
    }
    unit_next = unit_index + 1;
    const auto most =
        static_cast<std::uint64_t>((std::numeric_limits<std::int64_t>::max() - total) / unit->nanoseconds);
    if (*number > most) return unexpected(fmt::format("'{}' is longer than 292 years", text));
    total += static_cast<std::int64_t>(*number) * unit->nanoseconds;
  } while (!rest.empty());
  return nanoseconds{total};
}

std::string duration_text(nanoseconds duration) {
  if (duration.count() == 0) return "0s";
  const auto* const unit = std::find_if(kTimeUnits.begin() + 1, kTimeUnits.end(), [&](const TimeUnit& row) {
    return duration.count() % row.nanoseconds == 0;
  });  // 24h is what people write, not 1d; `ns` divides everything
  return fmt::format("{}{}", duration.count() / unit->nanoseconds, unit->name);
}

Result<std::uint64_t, std::string> parse_size(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (!number) return unexpected(fmt::format("'{}': {}", text, kSizeForm));
  if (rest.empty()) return *number;
  const auto* const unit =
      std::find_if(kSizeUnits.begin(), kSizeUnits.end(), [&](const SizeUnit& row) { return row.name == rest; });
  if (unit == kSizeUnits.end()) return unexpected(fmt::format("'{}': {}", text, kSizeForm));
  if (*number > std::numeric_limits<std::uint64_t>::max() / unit->bytes) {
    return unexpected(fmt::format("'{}' does not fit in 64 bits", text));
  }
  return *number * unit->bytes;
}

std::string size_text(std::uint64_t bytes) {
  if (bytes == 0) return "0B";
  const auto* const unit =
      std::find_if(kSizeUnits.begin(), kSizeUnits.end(), [&](const SizeUnit& row) { return bytes % row.bytes == 0; });
  return fmt::format("{}{}", bytes / unit->bytes, unit->name);
}

Result<std::uint64_t, std::string> parse_count(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (!number || !rest.empty()) return unexpected(fmt::format("'{}' is not a whole number", text));
  return *number;
}

Result<ListenAddress, std::string> parse_listen_address(std::string_view text) {
  constexpr std::string_view kPlain = "plain:";
  if (text.starts_with(kPlain) && !text.substr(kPlain.size()).starts_with(kPlain)) {
    auto address = parse_listen_address(text.substr(kPlain.size()));
    if (address) address->plain = true;
    return address;
  }
  constexpr std::string_view kUnix = "unix:";
  if (text.starts_with(kUnix)) return parse_unix_path(text.substr(kUnix.size()));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) {
    return unexpected(fmt::format("'{}' is no address and port; {}", text, kAddressForm));
  }
  const auto port = parse_port(text.substr(colon + 1), text);
  if (!port) return unexpected(port.error());
  ListenAddress address;
  address.port = *port;
  std::string_view host = text.substr(0, colon);
  if (host == "localhost") return address;
  if (host.starts_with('[') && host.ends_with(']')) {
    in6_addr binary{};
    address.host = host.substr(1, host.size() - 2);
    address.family = ListenAddress::Family::ipv6;
    if (inet_pton(AF_INET6, address.host.c_str(), &binary) != 1) {
      return unexpected(fmt::format("'{}' is not an IPv6 address; {}", address.host, kAddressForm));
    }
    address.loopback = IN6_IS_ADDR_LOOPBACK(&binary) != 0;
    return address;
  }
  in_addr binary{};
  address.host = host;
  if (inet_pton(AF_INET, address.host.c_str(), &binary) != 1) {
    return unexpected(fmt::format("'{}' is not a numeric address; {}", host, kAddressForm));
  }
  address.loopback = (ntohl(binary.s_addr) >> 24) == IN_LOOPBACKNET;
  return address;
}

std::string address_text(const ListenAddress& address) {
  const std::string_view plain = address.plain ? "plain:" : "";
  switch (address.family) {
    case ListenAddress::Family::ipv4: return fmt::format("{}{}:{}", plain, address.host, address.port);
    case ListenAddress::Family::ipv6: return fmt::format("{}[{}]:{}", plain, address.host, address.port);
    case ListenAddress::Family::unix_path: return fmt::format("{}unix:{}", plain, address.path);
  }
  return {};
}

Result<std::vector<std::uint32_t>, std::string> parse_cores(std::string_view text) {
  constexpr std::string_view kForm = "cores are written like 0-3 or 0,2,4-5";
  std::vector<std::uint32_t> cores;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto first = take_number(rest);
    auto last = first;
    if (rest.starts_with('-')) {
      rest.remove_prefix(1);
      last = take_number(rest);
    }
    if (!first || !last || *last < *first) return unexpected(fmt::format("'{}': {}", text, kForm));
    if (*last > kCoreMax) return unexpected(fmt::format("'{}': the highest core is {}", text, kCoreMax));
    for (auto core = static_cast<std::uint32_t>(*first); core <= *last; ++core) {
      if (std::find(cores.begin(), cores.end(), core) != cores.end()) {
        return unexpected(fmt::format("'{}' names core {} twice", text, core));
      }
      cores.push_back(core);
    }
    if (rest.empty()) break;
    if (rest.front() != ',' || rest.size() == 1) return unexpected(fmt::format("'{}': {}", text, kForm));
    rest.remove_prefix(1);
  }
  return cores;
}

std::string cores_text(const std::vector<std::uint32_t>& cores) {
  std::string text;
  for (std::size_t i = 0; i < cores.size();) {
    std::size_t end = i + 1;
    while (end < cores.size() && cores[end] == cores[end - 1] + 1) ++end;
    if (!text.empty()) text += ',';
    text += end - i == 1 ? fmt::format("{}", cores[i]) : fmt::format("{}-{}", cores[i], cores[end - 1]);
    i = end;
  }
  return text;
}

std::string toml_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace ringcast
