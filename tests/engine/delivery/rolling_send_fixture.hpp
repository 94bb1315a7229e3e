// tests/engine/delivery/rolling_send_fixture.hpp: what the tests of the rolling send share.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>

#include "codec/dialect/binary.hpp"
#include "tests/doubles/delivery_harness.hpp"

namespace ringcast {

using Reader = DeliveryHarness::Reader;
using Kind = OutboxEvent::Kind;

inline std::int64_t take_nothing(const Reader&, const SendEntry&) { return -EAGAIN; }
inline DeliveryHarness::Kernel take_at_most(std::int64_t bytes) {
  return [bytes](const Reader&, const SendEntry& entry) { return std::min<std::int64_t>(bytes, entry.size); };
}

inline NamespaceRule rule_with(SlowPolicy policy, std::uint32_t messages = 4'096) {
  NamespaceRule rule;
  rule.slow = policy;
  rule.lag.messages = messages;
  return rule;
}

inline std::vector<std::string> numbered(std::string_view name, std::uint64_t from, std::uint64_t to) {
  std::vector<std::string> payloads;
  for (std::uint64_t seq = from; seq <= to; ++seq) payloads.push_back(std::string{name} + ":" + std::to_string(seq));
  return payloads;
}

inline std::string gap_notice(std::string_view channel, std::uint64_t from, std::uint64_t to, std::string_view reason) {
  return R"({"type":"gap","channel":")" + std::string{channel} + R"(","from":)" + std::to_string(from) + R"(,"to":)" +
         std::to_string(to) + R"(,"reason":")" + std::string{reason} + R"("})";
}

/// The same in the binary dialect. The harness's channels have epoch 1.
inline std::string gap_record(std::uint32_t channel_id, std::uint64_t from, std::uint64_t to, GapReason reason) {
  const GapView gap{.channel = "orders",
                    .from = Sequence{from},
                    .to = Sequence{to},
                    .reason = reason,
                    .epoch = Epoch{1},
                    .channel_id = channel_id};
  std::string record(binary_gap_size(gap), '\0');
  (void)write_binary_gap(gap, reinterpret_cast<std::uint8_t*>(record.data()));
  return record;
}

class RollingSendTest : public testing::Test, protected DeliveryHarness {
 protected:
  /// What a reader got of one channel, and in which order.
  static std::vector<std::string> of_channel(const Reader& reader, std::string_view name) {
    std::vector<std::string> payloads;
    for (const std::string& payload : payloads_of(reader.stream)) {
      const std::string_view text{payload};
      if (text.starts_with(std::string{name} + ":") ||
          text.find("\"channel\":\"" + std::string{name} + "\"") != std::string_view::npos) {
        payloads.emplace_back(text.substr(0, text.find('.')));  // without what fills it up
      }
    }
    return payloads;
  }
  std::uint64_t next_of(std::uint32_t subscription) { return value(delivery.subscription(subscription).cursor.next); }
};

}  // namespace ringcast
