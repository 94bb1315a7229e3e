#include "engine/node/event_tail.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "engine/stats/shard_stats.hpp"

namespace ringcast {
namespace {

class EventTailTest : public ::testing::Test {
 protected:
  ~EventTailTest() override { std::fclose(file_); }
  std::string lines() {
    std::fflush(file_);
    std::string text;
    std::array<char, 512> chunk{};
    std::fseek(file_, read_, SEEK_SET);
    while (const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), file_)) text.append(chunk.data(), got);
    read_ += static_cast<long>(text.size());
    return text;
  }
  std::FILE* file_ = std::tmpfile();
  long read_ = 0;
  Log log_{{.least = LogSeverity::info, .json = false, .file = file_}};
  std::unique_ptr<ShardBlock> block_ = std::make_unique<ShardBlock>();
  ShardStats stats_{*block_};
  Now now_{.mono = Instant{seconds{1}}, .wall = WallTime{nanoseconds{1'795'168'800'123'456'000}}};
};

TEST_F(EventTailTest, WritesEachEventOnceWithItsNumbersNamed) {
  stats_.event(EventCode::accept_paused, now_, 1, 1);  // before the tail: already told by somebody else
  EventTail tail{{{.events = &block_->events, .shard = 3}}};
  stats_.event(EventCode::slow_disconnected, now_, 4'097, 17, "a text");
  tail.follow(log_, now_.wall);
  EXPECT_EQ(
      lines(),
      "2026-11-20T10:00:00.123456Z warning slow_disconnected shard=3 messages=4097 connection=17 text=\"a text\"\n");
  tail.follow(log_, now_.wall);
  EXPECT_EQ(lines(), "");
}

TEST_F(EventTailTest, SaysHowManyEventsItCouldNotReadInTime) {
  EventTail tail{{{.events = &block_->events, .shard = -1}}};
  for (std::uint32_t i = 0; i < kEventRingEntries + 10; ++i) block_->events.write(rcs_event{});
  tail.follow(log_, now_.wall);
  EXPECT_NE(lines().find("events_overwritten events=10\n"), std::string::npos);
}

}  // namespace
}  // namespace ringcast
