#include "engine/stats/counters.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "codec/dialect/command.hpp"
#include "engine/stats/events.hpp"

namespace ringcast {
namespace {

TEST(Counters, NoTwoRowsHaveTheSameName) {
  std::set<std::string> names;
  for (const CounterRow& row : kCounters) {
    EXPECT_TRUE(names.insert(std::string{row.label} + "{" + std::string{row.label_set} + "}").second)
        << row.label << " " << row.label_set;
  }
}

TEST(Counters, EveryRowDescribesItself) {
  for (const CounterRow& row : kCounters) {
    EXPECT_FALSE(row.label.empty());
    EXPECT_FALSE(row.unit.empty()) << row.label;
    EXPECT_FALSE(row.description.empty()) << row.label;
    EXPECT_EQ(row.label.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string_view::npos)
        << row.label;
    if (!row.label_set.empty()) {
      EXPECT_NE(row.label_set.find('='), std::string_view::npos) << row.label_set;
    }
  }
}

TEST(Counters, RowsOfOneMetricStandTogetherAndAreOfOneKind) {
  std::set<std::string_view> finished;
  for (std::size_t i = 1; i < kCounters.size(); ++i) {
    if (kCounters[i].label != kCounters[i - 1].label) {
      finished.insert(kCounters[i - 1].label);
      EXPECT_FALSE(finished.contains(kCounters[i].label)) << kCounters[i].label;
    } else {
      EXPECT_EQ(kCounters[i].kind, kCounters[i - 1].kind) << kCounters[i].label;
    }
  }
}

TEST(Counters, EveryCloseCodeOfTheProtocolHasItsOwn) {
  std::set<CounterId> seen;
  for (const std::uint16_t code : std::initializer_list<std::uint16_t>{1000, 1001, 1002, 1003, 1006, 1007, 1008, 1009,
                                                                       1013, 4001, 4002, 4003, 4008, 4009, 4010}) {
    const CounterId id = closed_counter(code);
    EXPECT_TRUE(seen.insert(id).second) << code;
    EXPECT_EQ(kCounters[std::to_underlying(id)].label_set, "code=" + std::to_string(code));
  }
  for (const std::uint16_t code :
       std::initializer_list<std::uint16_t>{0, 1004, 1005, 1010, 1011, 3000, 4000, 4011, 4999}) {
    EXPECT_EQ(closed_counter(code), CounterId::closed_other) << code;
  }
}

TEST(Counters, EveryHandshakeStatusHasItsOwn) {
  for (const std::uint16_t status : std::initializer_list<std::uint16_t>{400, 403, 404, 405, 408, 426, 431, 503}) {
    EXPECT_EQ(kCounters[std::to_underlying(handshake_counter(status))].label_set, "status=" + std::to_string(status));
  }
  EXPECT_EQ(handshake_counter(418), CounterId::handshakes_failed_400);
}

TEST(Counters, EveryErrorCodeOfTheDialectsHasItsOwnUnderItsName) {
  ASSERT_EQ(std::to_underlying(ErrorCode::end), kErrorCounters);
  for (std::uint8_t code = 0; code < kErrorCounters; ++code) {
    const CounterRow& row = kCounters[std::to_underlying(error_counter(code))];
    EXPECT_EQ(row.label_set, "code=" + std::string{name_of(static_cast<ErrorCode>(code))});
  }
}

TEST(Counters, EveryGapReasonHasItsOwnUnderItsName) {
  for (std::uint8_t reason = 0; reason < kGapReasons; ++reason) {
    const std::string set = "reason=" + std::string{name_of(static_cast<GapReason>(reason))};
    EXPECT_EQ(kCounters[std::to_underlying(gap_notice_counter(reason))].label_set, set);
    EXPECT_EQ(kCounters[std::to_underlying(gap_notice_counter(reason))].label, "gap_notices");
    EXPECT_EQ(kCounters[std::to_underlying(gap_message_counter(reason))].label_set, set);
    EXPECT_EQ(kCounters[std::to_underlying(gap_message_counter(reason))].label, "gap_messages");
  }
}

TEST(Events, NoTwoHaveTheSameLabel) {
  std::set<std::string_view> labels;
  for (const EventRow& row : kEvents) EXPECT_TRUE(labels.insert(row.label).second) << row.label;
}

}  // namespace
}  // namespace ringcast
