// Joining and resuming: where a subscription begins, and what it is sent of the past (design.md, "Joining and
// resuming"). Each case runs where the reader's shard is the channel's home, and where it is not.
#include <gtest/gtest.h>

#include "codec/dialect/command.hpp"
#include "engine/stats/counters.hpp"
#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

using Texts = std::vector<std::string>;

std::string member_of(std::string_view text, std::string_view member) {
  const std::string name = "\"" + std::string{member} + "\":";
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return {};
  const std::size_t begin = at + name.size();
  return std::string{text.substr(begin, text.find_first_of(",}]", begin) - begin)};
}
std::uint64_t number_of(std::string_view text, std::string_view member) {
  return std::strtoull(member_of(text, member).c_str(), nullptr, 10);
}
bool is_message(std::string_view text) { return text.starts_with(R"({"type":"message")"); }

/// The seqs of the messages, in the order in which they came.
std::vector<std::uint64_t> seqs_of(const Texts& texts) {
  std::vector<std::uint64_t> seqs;
  for (const std::string& text : texts) {
    if (is_message(text)) seqs.push_back(number_of(text, "seq"));
  }
  return seqs;
}
std::vector<std::uint64_t> run(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> seqs;
  for (std::uint64_t seq = first; seq <= last; ++seq) seqs.push_back(seq);
  return seqs;
}

struct Place {
  std::string_view name;
  std::uint32_t shards;
  std::uint32_t home;  // of the channel; readers are on shard 0
};

class CatchUpTest : public testing::TestWithParam<Place> {
 protected:
  CatchUpTest() { rule.lag.messages = 8; }

  void start() {
    CoreOptions options;
    options.shards = GetParam().shards;
    options.limits.message_bytes = 8'000;
    options.limits.idle_time = hours{1};
    options.heartbeat.interval = milliseconds{0};  // nobody here answers pings
    options.namespaces.push_back(rule);
    node = std::make_unique<CoreHarness>(options, 65'536);
    channel = node->channel_on(GetParam().home);
    publisher = &node->native(GetParam().shards - 1);
    // Somebody reads the channel on every shard, so that its logs are there and move on.
    for (std::uint32_t shard = 0; shard < GetParam().shards; ++shard) {
      CoreClient& reader = node->native(shard);
      node->say(reader, subscribe());
      const Texts texts = CoreHarness::take_texts(reader);
      ASSERT_EQ(texts.size(), 1U);
      epoch = member_of(texts[0], "epoch");
      others.push_back(&reader);
    }
  }
  [[nodiscard]] std::string subscribe(std::string_view more = "") const {
    return R"({"type":"subscribe","id":1,"channels":[")" + channel + R"("])" + std::string{more} + "}";
  }
  [[nodiscard]] std::string resume(std::uint64_t seq, std::string_view of_epoch = "") const {
    return subscribe(R"(,"resume":{")" + channel + R"(":{"epoch":)" +
                     (of_epoch.empty() ? epoch : std::string{of_epoch}) + R"(,"seq":)" + std::to_string(seq) + "}}");
  }
  void publish(std::uint64_t count, std::size_t bytes = 1, std::string_view more = "") {
    const std::string command = R"({"type":"publish","channel":")" + channel + "\"" + std::string{more} +
                                R"(,"data":")" + std::string(bytes, 'x') + R"("})";
    for (std::uint64_t i = 0; i < count; ++i) node->say(*publisher, command);
    for (CoreClient* other : others) (void)CoreHarness::take_texts(*other);
  }

  NamespaceRule rule;
  std::unique_ptr<CoreHarness> node;
  std::string channel, epoch;
  CoreClient* publisher = nullptr;
  std::vector<CoreClient*> others;
};

TEST_P(CatchUpTest, WhoResumesGetsAllThatItMissedAndThenWhatIsNew) {
  start();
  publish(300);
  CoreClient& reader = node->native(0);
  node->say(reader, resume(17));
  const Texts texts = CoreHarness::take_texts(reader);
  ASSERT_FALSE(texts.empty());
  EXPECT_EQ(member_of(texts[0], "recovered"), "true");
  EXPECT_EQ(number_of(texts[0], "seq"), 300U);
  EXPECT_EQ(seqs_of(texts), run(18, 300));
  EXPECT_EQ(texts.size(), 1U + 283U);
  publish(5);
  EXPECT_EQ(seqs_of(CoreHarness::take_texts(reader)), run(301, 305));
  EXPECT_EQ(node->count(CounterId::catch_ups), 0U);  // a plain cursor again
  EXPECT_EQ(node->count(CounterId::resumes_recovered), 1U);
}

