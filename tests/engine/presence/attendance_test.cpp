// What a shard reports of its own readers: transitions, in order, and never what changed back.
#include "engine/presence/attendance.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace ringcast {
namespace {

class AttendanceTest : public testing::Test {
 protected:
  ~AttendanceTest() override {
    for (const auto& connection : connections) {
      if (connection->user == kNoSlot) continue;
      const std::uint32_t user = connection->user;
      users.leave(*connection);
      attendance.connections_changed(user, kDirectory);
    }
    (void)reports(kDirectory);
  }
  Outbox& connect(std::string_view user) {
    connections.push_back(std::make_unique<Outbox>());
    users.enter(*connections.back(), user);
    attendance.connections_changed(connections.back()->user, kDirectory);
    return *connections.back();
  }
  void disconnect(Outbox& connection) {
    const std::uint32_t user = connection.user;
    users.leave(connection);
    attendance.connections_changed(user, kDirectory);
  }
  /// Everything due to a shard, as "+room/a -room/a room~3 a~1".
  std::string reports(ShardIndex to) {
    std::string text;
    Report report;
    while (attendance.take(to, report)) {
      if (!text.empty()) text += ' ';
      switch (report.kind) {
        case Report::Kind::came: text += "+" + std::string{report.channel} + "/" + std::string{report.user}; break;
        case Report::Kind::went: text += "-" + std::string{report.channel} + "/" + std::string{report.user}; break;
        case Report::Kind::anonymous: text += std::string{report.channel} + "~" + std::to_string(report.change); break;
        case Report::Kind::connections:
          text += std::string{report.user} + "~" + std::to_string(report.change) + (report.here ? "" : "!");
          break;
      }
      attendance.validate();
      users.validate();
    }
    return text;
  }

  static constexpr ShardIndex kHome{1}, kDirectory{2};
  Budget budget;
  UserTable users{budget};
  Attendance attendance{3, users, budget};
  std::vector<std::unique_ptr<Outbox>> connections;
};

TEST_F(AttendanceTest, OnlyTheFirstAndTheLastSubscriptionOfAUserAreReported) {
  const std::uint32_t alice = connect("alice").user;
  for (int i = 0; i < 1'000; ++i) attendance.came("room", kHome, alice);
  EXPECT_EQ(reports(kHome), "+room/alice");
  for (int i = 0; i < 999; ++i) attendance.went("room", alice);
  EXPECT_EQ(reports(kHome), "");
  attendance.went("room", alice);
  EXPECT_EQ(reports(kHome), "-room/alice");
  EXPECT_EQ(attendance.rooms() + attendance.attendees(), 0U);
}

TEST_F(AttendanceTest, WhatChangedBackIsNotReported) {
  const std::uint32_t alice = connect("alice").user;
  for (int i = 0; i < 5; ++i) {
    attendance.came("room", kHome, alice);
    attendance.went("room", alice);
    attendance.came("room", kHome, kNoSlot);
    attendance.went("room", kNoSlot);
  }
  EXPECT_EQ(reports(kHome), "");
  EXPECT_EQ(attendance.rooms() + attendance.attendees(), 0U);
}

TEST_F(AttendanceTest, ReportsKeepTheirOrderAndGoToTheRightShard) {
  const std::uint32_t alice = connect("alice").user;
  const std::uint32_t bob = connect("bob").user;
  attendance.came("room", kHome, bob);
  attendance.came("room", kHome, kNoSlot);
  attendance.came("hall", kDirectory, alice);
  attendance.came("room", kHome, alice);
  attendance.came("room", kHome, kNoSlot);
  EXPECT_EQ(reports(kHome), "+room/bob room~2 +room/alice");
  EXPECT_EQ(reports(kDirectory), "alice~1 bob~1 +hall/alice");
  EXPECT_EQ(reports(ShardIndex{0}), "");
  attendance.went("room", bob);
  attendance.went("room", kNoSlot);
  attendance.went("room", alice);
  attendance.went("hall", alice);
  attendance.went("room", kNoSlot);
  EXPECT_EQ(reports(kHome), "-room/bob room~-2 -room/alice");
}

TEST_F(AttendanceTest, AUserStaysUntilItsHomesAndItsDirectoryKnowThatItHasGone) {
  Outbox& first = connect("alice");
  const std::uint32_t alice = first.user;
  connect("alice");
  connect("alice");
  EXPECT_EQ(reports(kDirectory), "alice~3");
  attendance.came("room", kHome, alice);
  EXPECT_EQ(reports(kHome), "+room/alice");
  attendance.went("room", alice);
  for (const auto& connection : connections) disconnect(*connection);
  EXPECT_EQ(users.size(), 1U);
  EXPECT_EQ(reports(kDirectory), "alice~-3!");
  EXPECT_EQ(users.size(), 1U) << "a home has yet to be told";
  EXPECT_EQ(reports(kHome), "-room/alice");
  EXPECT_EQ(users.size(), 0U);
}

TEST_F(AttendanceTest, AnEmptyShardHoldsNothing) {
  for (int i = 0; i < 100; ++i) connect("user-" + std::to_string(i));
  for (std::uint32_t i = 0; i < 100; ++i) attendance.came("room-" + std::to_string(i % 9), kHome, connections[i]->user);
  (void)reports(kHome);
  (void)reports(kDirectory);
  for (std::uint32_t i = 0; i < 100; ++i) attendance.went("room-" + std::to_string(i % 9), connections[i]->user);
  for (const auto& connection : connections) disconnect(*connection);
  (void)reports(kHome);
  (void)reports(kDirectory);
  users.release_unused();
  attendance.release_unused();
  EXPECT_EQ(users.size() + attendance.rooms() + attendance.attendees(), 0U);
}

}  // namespace
}  // namespace ringcast
