// The bridge's thread with a store on a disk: shards that the test plays, a clock that it moves.
#include "engine/bridge/bridge.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include "tests/doubles/store_directory.hpp"
#include "tests/doubles/store_lane_end.hpp"

namespace ringcast {
namespace {

using Texts = std::vector<std::string>;
constexpr std::size_t kLaneBytes = 1U << 18;
constexpr milliseconds kWaitMost{20'000};  // for what a busy machine may take; nothing here is meant to take long

/// Two threads look at it: a clock that stands still until the test moves it.
class SteppedClock final : public Clock {
 public:
  [[nodiscard]] Now now() override {
    const nanoseconds passed{passed_.load(std::memory_order_acquire)};
    return {.mono = Instant{seconds{100}} + passed, .wall = WallTime{seconds{1'790'000'000}} + passed};
  }
  void advance(nanoseconds by) { passed_.fetch_add(by.count(), std::memory_order_acq_rel); }

 private:
  std::atomic<std::int64_t> passed_{0};
};

class BridgeTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = DoorbellBoard::make(2);
    ASSERT_TRUE(made) << made.error();
    doorbells = std::move(*made);
  }
  void start() {
    auto started = Bridge::start(options, lanes, *doorbells, clock);
    ASSERT_TRUE(started) << started.error();
    bridge = std::move(*started);
  }
  StoreLaneEnd end_of(std::uint16_t shard) { return StoreLaneEnd{lanes.of(ShardIndex{shard})}; }
  bool keep(std::uint16_t shard, std::string_view channel, std::uint64_t seq, std::uint32_t generation = 0,
            std::string_view data = {}) {
    return end_of(shard).keep(channel, seq, clock.now().wall, generation, data);
  }
  void ring() { bridge->bell().ring(); }
  /// The time for checks, repairs and expiry has come.
  void tick(milliseconds after = kStoreTick) {
    clock.advance(after);
    bridge->bell().ring_event();
  }
  static bool wait_until(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + kWaitMost;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::microseconds{200});
    }
    return true;
  }
  /// The next answer to a shard, once it has come.
  std::string answer(std::uint16_t shard) {
    std::optional<std::string> text;
    StoreLaneEnd end = end_of(shard);
    return wait_until([&] { return (text = end.answer()).has_value(); }) ? *text : "no answer";
  }
  Texts answers(std::uint16_t shard, std::size_t count) {
    Texts texts;
    for (std::size_t i = 0; i < count; ++i) texts.push_back(answer(shard));
    return texts;
  }
  /// One message, and what is answered.
  std::string kept(std::string_view channel, std::uint64_t seq, std::uint32_t generation = 0,
                   std::string_view data = {}) {
    EXPECT_TRUE(keep(0, channel, seq, generation, data));
    ring();
    return answer(0);
  }
  /// The shard's eventfd was written, now or within this time.
  bool is_rung(std::uint16_t shard, int milliseconds_most) {
    pollfd waits{.fd = doorbells->event_fd(ShardIndex{shard}), .events = POLLIN, .revents = 0};
    if (::poll(&waits, 1, milliseconds_most) <= 0) return false;
    std::uint64_t count = 0;
    return ::read(waits.fd, &count, sizeof count) == sizeof count;
  }
  bool reports(StoreState state) {
    return wait_until([&] { return bridge->report().state == state; });
  }
  /// What the bridge has to tell people, in words.
  Texts notes() {
    Texts texts;
    bridge->tell_notes([&](const BridgeNote& note) {
      texts.push_back(std::string{name_of(note.before)} + " to " + std::string{name_of(note.after)} + ": " +
                      note.text.data());
    });
    return texts;
  }
  /// What the file knows of a channel once the bridge has let go of it.
  std::optional<KeptChannel> channel_on_disk(std::string_view channel) {
    bridge.reset();
    auto store = SqliteStore::open(options, clock.now().wall);
    EXPECT_TRUE(store) << store.error();
    return store ? (*store)->find(channel).value() : std::nullopt;
  }
  [[nodiscard]] bool has_file_put_aside() const {
    return std::ranges::any_of(directory.files(), [](const std::string& name) { return name.contains(".corrupt-"); });
  }

  StoreDirectory directory;
  OfflineOptions options = directory.options();
  StoreLanes lanes{2, kLaneBytes};
  SteppedClock clock;
  std::unique_ptr<DoorbellBoard> doorbells;
  std::unique_ptr<Bridge> bridge;
};

// ---- asking and answering ----

TEST_F(BridgeTest, AnAnswerRingsTheShardThatSleepsAndNoOther) {
  start();
  doorbells->lie_down(ShardIndex{0});
  EXPECT_EQ(kept("a", 1), "stored 1");
  EXPECT_TRUE(is_rung(0, 20'000));
  EXPECT_EQ(kept("a", 2), "stored 2");  // it is awake now, and looks by itself
  bridge->stop();
  EXPECT_FALSE(is_rung(0, 0));
  EXPECT_FALSE(is_rung(1, 0));
}

TEST_F(BridgeTest, ABridgeThatSleepsIsWokenByEveryRequest) {
  start();
  int slept_through = 0;
  for (std::uint64_t seq = 1; seq <= 300; ++seq) {
    const auto asked = std::chrono::steady_clock::now();
    ASSERT_EQ(kept("a", seq), "stored " + std::to_string(seq));
    // The clock stands, so a bridge that was not woken sleeps for a whole tick; a busy machine may do so once.
    slept_through += std::chrono::steady_clock::now() - asked > milliseconds{900} ? 1 : 0;
  }
  EXPECT_LT(slept_through, 5);
  EXPECT_EQ(bridge->report().state, StoreState::good);
}

TEST_F(BridgeTest, WhatWasAskedForBeforeItIsStoppedIsStored) {
  start();
  for (std::uint64_t seq = 1; seq <= 200; ++seq) ASSERT_TRUE(keep(0, "a", seq));
  for (std::uint64_t seq = 1; seq <= 200; ++seq) ASSERT_TRUE(keep(1, "b", seq));
  bridge->stop();
  EXPECT_EQ(answers(0, 200).back(), "stored 200");
  EXPECT_EQ(answers(1, 200).back(), "stored 200");
  EXPECT_EQ(bridge->report().counters.messages, 400U);
  const auto channel = channel_on_disk("a");
  ASSERT_TRUE(channel.has_value());
  EXPECT_EQ(channel->next, Sequence{201});
}

TEST_F(BridgeTest, AShardWhoseLaneIsFullAsksAgainAndLosesNothing) {
  start();
  const std::string data = '"' + std::string(1'000, 'x') + '"';
  constexpr std::uint64_t kMessages = 2'000;  // eight times what the lane holds
  std::uint64_t answered = 0;
  std::uint64_t full = 0;
  StoreLaneEnd end = end_of(0);
  const auto read_answers = [&] {
    while (const auto text = end.answer()) ASSERT_EQ(*text, "stored " + std::to_string(++answered));
  };
  for (std::uint64_t seq = 1; seq <= kMessages;) {
    if (keep(0, "a", seq, 0, data)) {
      ++seq;
      continue;
    }
    ++full;
    ring();
    const std::uint64_t before = answered;
    ASSERT_TRUE(wait_until([&] {
      read_answers();
      return answered != before;
    }));
  }
  ring();
  ASSERT_TRUE(wait_until([&] {
    read_answers();
    return answered == kMessages;
  }));
  EXPECT_GT(full, 0U);
  EXPECT_EQ(channel_on_disk("a")->next, Sequence{kMessages + 1});
}

TEST_F(BridgeTest, AShardThatLeavesItsAnswersUnreadHoldsUpNobodyElse) {
  start();
  const std::string data = '"' + std::string(20'000, 'x') + '"';
  ASSERT_EQ(kept("a", 1, 0, data), "stored 1");
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(end_of(0).load("a"));  // 400 KB of answers for a ring of 256
  ring();
  ASSERT_TRUE(keep(1, "b", 1));
  ring();
  EXPECT_EQ(answer(1), "stored 1");
  for (const std::string& text : answers(0, 20)) EXPECT_TRUE(text.starts_with("loaded next 2 done 0 1:")) << text;
}

// ---- what can happen to the file ----

TEST_F(BridgeTest, AFileThatMayNotGrowIsAStateACounterANoteAndRefusals) {
  options.disk = 1U << 20;
  start();
  const std::string data = '"' + std::string(10'000, 'x') + '"';
  std::uint64_t seq = 1;
  std::string said = kept("a", seq, 0, data);
  while (said == "stored " + std::to_string(seq) && seq < 1'000) said = kept("a", ++seq, 0, data);
  EXPECT_EQ(said, "refused, of generation 0");
  EXPECT_GT(seq, 20U) << "it takes what fits";
  EXPECT_EQ(answer(0), "now full");
  EXPECT_EQ(answer(1), "now full") << "every shard is told";
  ASSERT_TRUE(reports(StoreState::full));
  EXPECT_EQ(bridge->report().counters.faults, 1U);
  EXPECT_EQ(bridge->report().counters.refused, 1U);
  EXPECT_EQ(bridge->report().counters.messages, seq - 1);
  Texts told = notes();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].starts_with("good to full: " + options.path + " cannot be written: ")) << told[0];

  ASSERT_TRUE(end_of(0).load("a", seq - 2));
  ring();
  EXPECT_TRUE(answer(0).starts_with("loaded next " + std::to_string(seq))) << "what is there can be read meanwhile";

  tick(kStoreFullTime);
  EXPECT_EQ(answer(0), "now good");
  ASSERT_TRUE(end_of(0).settle("a", seq - 1, 1));
  ring();
  EXPECT_EQ(answer(0), "done " + std::to_string(seq - 1));
  EXPECT_EQ(kept("a", seq, 1, data), "stored " + std::to_string(seq)) << "the number that was refused is used";
  EXPECT_EQ(bridge->report().counters.repairs, 1U);
  told = notes();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0], "full to good: it can be written again");
}

TEST_F(BridgeTest, AFileDeletedUnderneathIsRefusedForAndWrittenDownAgain) {
  start();
  ASSERT_EQ(kept("a", 1), "stored 1");
  for (const std::string& name : directory.files()) std::filesystem::remove(directory.directory() / name);
  EXPECT_EQ(kept("a", 2), "refused, of generation 0");
  EXPECT_EQ(answer(0), "now lost");
  ASSERT_TRUE(reports(StoreState::lost));
  ASSERT_TRUE(end_of(0).load("a"));
  ring();
  EXPECT_EQ(answer(0), "failed") << "nobody knows whose file it is";
  tick();
  EXPECT_EQ(answer(0), "now good");
  EXPECT_EQ(kept("a", 2, 1), "stored 2");
  const Texts told = notes();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0], "good to lost: " + options.path + " was moved or deleted");
  EXPECT_EQ(told[1], "lost to good: it was deleted, and is written down again from what was still open");
  EXPECT_EQ(channel_on_disk("a")->next, Sequence{3});
}

TEST_F(BridgeTest, AFileDeletedWhileNobodyAsksIsNoticedByTheClock) {
  start();
  ASSERT_EQ(kept("a", 1), "stored 1");
  std::filesystem::remove(options.path);
  tick();
  EXPECT_EQ(answers(0, 2), (Texts{"now lost", "now good"}));
  EXPECT_EQ(channel_on_disk("a")->next, Sequence{2});
}

TEST_F(BridgeTest, AFileThatMakesNoSenseAtTheStartIsPutAsideAndSaidSo) {
  directory.write("store.db", std::string(100'000, 'n'));
  start();
  const Texts told = notes();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].starts_with("damaged to good: ")) << told[0];
  EXPECT_NE(told[0].find("put aside as " + options.path + ".corrupt-"), std::string::npos) << told[0];
  EXPECT_EQ(kept("a", 1), "stored 1");
  EXPECT_TRUE(has_file_put_aside());
}

TEST_F(BridgeTest, DamageThatIsFoundWhileItIsInUseIsAStateAndThenANewFile) {
  start();
  const std::string data = '"' + std::string(500, 'x') + '"';
  for (std::uint64_t seq = 1; seq <= 200; ++seq) ASSERT_TRUE(keep(0, "a", seq, 0, data));
  ring();
  ASSERT_EQ(answers(0, 200).back(), "stored 200");
  bridge.reset();
  std::string bytes = directory.read("store.db");
  ASSERT_GT(bytes.size(), 60'000U);
  std::fill(bytes.begin() + 8'192, bytes.end() - 4'096, 'z');
  directory.write("store.db", bytes);

  start();
  std::uint32_t generation = 0;
  if (notes().empty()) {  // it was not found while it was opened
    ASSERT_TRUE(end_of(0).load("a"));
    ring();
    EXPECT_EQ(answers(0, 2), (Texts{"now damaged", "failed"}));
    ASSERT_TRUE(reports(StoreState::damaged));
    EXPECT_EQ(kept("a", 201), "refused, of generation 0");
    generation = 1;
    tick();
    EXPECT_EQ(answer(0), "now good");
  }
  EXPECT_EQ(kept("a", 201, generation), "stored 201") << "a channel in use goes on where it was";
  EXPECT_TRUE(has_file_put_aside());
}

TEST_F(BridgeTest, SaysInASentenceWhyThereIsNoStore) {
  start();
  OfflineOptions nowhere = options;
  nowhere.path = (directory.directory() / "missing" / "store.db").string();
  const struct {
    std::string_view sentence;
    const OfflineOptions& options;
    std::string_view says;
  } rows[] = {
      {"a directory that is not there", nowhere, "unable to open database file"},
      {"a file that a running bridge holds", options, "another process has it open"},
  };
  for (const auto& row : rows) {
    StoreLanes others{2, kLaneBytes};
    const auto started = Bridge::start(row.options, others, *doorbells, clock);
    ASSERT_FALSE(started) << row.sentence;
    EXPECT_TRUE(started.error().starts_with("offline store: " + row.options.path + " ")) << started.error();
    EXPECT_NE(started.error().find(row.says), std::string::npos) << started.error();
  }
  EXPECT_EQ(kept("a", 1), "stored 1") << "the running one goes on";
}

TEST_F(BridgeTest, OfNotesThatNobodyReadTheLastOnesAreTold) {
  start();
  ASSERT_EQ(kept("a", 1), "stored 1");
  constexpr std::uint64_t kTimes = 10;  // two notes each
  for (std::uint64_t time = 1; time <= kTimes; ++time) {
    for (const std::string& name : directory.files()) std::filesystem::remove(directory.directory() / name);
    tick();
    ASSERT_TRUE(wait_until([&] { return bridge->report().counters.repairs == time; }));
    EXPECT_EQ(answers(0, 2), (Texts{"now lost", "now good"}));
    EXPECT_EQ(answers(1, 2), (Texts{"now lost", "now good"}));
  }
  bridge->stop();  // it has said all that it will
  const Texts told = notes();
  ASSERT_EQ(told.size(), kBridgeNotes);
  EXPECT_TRUE(told.back().starts_with("lost to good: ")) << told.back();
  EXPECT_EQ(notes(), Texts{}) << "each is told once";
}

}  // namespace
}  // namespace ringcast