TEST_P(CatchUpTest, HistoryThatIsLargerThanManyChunksIsStreamedWithABound) {
  rule.history.bytes = 8_MiB;
  rule.history.messages = 10'000;
  start();
  publish(200, 6'000);
  CoreClient& reader = node->native(0);
  reader.room = 50'000;
  node->say(reader, resume(0));
  std::vector<std::uint64_t> seqs;
  std::size_t log_bytes_most = 0;
  const std::size_t log_bytes_before = node->budget(0).used(Purpose::log_blocks);
  for (int i = 0; i < 1'000 && seqs.size() < 200; ++i) {
    const auto now_here = seqs_of(CoreHarness::take_texts(reader));
    seqs.insert(seqs.end(), now_here.begin(), now_here.end());
    log_bytes_most = std::max(log_bytes_most, node->budget(0).used(Purpose::log_blocks));
    node->make_room(reader, 50'000);
    node->run();
  }
  EXPECT_EQ(seqs, run(1, 200));
  EXPECT_LE(log_bytes_most, log_bytes_before + 4 * 128_KiB);
  EXPECT_EQ(node->ledger().queued, 0U);
}

TEST_P(CatchUpTest, TheHandOverToLiveMessagesHasNoSeam) {
  start();
  publish(200, 400);
  CoreClient& reader = node->native(0);
  reader.room = 3'000;  // it is sent little at a time, and the channel goes on
  node->say(reader, resume(3));
  std::vector<std::uint64_t> seqs;
  std::uint64_t published = 200;
  for (int i = 0; i < 2'000 && seqs.size() < 497; ++i) {
    if (published < 500) {
      publish(1, 400);
      ++published;
    }
    const auto some = seqs_of(CoreHarness::take_texts(reader));
    seqs.insert(seqs.end(), some.begin(), some.end());
    node->make_room(reader, 2'000);
    node->run();
  }
  EXPECT_EQ(seqs, run(4, 500));
  EXPECT_FALSE(reader.closed);
}

TEST_P(CatchUpTest, TwoWhoResumeAtOnceDuringAFloodBothGetEverything) {
  rule.history.messages = 5'000;
  rule.history.bytes = 16_MiB;
  start();
  publish(400, 50);
  CoreClient& first = node->native(0);
  CoreClient& second = node->native(GetParam().shards - 1);
  node->text(first, resume(0));
  node->text(second, resume(100));
  for (int i = 0; i < 50; ++i) publish(4, 50);
  EXPECT_EQ(seqs_of(CoreHarness::take_texts(first)), run(1, 600));
  EXPECT_EQ(seqs_of(CoreHarness::take_texts(second)), run(101, 600));
}

struct ResumeRow {
  std::string_view sentence;
  std::uint64_t seq;
  std::string_view epoch;  // empty: the channel's
  bool recovered;
};

TEST_P(CatchUpTest, AResumeThatCannotBeSaysSoAndGoesOnFromNow) {
  rule.history.messages = 10;
  start();
  publish(200);
  const ResumeRow rows[] = {
      {"from before what history keeps", 5, "", false},
      {"from the future", 999, "", false},
      {"from another epoch", 199, R"("00000000000000aa")", false},
      {"from the newest", 200, "", true},
      {"from the one before", 199, "", true},
  };
  for (const ResumeRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    CoreClient& reader = node->native(0);
    node->say(reader, resume(row.seq, row.epoch));
    const Texts texts = CoreHarness::take_texts(reader);
    ASSERT_FALSE(texts.empty());
    EXPECT_EQ(member_of(texts[0], "recovered"), row.recovered ? "true" : "false");
    EXPECT_EQ(seqs_of(texts), row.recovered ? run(row.seq + 1, 200) : std::vector<std::uint64_t>{});
    node->end(reader);
  }
}

TEST_P(CatchUpTest, AResumeOfAChannelThatTheConnectionHasSaysWhetherItWasSentAllSinceAndSendsNothingTwice) {
  start();
  publish(10);
  CoreClient& reader = node->native(0);
  node->say(reader, subscribe());
  publish(5);
  EXPECT_EQ(seqs_of(CoreHarness::take_texts(reader)), run(11, 15));
  const ResumeRow rows[] = {
      {"from the newest", 15, "", true},
      {"from the middle of what it was sent", 13, "", true},
      {"from the one before it subscribed", 10, "", true},
      {"from before that", 9, "", false},
      {"from the beginning", 0, "", false},
      {"from the future", 16, "", false},
      {"from the largest seq there is", ~std::uint64_t{0}, "", false},
      {"from another epoch", 13, R"("00000000000000aa")", false},
  };
  for (const ResumeRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    node->say(reader, resume(row.seq, row.epoch));
    const Texts texts = CoreHarness::take_texts(reader);
    ASSERT_EQ(texts.size(), 1U);
    EXPECT_EQ(member_of(texts[0], "recovered"), row.recovered ? "true" : "false");
    EXPECT_EQ(number_of(texts[0], "seq"), 15U);
  }
  EXPECT_EQ(node->count(CounterId::resumes_recovered), 3U);
  EXPECT_EQ(node->count(CounterId::resumes_refused), 5U);
  publish(1);
  EXPECT_EQ(seqs_of(CoreHarness::take_texts(reader)), run(16, 16));
}

TEST_P(CatchUpTest, AGapThatTheConnectionWasToldOfIsNotRecoveredByAskingAgain) {
  rule.slow = SlowPolicy::conflate;
  start();
  CoreClient& reader = node->native(0);
  node->say(reader, subscribe());
  publish(2);
  EXPECT_EQ(seqs_of(CoreHarness::take_texts(reader)), run(1, 2));
  reader.room = 0;
  publish(30);  // far more than the lag bound
  node->make_room(reader);
  node->run();
  const Texts texts = CoreHarness::take_texts(reader);
  ASSERT_FALSE(texts.empty());
  ASSERT_TRUE(texts[0].starts_with(R"({"type":"gap")")) << texts[0];
  const std::uint64_t lost = number_of(texts[0], "to");
  EXPECT_EQ(seqs_of(texts), run(lost + 1, 32));
  for (const auto& [seq, recovered] : {std::pair{std::uint64_t{2}, "false"}, {lost - 1, "false"}, {lost, "true"}}) {
    node->say(reader, resume(seq));
    EXPECT_EQ(member_of(CoreHarness::take_texts(reader).at(0), "recovered"), recovered) << seq;
  }
}

TEST_P(CatchUpTest, WhoJoinedWithASnapshotWasSentAllFromItsAsOfOn) {
  rule.state = StateKeeping::snapshot_delta;
  start();
  publish(20);
  publish(1, 1, R"(,"state":"snapshot","as_of_seq":15)");
  publish(3);
  CoreClient& reader = node->native(0);
  node->say(reader, subscribe());
  EXPECT_EQ(seqs_of(CoreHarness::take_texts(reader)).size(), 1U + 10U);  // the snapshot, and 15 to 24
  node->say(reader, resume(14));
  EXPECT_EQ(member_of(CoreHarness::take_texts(reader).at(0), "recovered"), "true");
  node->say(reader, resume(13));
  EXPECT_EQ(member_of(CoreHarness::take_texts(reader).at(0), "recovered"), "false") << "the snapshot is not number 14";
}

TEST_P(CatchUpTest, WhatHistoryLosesMeanwhileIsToldAsExpired) {
  rule.history.messages = 50;
  rule.lag.time = milliseconds{60'000};
  start();
  publish(120, 3'000);
  CoreClient& reader = node->native(0);
  reader.room = 400;  // its answer, and hardly a message
  const std::uint64_t from = 80;
  node->say(reader, resume(from));
  publish(400, 3'000);  // history moves on by far more than it keeps
  reader.room = CoreClient::kUnlimited;
  node->make_room(reader);
  node->run();
  const Texts texts = CoreHarness::take_texts(reader);
  std::uint64_t next_seq = from + 1;
  std::uint64_t told = 0;
  for (const std::string& text : texts) {
    if (text.starts_with(R"({"type":"gap")")) {
      EXPECT_EQ(number_of(text, "from"), next_seq);
      EXPECT_EQ(member_of(text, "reason"), R"("expired")");
      told += number_of(text, "to") - number_of(text, "from") + 1;
      next_seq = number_of(text, "to") + 1;
    } else if (is_message(text)) {
      EXPECT_EQ(number_of(text, "seq"), next_seq++);
    }
  }
  EXPECT_EQ(next_seq, 521U);
  EXPECT_GT(told, 100U);
  EXPECT_EQ(node->ledger().dropped, told);
}

TEST_P(CatchUpTest, AReaderThatTakesNothingOfItsHistoryIsTooSlow) {
  rule.lag.time = milliseconds{500};
  start();
  publish(200, 3'000);
  CoreClient& reader = node->native(0);
  reader.room = 1'000;
  node->say(reader, resume(100));
  EXPECT_FALSE(reader.closed);
  node->advance(seconds{1});
  reader.room = CoreClient::kUnlimited;
  node->make_room(reader);
  node->run();
  EXPECT_EQ(CoreHarness::take_close(reader), value(CloseCode::slow_consumer));
  EXPECT_EQ(node->count(CounterId::catch_ups), 0U);
}

TEST_P(CatchUpTest, WhoLeavesInTheMiddleLeavesNothingBehind) {
  start();
  publish(300, 1'000);
  CoreClient& reader = node->native(0);
  reader.room = 2'000;
  node->text(reader, resume(0));
  node->turn(0);
  node->end(reader, ECONNRESET);
  node->run();
  EXPECT_EQ(node->count(CounterId::catch_ups), 0U);
  EXPECT_EQ(node->ledger().queued, 0U);
}

TEST_P(CatchUpTest, AChannelThatKeepsItsLastMessageGivesItToWhoJoins) {
  rule.state = StateKeeping::last;
  start();
  publish(40);
  node->advance(minutes{20});  // whatever the age of history
  CoreClient& reader = node->native(0);
  node->say(reader, subscribe());
  const Texts texts = CoreHarness::take_texts(reader);
  ASSERT_FALSE(texts.empty());
  EXPECT_EQ(number_of(texts[0], "seq"), 40U);
  EXPECT_EQ(seqs_of(texts), run(40, 40));
  CoreClient& another = node->native(0);
  node->say(another, subscribe(R"(,"options":{"snapshot":false})"));
  EXPECT_EQ(seqs_of(CoreHarness::take_texts(another)), std::vector<std::uint64_t>{});
  publish(1);
  EXPECT_EQ(seqs_of(CoreHarness::take_texts(reader)), run(41, 41));
  EXPECT_EQ(seqs_of(CoreHarness::take_texts(another)), run(41, 41));
}

TEST_P(CatchUpTest, WhatIsOlderThanStateIsKeptIsNotGivenAndLiveMessagesFollow) {
  rule.state = StateKeeping::last;
  rule.state_age = minutes{2};
  rule.history.age = minutes{1};
  start();
  publish(40);
  node->advance(minutes{20});
  CoreClient& reader = node->native(0);
  node->say(reader, subscribe());
  const Texts texts = CoreHarness::take_texts(reader);
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_EQ(number_of(texts[0], "seq"), 40U);
  publish(1);
  EXPECT_EQ(seqs_of(CoreHarness::take_texts(reader)), run(41, 41));
}

TEST_P(CatchUpTest, AChannelsFirstMessageThatComesWhileItsHomeIsAskedForItsLastIsGiven) {
  rule.state = StateKeeping::last;
  start();
  CoreClient& reader = node->native(0);
  node->text(reader, subscribe());
  node->turn(0);
  node->turn(GetParam().home);  // where nothing has been published yet
  node->text(*publisher, R"({"type":"publish","channel":")" + channel + R"(","data":1})");
  node->turn(GetParam().home);
  node->run();
  const Texts texts = CoreHarness::take_texts(reader);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(number_of(texts[0], "seq"), GetParam().home == 0 ? 0U : 1U) << "the newest when it begins";
  EXPECT_EQ(seqs_of(texts), run(1, 1));
}

TEST_P(CatchUpTest, AJoinerGetsTheNewestSnapshotAndEveryMessageFromItsAsOfOn) {
  rule.state = StateKeeping::snapshot_delta;
  start();
  CoreClient& early = node->native(0);
  node->say(early, subscribe());
  EXPECT_EQ(member_of(CoreHarness::take_texts(early).at(0), "state"), R"("none")");
  publish(20);
  publish(1, 1, R"(,"state":"snapshot","as_of_seq":15)");  // it is number 21
  publish(30);
  CoreClient& reader = node->native(0);
  node->say(reader, subscribe());
  const Texts texts = CoreHarness::take_texts(reader);
  ASSERT_GE(texts.size(), 2U);
  EXPECT_EQ(member_of(texts[0], "state"), R"("snapshot")");
  EXPECT_EQ(number_of(texts[0], "as_of_seq"), 15U);
  EXPECT_NE(texts[1].find(R"("state":"snapshot","as_of_seq":15)"), std::string::npos);
  auto expected = run(15, 51);
  expected.insert(expected.begin(), 21);  // the snapshot first, then everything from its as_of on
  EXPECT_EQ(seqs_of(texts), expected);
  // Without as_of a snapshot is the state after all before it: it comes once, in its place.
  publish(1, 1, R"(,"state":"snapshot")");
  publish(3);
  CoreClient& late = node->native(0);
  node->say(late, subscribe());
  EXPECT_EQ(seqs_of(CoreHarness::take_texts(late)), run(52, 55));
  EXPECT_EQ(seqs_of(CoreHarness::take_texts(early)).size(), 55U);
}

TEST_P(CatchUpTest, ASnapshotThatHistoryNoLongerReachesBackToIsNone) {
  rule.state = StateKeeping::snapshot_delta;
  rule.history.messages = 10;
  start();
  publish(20);
  publish(1, 1, R"(,"state":"snapshot")");
  publish(200);
  CoreClient& reader = node->native(0);
  node->say(reader, subscribe());
  const Texts texts = CoreHarness::take_texts(reader);
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_EQ(member_of(texts[0], "state"), R"("none")");
}

TEST_P(CatchUpTest, ASnapshotOfTheFutureIsRefused) {
  rule.state = StateKeeping::snapshot_delta;
  start();
  publish(3);
  node->say(*publisher,
            R"({"type":"publish","id":9,"channel":")" + channel + R"(","state":"snapshot","as_of_seq":6,"data":1})");
  const Texts texts = CoreHarness::take_texts(*publisher);
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_NE(texts[0].find(R"("code":"invalid_message","message":"as_of_seq lies beyond)"), std::string::npos);
  EXPECT_EQ(node->count(error_counter(static_cast<std::uint8_t>(ErrorCode::invalid_message))), 1U);
}

TEST_P(CatchUpTest, AHistoryQueryIsAnsweredInPages) {
  start();
  publish(250);
  CoreClient& reader = node->native(0);
  node->say(reader, R"({"type":"history","id":7,"channel":")" + channel + R"(","after":{"epoch":)" + epoch +
                        R"(,"seq":100},"limit":120})");
  node->text(reader, R"({"type":"ping","id":8})");
  node->run();
  Texts texts = CoreHarness::take_texts(reader);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_TRUE(texts[0].starts_with(R"({"type":"history","id":7,"channel":")" + channel + R"(","epoch":)" + epoch +
                                   R"(,"seq":250,"recovered":true,"messages":[{"type":"message")"));
  EXPECT_TRUE(texts[0].ends_with(R"(],"more":true})"));
  EXPECT_NE(texts[0].find(R"("seq":220,)"), std::string::npos);
  EXPECT_EQ(texts[0].find(R"("seq":221,)"), std::string::npos);
  EXPECT_TRUE(texts[1].starts_with(R"({"type":"pong")"));  // answers keep the order of their commands

  node->say(reader, R"({"type":"history","channel":")" + channel + R"(","limit":2})");
  texts = CoreHarness::take_texts(reader);
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_NE(texts[0].find(R"("seq":249,)"), std::string::npos);
  EXPECT_TRUE(texts[0].ends_with(R"(],"more":false})"));
  EXPECT_EQ(node->count(CounterId::history_queries), 2U);
}

INSTANTIATE_TEST_SUITE_P(Places, CatchUpTest,
                         testing::Values(Place{"OnOneShard", 1, 0}, Place{"AtHome", 2, 0}, Place{"OverTheMesh", 2, 1}),
                         [](const auto& place) { return std::string{place.param.name}; });

}  // namespace
}  // namespace ringcast
