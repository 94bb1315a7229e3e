// tools/load/payload.hpp: the synthetic message: when it was due, which of its source's it is, and padding.
//
// {"t":"<16 hex: scheduled ns>","n":"<12 hex: counter from 1>","s":"<4 hex: source>","x":"<padding>"}
//
// Every member has a fixed width, so a receiver finds the numbers without parsing, and proves the rest by comparing it.
//
// Owner    the caller, by value.  Thread  any; a template is never changed.  Memory  one payload.
// Failure  read() gives nothing for text that is no such payload.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "alloc/base/time.hpp"

namespace ringcast {

struct SyntheticFields {
  Instant scheduled{};
  std::uint64_t counter = 0;
  std::uint32_t source = 0;
};

inline constexpr std::uint32_t kSyntheticPayloadBytesMin = 61;
inline constexpr std::uint32_t kSyntheticPayloadBytesMax = 1U << 20;
inline constexpr std::uint32_t kSyntheticSourcesMax = 0xffff;
inline constexpr std::uint32_t kSyntheticChannelsMax = 1'000'000;  // six digits in a name

class PayloadTemplate {
 public:
  explicit PayloadTemplate(std::uint32_t payload_bytes);

  [[nodiscard]] std::size_t size() const { return text_.size(); }
  /// The payload with these fields; valid until the next call.
  [[nodiscard]] std::string_view write(const SyntheticFields& fields);
  /// The fields of a payload of this size and padding; nothing for anything else.
  [[nodiscard]] std::optional<SyntheticFields> read(std::string_view payload) const;

 private:
  std::string text_;
};

}  // namespace ringcast
