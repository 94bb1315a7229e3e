// The entitlement record's file: whole lines, only ever appended, and nothing lost to a full disk.
#include "engine/node/usage_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "codec/text/json.hpp"
#include "tests/doubles/temporary_file.hpp"

namespace ringcast {
namespace {

void note(UsageLane& lane, std::string_view user, std::string_view channel, UsageRecord::Kind kind,
          std::uint16_t port = 4'711) {
  const UsageRecord record{.kind = kind,
                           .at = WallTime{seconds{1'790'000'060}},
                           .since = WallTime{seconds{1'790'000'000}},
                           .connection = 0x5f3c9a1e07d2b846,
                           .address = *parse_ip_address("192.0.2.7"),
                           .port = port,
                           .user = user,
                           .channel = channel};
  const MutableBytes room = lane.reserve(encoded_bytes(record));
  ASSERT_FALSE(room.empty());
  encode(record, room);
  lane.commit();
  lane.publish();
}
std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file{path};
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}
constexpr Instant kNow{seconds{1'000}};

TEST(UsageFile, AppendsALineForEachRecord) {
  const TemporaryFile file{"{\"earlier\":true}\n"};
  {
    const auto usage = UsageFile::open(file.path(), 2);
    ASSERT_TRUE(usage) << usage.error();
    note((*usage)->lane(0), "alice", "b@trade", UsageRecord::Kind::began);
    note((*usage)->lane(1), "a \"quoted\" name", "x", UsageRecord::Kind::ended);
    note((*usage)->lane(1), "", "x", UsageRecord::Kind::began, 0);
    EXPECT_TRUE((*usage)->write(kNow));
    EXPECT_TRUE((*usage)->write(kNow));
    EXPECT_EQ((*usage)->lines(), 3U);
  }
  const auto lines = lines_of(file.path());
  EXPECT_EQ(
      lines,
      (std::vector<std::string>{
          R"({"earlier":true})",
          R"({"time":"2026-09-21T14:14:20.000000Z","event":"began","user":"alice","channel":"b@trade","connection":"5f3c9a1e07d2b846","address":"192.0.2.7"})",
          R"({"time":"2026-09-21T14:14:20.000000Z","event":"ended","user":"a \"quoted\" name","channel":"x",)"
          R"("since":"2026-09-21T14:13:20.000000Z","connection":"5f3c9a1e07d2b846","address":"192.0.2.7"})",
          R"({"time":"2026-09-21T14:14:20.000000Z","event":"began","channel":"x","connection":"5f3c9a1e07d2b846","address":"unix"})"}));
  for (const std::string& line : lines) EXPECT_TRUE(is_valid_json(line));
}

TEST(UsageFile, ARotatedFileIsLeftAndANewOneBegun) {
  const TemporaryFile file{""};
  const std::string rotated = file.path() + ".1";
  const auto usage = UsageFile::open(file.path(), 1);
  ASSERT_TRUE(usage);
  note((*usage)->lane(0), "alice", "one", UsageRecord::Kind::began);
  EXPECT_TRUE((*usage)->write(kNow));
  ASSERT_EQ(::rename(file.path().c_str(), rotated.c_str()), 0);
  note((*usage)->lane(0), "alice", "two", UsageRecord::Kind::began);
  EXPECT_TRUE((*usage)->write(kNow));
  EXPECT_TRUE((*usage)->reopen());
  note((*usage)->lane(0), "alice", "three", UsageRecord::Kind::began);
  EXPECT_TRUE((*usage)->write(kNow));
  EXPECT_EQ(lines_of(rotated).size(), 2U);
  EXPECT_EQ(lines_of(file.path()).size(), 1U);
  struct stat found {};
  ASSERT_EQ(::stat(file.path().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777 & ~0640U, 0U);  // nobody but the owner and the group
  ::unlink(rotated.c_str());
}

TEST(UsageFile, WhatAFullDiskDoesNotTakeIsWrittenLater) {
  std::signal(SIGXFSZ, SIG_IGN);
  const TemporaryFile file{""};
  const auto usage = UsageFile::open(file.path(), 1);
  ASSERT_TRUE(usage);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{.rlim_cur = 1'000, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  for (int i = 0; i < 20; ++i) note((*usage)->lane(0), "alice", "channel", UsageRecord::Kind::began);
  EXPECT_FALSE((*usage)->write(kNow));
  EXPECT_EQ((*usage)->error(), EFBIG);
  note((*usage)->lane(0), "alice", "the last", UsageRecord::Kind::began);
  EXPECT_FALSE((*usage)->write(kNow));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE((*usage)->write(kNow));
  const auto lines = lines_of(file.path());
  ASSERT_EQ(lines.size(), 21U);
  for (const std::string& line : lines) EXPECT_TRUE(is_valid_json(line)) << line;
  EXPECT_NE(lines.back().find("the last"), std::string::npos);
}

TEST(UsageFile, ARotationThatAFullDiskHoldsUpIsMadeUpFor) {
  std::signal(SIGXFSZ, SIG_IGN);
  const TemporaryFile file{""};
  const std::string rotated = file.path() + ".1";
  const auto usage = UsageFile::open(file.path(), 1);
  ASSERT_TRUE(usage);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{.rlim_cur = 1'000, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  for (int i = 0; i < 20; ++i) note((*usage)->lane(0), "alice", "channel", UsageRecord::Kind::began);
  EXPECT_FALSE((*usage)->write(kNow));
  ASSERT_EQ(::rename(file.path().c_str(), rotated.c_str()), 0);
  EXPECT_FALSE((*usage)->reopen());
  note((*usage)->lane(0), "alice", "new", UsageRecord::Kind::began);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE((*usage)->write(kNow));
  EXPECT_EQ(lines_of(rotated).size(), 20U) << "what was begun there is finished there";
  ASSERT_EQ(lines_of(file.path()).size(), 1U);
  EXPECT_NE(lines_of(file.path())[0].find("new"), std::string::npos);
  ::unlink(rotated.c_str());
}

TEST(UsageFile, AFileThatCannotBeOpenedIsASentence) {
  const TemporaryFile file{""};
  const std::string link = file.path() + ".link";
  ASSERT_EQ(::symlink(file.path().c_str(), link.c_str()), 0);
  for (const std::string& path : {std::string{"/nonexistent/usage"}, std::string{"/"}, link}) {
    const auto usage = UsageFile::open(path, 1);
    ASSERT_FALSE(usage);
    EXPECT_TRUE(usage.error().starts_with("access.usage_log: " + path + ": cannot be written: ")) << usage.error();
  }
  ::unlink(link.c_str());
}

}  // namespace
}  // namespace ringcast
