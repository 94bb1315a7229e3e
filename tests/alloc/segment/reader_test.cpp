#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "alloc/segment/ringcast_stats.h"
#include "tests/alloc/segment/example_segment.hpp"

namespace ringcast {
namespace {

struct ReaderCloser {
  void operator()(rcs_reader* reader) const { rcs_close(reader); }
};
using Reader = std::unique_ptr<rcs_reader, ReaderCloser>;

Reader open_reader(const std::string& path) {
  rcs_reader* reader = nullptr;
  char sentence[RCS_SENTENCE_BYTES];
  const rcs_status status = rcs_open_path(path.c_str(), &reader, sentence);
  EXPECT_EQ(status, RCS_OK) << sentence;
  return Reader{reader};
}

rcs_event event_of(std::uint64_t mono, std::uint32_t code, std::uint64_t a, const char* text = "") {
  rcs_event event{};
  event.mono = mono;
  event.wall = mono + 1'000;
  event.code = code;
  event.a = a;
  copy_text(event.text, text);
  return event;
}

TEST(Reader, SeesTheNodeAsItDescribedItself) {
  const ScratchDirectory directory;
  const SegmentFile file = create_example(directory, "n", 3);
  const Reader reader = open_reader(file.path());
  rcs_node node{};
  ASSERT_EQ(rcs_node_read(reader.get(), &node), RCS_OK);
  EXPECT_STREQ(node.name, "n");
  EXPECT_STREQ(node.server, "ringcast/test");
  EXPECT_EQ(node.pid, static_cast<std::uint64_t>(::getpid()));
  EXPECT_EQ(node.shard_count, 3U);
  EXPECT_EQ(node.run_state, static_cast<unsigned>(RCS_RUN_STARTING));
  EXPECT_EQ(node.layout_version, RCS_LAYOUT_VERSION);
}

TEST(Reader, AddsCountersAndGaugesAndTakesTheGreatestPeak) {
  const ScratchDirectory directory;
  const SegmentFile file = create_example(directory, "n");
  for (std::uint32_t shard = 0; shard < 2; ++shard) {
    for (std::size_t i = 0; i < 3; ++i) block_of(file, shard).counters[i] = 10 * (shard + 1) + i;
  }
  node_block_of(file).counters[0] = 1;
  const Reader reader = open_reader(file.path());
  ASSERT_EQ(rcs_counter_count(reader.get()), 3U);
  EXPECT_EQ(rcs_counter_value(reader.get(), 0, 0), 10U);
  EXPECT_EQ(rcs_counter_value(reader.get(), 0, 1), 20U);
  EXPECT_EQ(rcs_counter_value(reader.get(), 0, RCS_SHARD_NODE), 1U);
  EXPECT_EQ(rcs_counter_value(reader.get(), 0, RCS_SHARD_ALL), 31U) << "a counter: the sum";
  EXPECT_EQ(rcs_counter_value(reader.get(), 1, RCS_SHARD_ALL), 32U) << "a gauge: the sum";
  EXPECT_EQ(rcs_counter_value(reader.get(), 2, RCS_SHARD_ALL), 22U) << "a peak: the greatest";
  EXPECT_EQ(rcs_counter_value(reader.get(), 0, 2), 0U) << "there is no shard 2";
  EXPECT_EQ(rcs_counter_value(reader.get(), 3, 0), 0U) << "there is no counter 3";
  EXPECT_EQ(rcs_counter(reader.get(), 3), nullptr);
  EXPECT_STREQ(rcs_counter(reader.get(), 1)->label, "open");
  EXPECT_STREQ(rcs_counter(reader.get(), 1)->label_set, "kind=a");
  EXPECT_EQ(rcs_counter_find(reader.get(), "open", "kind=a"), 1U);
  EXPECT_EQ(rcs_counter_find(reader.get(), "open", ""), 3U) << "not without its label set";
}

TEST(Reader, MergesTheHistogramsOfTheShards) {
  const ScratchDirectory directory;
  const SegmentFile file = create_example(directory, "n");
  for (std::uint64_t i = 1; i <= 100; ++i) block_of(file, i % 2 == 0 ? 0 : 1).latency.record(i * 1'000);
  const Reader reader = open_reader(file.path());
  ASSERT_EQ(rcs_histogram_count(reader.get()), 1U);
  std::vector<std::uint64_t> buckets(rcs_histogram_describe(reader.get(), 0)->bucket_count);
  rcs_distribution all{};
  ASSERT_EQ(rcs_histogram_read(reader.get(), 0, RCS_SHARD_ALL, buckets.data(), &all), RCS_OK);
  EXPECT_EQ(all.count, 100U);
  EXPECT_EQ(all.sum, 5'050'000U);
  EXPECT_EQ(all.max, 100'000U);
  EXPECT_NEAR(static_cast<double>(all.min), 1'000, 10);
  EXPECT_NEAR(static_cast<double>(rcs_percentile(&all, 0.5)), 50'000, 500);
  EXPECT_NEAR(static_cast<double>(rcs_percentile(&all, 0.99)), 99'000, 990);
  EXPECT_EQ(rcs_percentile(&all, 1), 100'000U);
  EXPECT_NEAR(static_cast<double>(rcs_count_at_most(&all, 25'000)), 25, 1);
  rcs_distribution one{};
  ASSERT_EQ(rcs_histogram_read(reader.get(), 0, 0, buckets.data(), &one), RCS_OK);
  EXPECT_EQ(one.count, 50U);
  EXPECT_EQ(rcs_histogram_read(reader.get(), 0, 2, buckets.data(), &one), RCS_ABSENT);
  EXPECT_EQ(rcs_histogram_read(reader.get(), 1, RCS_SHARD_ALL, buckets.data(), &one), RCS_ABSENT);
}

TEST(Reader, ItsPercentilesAreThoseOfTheWritersHistogram) {
  const ScratchDirectory directory;
  const SegmentFile file = create_example(directory, "n", 1);
  Histogram& histogram = block_of(file, 0).latency;
  for (std::uint64_t i = 0; i < 10'000; ++i) histogram.record(i * i * i);
  const Reader reader = open_reader(file.path());
  std::vector<std::uint64_t> buckets(rcs_histogram_describe(reader.get(), 0)->bucket_count);
  rcs_distribution seen{};
  ASSERT_EQ(rcs_histogram_read(reader.get(), 0, 0, buckets.data(), &seen), RCS_OK);
  for (const double share : {0.0, 0.0001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    EXPECT_EQ(rcs_percentile(&seen, share), histogram.percentile(share)) << "share " << share;
  }
}

TEST(Reader, TheNodesLedgerIsTheSumOfTheShardsLedgers) {
  const ScratchDirectory directory;
  const SegmentFile file = create_example(directory, "n");
  block_of(file, 0).ledger.write({100, 90, 4, 3, 2, 1});
  block_of(file, 1).ledger.write({10, 5, 0, 0, 0, 5});
  const Reader reader = open_reader(file.path());
  rcs_ledger ledger{};
  ASSERT_EQ(rcs_ledger_read(reader.get(), RCS_SHARD_ALL, &ledger), RCS_OK);
  EXPECT_EQ(ledger.offered, 110U);
  EXPECT_EQ(ledger.sent, 95U);
  EXPECT_EQ(ledger.queued, 6U);
  EXPECT_EQ(rcs_ledger_closed(&ledger), 1);
  block_of(file, 1).ledger.write({11, 5, 0, 0, 0, 5});
  ASSERT_EQ(rcs_ledger_read(reader.get(), RCS_SHARD_ALL, &ledger), RCS_OK);
  EXPECT_EQ(rcs_ledger_closed(&ledger), 0) << "one message is not accounted for";
}

TEST(Reader, SeesSealedRecordsWhole) {
  const ScratchDirectory directory;
  const SegmentFile file = create_example(directory, "n");
  auto health = std::make_unique<rcs_health>();
  health->checks = 3;
  health->state = RCS_UNHEALTHY;
  health->reason_count = 1;
  copy_text(health->reasons[0], "memory at 87%");
  node_block_of(file).health.write(*health);
  rcs_memory memory{};
  memory.budget_bytes = 1'000;
  memory.purpose_count = 1;
  copy_text(memory.purposes[0].label, "history");
  memory.purposes[0].bytes = 77;
  node_block_of(file).memory.write(memory);
  auto channels = std::make_unique<rcs_channel_table>();
  channels->count = 1;
  copy_text(channels->rows[0].channel, "btcusdt@trade");
  block_of(file, 1).channels.write(*channels);

  const Reader reader = open_reader(file.path());
  auto health_seen = std::make_unique<rcs_health>();
  ASSERT_EQ(rcs_health_read(reader.get(), health_seen.get()), RCS_OK);
  EXPECT_EQ(health_seen->state, static_cast<unsigned>(RCS_UNHEALTHY));
  EXPECT_STREQ(health_seen->reasons[0], "memory at 87%");
  rcs_memory memory_seen{};
  ASSERT_EQ(rcs_memory_read(reader.get(), &memory_seen), RCS_OK);
  EXPECT_EQ(memory_seen.purposes[0].bytes, 77U);
  auto channels_seen = std::make_unique<rcs_channel_table>();
  ASSERT_EQ(rcs_channels_read(reader.get(), 1, channels_seen.get()), RCS_OK);
  EXPECT_STREQ(channels_seen->rows[0].channel, "btcusdt@trade");
  ASSERT_EQ(rcs_channels_read(reader.get(), 0, channels_seen.get()), RCS_OK);
  EXPECT_EQ(channels_seen->count, 0U) << "never written: empty";
  EXPECT_EQ(rcs_channels_read(reader.get(), 2, channels_seen.get()), RCS_ABSENT);
}

TEST(Reader, ARecordThatItsWriterLeftHalfWrittenIsCalledTorn) {
  const ScratchDirectory directory;
  const SegmentFile file = create_example(directory, "n");
  block_of(file, 0).ledger.write({5, 5, 0, 0, 0, 0});
  auto* version = reinterpret_cast<std::atomic<std::uint64_t>*>(&block_of(file, 0).ledger);
  version->fetch_add(1);  // as if the writer had died in between
  const Reader reader = open_reader(file.path());
  rcs_ledger ledger{};
  EXPECT_EQ(rcs_ledger_read(reader.get(), 0, &ledger), RCS_TORN);
  EXPECT_EQ(ledger.offered, 5U) << "what is there is shown all the same";
}

TEST(Reader, MergesTheEventsOfAllShardsByTime) {
  const ScratchDirectory directory;
  const SegmentFile file = create_example(directory, "n");
  block_of(file, 0).events.write(event_of(10, 0, 0, "first"));
  block_of(file, 1).events.write(event_of(20, 1, 13, "second"));
  node_block_of(file).events.write(event_of(30, 9, 0, "third"));
  block_of(file, 0).events.write(event_of(40, 0, 0, "fourth"));
  const Reader reader = open_reader(file.path());
  std::vector<rcs_event_view> events(10);
  ASSERT_EQ(rcs_events_read(reader.get(), events.data(), events.size()), 4U);
  EXPECT_STREQ(events[0].event.text, "first");
  EXPECT_STREQ(events[0].label, "began");
  EXPECT_STREQ(events[1].event.text, "second");
  EXPECT_EQ(events[1].severity, static_cast<unsigned>(RCS_SEVERITY_ERROR));
  EXPECT_STREQ(events[1].a_label, "errno");
  EXPECT_EQ(events[1].event.a, 13U);
  EXPECT_EQ(events[1].shard, 1U);
  EXPECT_STREQ(events[2].label, "unknown") << "a code without a row";
  EXPECT_EQ(events[2].shard, RCS_SHARD_NODE);
  EXPECT_STREQ(events[3].event.text, "fourth");
  ASSERT_EQ(rcs_events_read(reader.get(), events.data(), 2), 2U);
  EXPECT_STREQ(events[0].event.text, "third") << "a small buffer gets the newest ones";
  EXPECT_STREQ(events[1].event.text, "fourth");
  EXPECT_EQ(rcs_events_read(reader.get(), events.data(), 0), 0U);
}

TEST(Reader, OfARingThatHasWrappedTheNewestEventsAreThere) {
  const ScratchDirectory directory;
  const SegmentFile file = create_example(directory, "n", 1);
  const std::uint64_t written = kEventRingEntries + 10;
  for (std::uint64_t i = 0; i < written; ++i) block_of(file, 0).events.write(event_of(i, 0, i));
  const Reader reader = open_reader(file.path());
  std::vector<rcs_event_view> events(2 * kEventRingEntries);
  ASSERT_EQ(rcs_events_read(reader.get(), events.data(), events.size()), kEventRingEntries);
  EXPECT_EQ(events.front().event.a, 10U);
  EXPECT_EQ(events[kEventRingEntries - 1].event.a, written - 1);
}

TEST(EventRing, CountsRepeatsOfAnEventUntilItIsOverwritten) {
  auto ring = std::make_unique<EventRing>();
  const std::uint64_t number = ring->write(event_of(1, 3, 0));
  ring->repeat(number);
  ring->repeat(number);
  rcs_event seen{};
  ASSERT_TRUE(ring->read(number, seen));
  EXPECT_EQ(seen.repeats, 2U);
  EXPECT_EQ(seen.code, 3U) << "its neighbour in the word is left alone";
  for (std::uint32_t i = 0; i < kEventRingEntries; ++i) ring->write(event_of(2, 4, 0));
  ring->repeat(number);
  EXPECT_FALSE(ring->read(number, seen));
  ASSERT_TRUE(ring->read(number + kEventRingEntries, seen));
  EXPECT_EQ(seen.repeats, 0U) << "the slot's next event is not touched";
}

TEST(CopyText, CutsBetweenCharacters) {
  char field[6];
  copy_text(field, "abcdefgh");
  EXPECT_STREQ(field, "abcde");
  copy_text(field, "abcd\u00e9");
  EXPECT_STREQ(field, "abcd") << "a character of two bytes that does not fit is left out";
  copy_text(field, "abc\u00e9");
  EXPECT_STREQ(field, "abc\u00e9");
  copy_text(field, "");
  EXPECT_STREQ(field, "");
  copy_text(field, std::string_view{});
  EXPECT_STREQ(field, "") << "a text without an address";
}

TEST(Reader, ListsTheSegmentsOfTheHost) {
  const std::string name = "test-list-" + std::to_string(::getpid());
  const ExampleSpec example;
  const auto file = SegmentFile::create(name, example.spec(), clock_now());
  ASSERT_TRUE(file.has_value()) << file.error().sentence;
  std::vector<std::string> names;
  rcs_list([](const char* found, void* context) { static_cast<std::vector<std::string>*>(context)->push_back(found); },
           &names);
  EXPECT_NE(std::find(names.begin(), names.end(), name), names.end());
  rcs_reader* reader = nullptr;
  EXPECT_EQ(rcs_open(name.c_str(), &reader, nullptr), RCS_OK);
  rcs_close(reader);
}

TEST(Reader, SaysWhyItCannotOpen) {
  const ScratchDirectory directory;
  rcs_reader* reader = nullptr;
  char sentence[RCS_SENTENCE_BYTES];
  EXPECT_EQ(rcs_open("no-such-node-here", &reader, sentence), RCS_ABSENT);
  EXPECT_NE(std::string{sentence}.find("no-such-node-here"), std::string::npos) << sentence;
  EXPECT_EQ(rcs_open("../etc/passwd", &reader, sentence), RCS_BAD_NAME);
  EXPECT_EQ(rcs_open("", &reader, sentence), RCS_BAD_NAME);
  EXPECT_EQ(rcs_open_path(directory.path().c_str(), &reader, sentence), RCS_FOREIGN) << "a directory";
  EXPECT_EQ(reader, nullptr);
  if (::geteuid() != 0) {
    const SegmentFile file = create_example(directory, "secret");
    ASSERT_EQ(::chmod(file.path().c_str(), 0), 0);
    EXPECT_EQ(rcs_open_path(file.path().c_str(), &reader, sentence), RCS_DENIED) << sentence;
  }
}

// One writer as fast as it can, one reader as fast as it can: what is sealed is never mixed. The two see the memory at
// different addresses, so the thread sanitizer cannot judge this test; for it there is the one that follows.
TEST(Reader, NeverSeesAMixOfTwoInstantsWhileTheWriterRuns) {
  const ScratchDirectory directory;
  const SegmentFile file = create_example(directory, "n", 1);
  const Reader reader = open_reader(file.path());
  constexpr std::uint64_t kWrites = 20'000;
  std::jthread writer{[&file] {
    ExampleBlock& block = block_of(file, 0);
    for (std::uint64_t i = 1; i <= kWrites; ++i) {
      block.ledger.write({5 * i, i, i, i, i, i});
      block.counters[0].store(i, std::memory_order_relaxed);
      block.latency.record(i);
      rcs_event event = event_of(i, 0, i);
      event.b = ~i;
      block.events.write(event);
    }
  }};
  std::vector<rcs_event_view> events(64);
  std::vector<std::uint64_t> buckets(rcs_histogram_describe(reader.get(), 0)->bucket_count);
  std::uint64_t counter_before = 0;
  std::uint64_t ledgers_read = 0;
  while (counter_before < kWrites) {
    rcs_ledger ledger{};
    if (rcs_ledger_read(reader.get(), 0, &ledger) == RCS_OK) {
      ASSERT_EQ(rcs_ledger_closed(&ledger), 1);
      ASSERT_EQ(ledger.sent, ledger.queued);
      ++ledgers_read;
    }
    const std::size_t count = rcs_events_read(reader.get(), events.data(), events.size());
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(events[i].event.a, ~events[i].event.b);
      ASSERT_EQ(events[i].event.a, events[i].event.mono);
      if (i > 0) {
        ASSERT_GT(events[i].event.mono, events[i - 1].event.mono);
      }
    }
    rcs_distribution distribution{};
    ASSERT_EQ(rcs_histogram_read(reader.get(), 0, 0, buckets.data(), &distribution), RCS_OK);
    const std::uint64_t counter = rcs_counter_value(reader.get(), 0, 0);
    ASSERT_GE(counter, counter_before);
    counter_before = counter;
  }
  EXPECT_GT(ledgers_read, 0U);
}

TEST(EventRing, IsReadInTheSameProcessWithoutARace) {
  auto ring = std::make_unique<EventRing>();
  auto histogram = std::make_unique<Histogram>();
  constexpr std::uint64_t kWrites = 20'000;
  std::jthread writer{[&] {
    for (std::uint64_t i = 0; i < kWrites; ++i) {
      const std::uint64_t number = ring->write(event_of(i, 0, i));
      if (i % 7 == 0) ring->repeat(number);
      histogram->record(i);
    }
  }};
  while (ring->written() < kWrites) {
    const std::uint64_t written = ring->written();
    rcs_event event{};
    if (written > 0 && ring->read(written - 1, event)) {
      ASSERT_EQ(event.a, written - 1);
    }
    (void)histogram->percentile(0.5);
  }
  writer.join();
  EXPECT_EQ(histogram->count(), kWrites);
}

}  // namespace
}  // namespace ringcast
