// tests/tools/load_parts_test.cpp: schedule, payload, sequence check, plan, options and reports of the load generator.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "codec/text/json.hpp"
#include "tools/load/options.hpp"
#include "tools/load/payload.hpp"
#include "tools/load/plan.hpp"
#include "tools/load/publisher_thread.hpp"
#include "tools/load/result.hpp"
#include "tools/load/sequence_check.hpp"
#include "tools/load/server_probe.hpp"

#include <unistd.h>

namespace ringcast {
namespace {

rcs_ledger ledger_of(std::uint64_t offered, std::uint64_t sent, std::uint64_t queued = 0) {
  return {.offered = offered, .sent = sent, .conflated = 0, .dropped = 0, .abandoned = 0, .queued = queued};
}

using Verdict = SequenceCheck::Verdict;

struct SequenceRow {
  std::string_view sentence;
  std::vector<std::uint64_t> numbers;
  std::uint64_t missing, late, duplicate;
};

TEST(SequenceCheck, FindsWhatIsLostDoubledOrOutOfOrder) {
  const SequenceRow rows[] = {
      {"all in order", {1, 2, 3, 4}, 0, 0, 0},
      {"one lost", {1, 2, 4}, 1, 0, 0},
      {"the first lost", {2, 3}, 1, 0, 0},
      {"a run lost", {1, 10}, 8, 0, 0},
      {"one twice", {1, 2, 2, 3}, 0, 0, 1},
      {"an old one again", {1, 2, 3, 1}, 0, 0, 1},
      {"two exchanged", {1, 3, 2, 4}, 0, 1, 0},
      {"one late, in the middle of a hole", {1, 6, 4, 7}, 3, 1, 0},
      {"a whole hole filled backwards", {1, 5, 4, 3, 2, 6}, 0, 3, 0},
      {"late, and then again", {1, 3, 2, 2}, 0, 1, 1},
      {"two holes, one filled", {1, 3, 5, 2}, 1, 1, 0},
  };
  for (const SequenceRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    SequenceCheck check;
    std::uint64_t late = 0, duplicate = 0;
    for (const std::uint64_t number : row.numbers) {
      const Verdict verdict = check.see(number);
      late += verdict == Verdict::late ? 1 : 0;
      duplicate += verdict == Verdict::duplicate ? 1 : 0;
    }
    EXPECT_EQ(check.missing(), row.missing);
    EXPECT_EQ(late, row.late);
    EXPECT_EQ(duplicate, row.duplicate);
    EXPECT_EQ(check.last(), *std::ranges::max_element(row.numbers));
  }
}

TEST(SequenceCheck, AcceptsANoticeForExactlyWhatIsMissing) {
  SequenceCheck check{10};
  EXPECT_EQ(check.told_missing(11, 20), 10U);
  EXPECT_EQ(check.see(21), Verdict::next);
  EXPECT_EQ(check.missing(), 0U);
  EXPECT_EQ(check.told_missing(15, 21), 0U) << "tells nothing new";
  EXPECT_EQ(check.told_missing(20, 25), 4U) << "the part that was not known";
  EXPECT_EQ(check.told_missing(28, 30), 3U) << "26 and 27 are neither here nor told of";
  EXPECT_EQ(check.missing(), 2U);
  EXPECT_EQ(check.see(22), Verdict::duplicate) << "what was told to be missing must not come";
}

TEST(SequenceCheck, TakesAnythingAsItsFirstWhenItJoinsInTheMiddle) {
  SequenceCheck check{SequenceCheck::kUnknown};
  EXPECT_FALSE(check.started());
  EXPECT_EQ(check.see(4'711), Verdict::next);
  EXPECT_EQ(check.see(4'713), Verdict::ahead);
  EXPECT_EQ(check.missing(), 1U);
}

TEST(SequenceCheck, StaysBoundedWithCountlessHoles) {
  SequenceCheck check;
  for (std::uint64_t i = 1; i <= 10'000; ++i) (void)check.see(2 * i);
  EXPECT_EQ(check.missing(), 10'000U);
  EXPECT_EQ(check.see(19'999), Verdict::late) << "a recent hole is remembered";
}

TEST(Payload, CarriesItsFieldsThroughAndNothingElsePasses) {
  for (const std::uint32_t bytes : {kSyntheticPayloadBytesMin, 62U, 128U, 1'000U}) {
    PayloadTemplate writer{bytes};
    const PayloadTemplate reader{bytes};
    const SyntheticFields fields{Instant{nanoseconds{0x1234'5678'9abc'def0}}, 0xfedc'ba98'7654, 0xbeef};
    const std::string payload{writer.write(fields)};
    EXPECT_EQ(payload.size(), bytes);
    EXPECT_TRUE(is_valid_json(payload)) << payload;
    const auto read = reader.read(payload);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->scheduled, fields.scheduled);
    EXPECT_EQ(read->counter, fields.counter);
    EXPECT_EQ(read->source, fields.source);
    for (std::size_t i = 0; i < payload.size(); ++i) {  // one altered byte anywhere is seen, or changes a field
      std::string altered = payload;
      altered[i] = static_cast<char>(altered[i] ^ 1);
      const auto other = reader.read(altered);
      EXPECT_TRUE(!other || other->counter != fields.counter || other->source != fields.source ||
                  other->scheduled != fields.scheduled)
          << i;
    }
    for (std::size_t i = 0; i < payload.size(); ++i) {  // and only a digit takes the place of a digit
      for (int byte = 0; byte < 256; ++byte) {
        std::string altered = payload;
        altered[i] = static_cast<char>(byte);
        const bool digits = (payload[i] >= '0' && payload[i] <= '9') || (payload[i] >= 'a' && payload[i] <= 'f');
        const bool digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
        const bool accepted = reader.read(altered).has_value();
        EXPECT_TRUE(!accepted || altered == payload || (digits && digit)) << i << ": " << byte;
      }
    }
    EXPECT_FALSE(reader.read(std::string_view{payload}.substr(1)).has_value());
    EXPECT_FALSE(reader.read(payload + " ").has_value());
  }
}

TEST(SyntheticSource, SchedulesEveryMessageAtItsInstant) {
  SyntheticSource source{1'000, 0.5, 3, 2, 128};
  const Instant start{seconds{100}};
  source.begin(start);
  EXPECT_EQ(source.total(), 500U);
  const PayloadTemplate reader{128};
  std::vector<std::uint64_t> counters(3);
  for (std::uint64_t k = 0; k < 500; ++k) {
    const auto next = source.peek();
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(next->due, start + milliseconds{static_cast<int>(k)});
    EXPECT_EQ(next->target, k % 3);
    EXPECT_EQ(next->publisher, (k % 3) % 2) << "a channel keeps its publisher";
    const auto fields = reader.read(source.take());
    ASSERT_TRUE(fields.has_value());
    EXPECT_EQ(fields->scheduled, next->due) << "latency counts from here, whenever it is sent";
    EXPECT_EQ(fields->counter, ++counters[next->target]);
    EXPECT_EQ(fields->source, 0U);
  }
  EXPECT_FALSE(source.peek().has_value());
}

TEST(SyntheticSource, GivesABurstOneInstantAndOneChannel) {
  SyntheticSource source{1'000, 0.012, 2, 1, 128, 4};
  source.begin(Instant{seconds{1}});
  std::vector<std::pair<std::int64_t, std::uint32_t>> seen;  // milliseconds, target
  while (const auto next = source.peek()) {
    seen.emplace_back((next->due - Instant{seconds{1}}) / milliseconds{1}, next->target);
    (void)source.take();
  }
  decltype(seen) expected(4, {0, 0});
  expected.resize(8, {4, 1});
  expected.resize(12, {8, 0});
  EXPECT_EQ(seen, expected) << "the same rate, in lumps";
}

TEST(SyntheticSource, LetsSeveralPublishersOfAChannelTakeTurnsEachWithItsOwnCounter) {
  SyntheticSource source{1'000, 0.012, 2, 5, 128};  // channel 0 has publishers 0, 2, 4; channel 1 has 1, 3
  source.begin(Instant{});
  const PayloadTemplate reader{128};
  std::vector<std::vector<std::uint64_t>> counters(2, std::vector<std::uint64_t>(3));
  std::vector<int> used(5);
  while (const auto next = source.peek()) {
    const auto fields = reader.read(source.take());
    EXPECT_EQ(next->publisher % 2, next->target);
    EXPECT_EQ(fields->source, next->publisher / 2);
    EXPECT_EQ(fields->counter, ++counters[next->target][fields->source]);
    ++used[next->publisher];
  }
  EXPECT_TRUE(std::ranges::all_of(used, [](int times) { return times > 0; }));
}

TEST(ReplaySchedule, ScalesTheOriginalSpacing) {
  const WallTime first{seconds{1'000}};
  const Instant start{seconds{5}};
  const ReplaySchedule twenty{Speed{20}, first, start};
  EXPECT_EQ(twenty.due(first), start);
  EXPECT_EQ(twenty.due(first + seconds{1}), start + milliseconds{50});
  EXPECT_EQ(twenty.due(first - seconds{1}), start) << "recorded before the first: at once";
  EXPECT_EQ((ReplaySchedule{Speed{0.5}, first, start}.due(first + seconds{1})), start + seconds{2});
  EXPECT_EQ((ReplaySchedule{Speed{0}, first, start}.due(first + hours{1})), start) << "flat out";
}

TEST(Speed, IsANumberAboveZeroOrMax) {
  EXPECT_EQ(Speed::parse("1")->factor, 1);
  EXPECT_EQ(Speed::parse("0.25")->factor, 0.25);
  EXPECT_TRUE(Speed::parse("max")->flat_out());
  for (const std::string_view text : {"", "0", "-1", "fast", "1x", "nan", "inf", "1e30", " 1"}) {
    EXPECT_FALSE(Speed::parse(text).has_value()) << text;
  }
}

TEST(Plan, SpreadsConnectionsEvenlyOverChannels) {
  LoadOptions options;
  options.connections = 1'000;
  options.channels = 100;
  const LoadPlan plan = plan_synthetic(options);
  EXPECT_EQ(plan.names[7], "load.000007");
  for (const std::uint32_t readers : plan.readers()) EXPECT_EQ(readers, 10U);
  for (const auto& connection : plan.connections) EXPECT_EQ(connection.targets.size(), 1U);
}

TEST(Plan, GivesFewConnectionsSeveralChannelsInAscendingOrder) {
  LoadOptions options;
  options.connections = 3;
  options.channels = 10;
  options.prefix = "x/";
  const LoadPlan plan = plan_synthetic(options);
  EXPECT_EQ(plan.names[9], "x/000009");
  EXPECT_EQ(plan.connections[0].targets, (std::vector<std::uint32_t>{0, 3, 6, 9}));
  EXPECT_EQ(plan.connections[2].targets, (std::vector<std::uint32_t>{2, 5, 8}));
  for (const std::uint32_t readers : plan.readers()) EXPECT_EQ(readers, 1U);
}

TEST(PublisherThread, SaysWhenItsNextMessageIsDueIfNoneWas) {
  const LoadPlan plan{.names = {"a"}, .connections = {}, .sources = {1}};
  SyntheticSource source{1'000, 1, 1, 1, 128};
  PublisherThread publisher{plan, source, std::make_unique<NativePublisherDialect>(), 1};
  const Instant start = monotonic_now() + seconds{60};
  EXPECT_EQ(publisher.step(start - seconds{1}), std::nullopt) << "it has not begun";
  publisher.start_stepped(start);
  EXPECT_EQ(publisher.step(start - seconds{1}), start);
  EXPECT_EQ(publisher.step(start - nanoseconds{1}), start);
  EXPECT_EQ(publisher.sent(), 0U);
}

TEST(Plan, CountsThePublishersOfEachChannelAsTheScheduleUsesThem) {
  LoadOptions options;
  options.channels = 2;
  options.publishers = 5;
  EXPECT_EQ(plan_synthetic(options).sources, (std::vector<std::uint32_t>{3, 2}));
  options.publishers = 1;
  EXPECT_EQ(plan_synthetic(options).sources, (std::vector<std::uint32_t>{1, 1}));
}

TEST(Plan, MarksTheShareOfSlowReadersEvenly) {
  LoadOptions options;
  options.connections = 1'000;
  for (const double percent : {0.0, 0.1, 1.0, 10.0, 33.0, 100.0}) {
    options.slow = percent;
    const LoadPlan plan = plan_synthetic(options);
    const auto slow = std::ranges::count_if(plan.connections, &PlannedConnection::slow);
    EXPECT_EQ(slow, static_cast<std::ptrdiff_t>(percent * 10)) << percent;
    const auto never = std::ranges::count_if(plan.connections, &PlannedConnection::never_reads);
    EXPECT_EQ(never, (slow + 1) / 2) << "every other one does not read at all";
  }
}

TEST(LoadOptions, AreCheckedBeforeAnythingIsConnected) {
  struct Row {
    std::string_view why;
    std::function<void(LoadOptions&)> change;
  };
  const Row rows[] = {
      {"--connections", [](LoadOptions& o) { o.connections = 0; }},
      {"--channels", [](LoadOptions& o) { o.channels = 0; }},
      {"--channels", [](LoadOptions& o) { o.channels = kSyntheticChannelsMax + 1; }},
      {"--publishers", [](LoadOptions& o) { o.publishers = 0; }},
      {"--threads", [](LoadOptions& o) { o.threads = 0; }},
      {"--rate", [](LoadOptions& o) { o.rate = 0; }},
      {"--rate", [](LoadOptions& o) { o.rate = std::nan(""); }},
      {"--burst", [](LoadOptions& o) { o.burst = 0; }},
      {"--burst", [](LoadOptions& o) { o.feed = {"x"}, o.burst = 2; }},
      {"--connect-only", [](LoadOptions& o) { o.feed = {"x"}, o.connect_only = true; }},
      {"--duration", [](LoadOptions& o) { o.duration = 0; }},
      {"--warmup", [](LoadOptions& o) { o.warmup = -1; }},
      {"--drain", [](LoadOptions& o) { o.drain = 0; }},
      {"--slow", [](LoadOptions& o) { o.slow = 101; }},
      {"--churn", [](LoadOptions& o) { o.churn = -1; }},
      {"--payload", [](LoadOptions& o) { o.payload = kSyntheticPayloadBytesMin - 1; }},
      {"--speed", [](LoadOptions& o) { o.speed = "fast"; }},
      {"--speed", [](LoadOptions& o) { o.feed = {"x"}, o.speed = "max"; }},
      {"--churn", [](LoadOptions& o) { o.feed = {"x"}, o.churn = 1; }},
      {"--streams", [](LoadOptions& o) { o.feed = {"x"}, o.streams_per_connection = 0; }},
      {"--inflate", [](LoadOptions& o) { o.inflate = 0; }},
      {"--inflate", [](LoadOptions& o) { o.inflate = 101; }},
      {"--compress", [](LoadOptions& o) { o.feed = {"x"}, o.streams_per_connection = 1, o.inflate = 5; }},
      {"--feed", [](LoadOptions& o) { o.compress = true, o.inflate = 5; }},
      {"--streams", [](LoadOptions& o) { o.feed = {"x"}, o.compress = true, o.inflate = 5; }},
  };
  Speed speed;
  EXPECT_FALSE(check(LoadOptions{}, speed).has_value());
  for (const Row& row : rows) {
    LoadOptions options;
    row.change(options);
    const auto fault = check(options, speed);
    ASSERT_TRUE(fault.has_value()) << row.why;
    EXPECT_TRUE(fault->contains(row.why)) << *fault;
  }
}

void fill(LoadResult& result) {
  result.options.connections = 10;
  result.published = result.scheduled = 100;
  result.ordinary.expected = result.ordinary.delivered = 1'000;
  for (std::uint64_t i = 1; i <= 1'000; ++i) result.latency.record(i * 1'000);
  result.latency_min = 1'000;
  for (int i = 0; i < 20; ++i) {
    result.samples.push_back({i * 0.1, static_cast<std::uint64_t>(i) * 5, static_cast<std::uint64_t>(i) * 50, 0});
  }
  result.measured_seconds = 2;
  result.measured_deliveries = 1'000;
  result.connect_seconds = 0.01;
  result.publish_seconds = 2;
}

TEST(LoadResult, ComplainsOfEverythingThatTheProtocolForbids) {
  struct Row {
    std::string_view why;
    std::function<void(LoadResult&)> change;
  };
  const Row rows[] = {
      {"1 messages lost", [](LoadResult& r) { r.ordinary.lost = 1; }},
      {"1 messages duplicated", [](LoadResult& r) { r.ordinary.duplicated = 1; }},
      {"1 messages reordered", [](LoadResult& r) { r.ordinary.reordered = 1; }},
      {"not as they were published", [](LoadResult& r) { r.ordinary.altered = 1; }},
      {"continuity of depth", [](LoadResult& r) { r.ordinary.depth_breaks = 1; }},
      {"1 messages lost (slow", [](LoadResult& r) { r.slow.lost = 1; }},
      {"refused", [](LoadResult& r) { r.refused = 1; }},
      {"4008 × 2", [](LoadResult& r) { r.closed_ordinary[4008] = 2; }},
      {"ledger",
       [](LoadResult& r) {
         r.ledger = LedgerResult{ledger_of(2, 2), 1, true, true};
       }},
      {"ledger",
       [](LoadResult& r) {
         r.ledger = LedgerResult{ledger_of(3, 2), 2, false, true};
       }},
      {"ledger",
       [](LoadResult& r) {
         r.ledger = LedgerResult{ledger_of(3, 2, 1), 2, true, true};
       }},
      {"interrupted", [](LoadResult& r) { r.interrupted = true; }},
      {"gone", [](LoadResult& r) { r.failure = "gone"; }},
  };
  for (const Row& row : rows) {
    LoadResult result;
    fill(result);
    EXPECT_TRUE(result.complaints().empty());
    row.change(result);
    const auto complaints = result.complaints();
    ASSERT_EQ(complaints.size(), 1U) << row.why;
    EXPECT_TRUE(complaints[0].contains(row.why)) << complaints[0];
    EXPECT_TRUE(summary_text(result).contains("FAILED"));
    EXPECT_TRUE(summary_json(result).contains(R"("ok":false)"));
  }
}

TEST(LoadResult, AllowsSlowReadersToBeTold) {
  LoadResult result;
  fill(result);
  result.slow_connections = 2;
  result.slow.gap_notices = 1;
  result.slow.gap_messages = 50;
  result.slow.cut_off = 10;
  result.closed_slow[4008] = 1;
  result.ledger = LedgerResult{ledger_of(5, 5), 4, true, false};
  EXPECT_TRUE(result.complaints().empty());
  EXPECT_TRUE(summary_text(result).contains("4008 × 1"));
}

TEST(LoadResult, WritesJsonThatIsJson) {
  LoadResult result;
  fill(result);
  result.options.feed = {"x"};
  result.streams.push_back({"odd \"name\"", 10, 3, true});
  result.ledger = LedgerResult{ledger_of(5, 5), 5, true, true};
  result.server_cpu_seconds = 0.5;
  result.slow_connections = 1;
  result.closed_slow = {{4008, 1}, {1006, 2}};
  result.failure = "a \"quoted\" failure";
  JsonReader reader;
  const std::string json = summary_json(result);
  const auto read = reader.read(json);
  ASSERT_TRUE(read.has_value()) << read.error().sentence << " at " << read.error().at << "\n" << json;
  EXPECT_EQ(reader.find("delivered")->text, "1000");
  EXPECT_EQ(reader.find("ok")->text, "false");
}

TEST(LoadResult, DrawsAPageThatNeedsNothingFromElsewhere) {
  LoadResult result;
  fill(result);
  result.failure = "<script>";
  const std::string page = report_page(result);
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  for (const std::string_view part :
       {"Latency by percentile", "Latency distribution", "Throughput", "<polyline", "class=\"bar\""}) {
    EXPECT_TRUE(page.contains(part)) << part;
  }
  for (const std::string_view absent : {"http://", "https://", "src=", "<script", "nan", "inf,"}) {
    EXPECT_FALSE(page.contains(absent)) << absent;
  }
}

TEST(ServerProbe, ReadsTheCostOfAProcessAndKnowsWhenThereIsNone) {
  const auto usage = read_process_usage(getpid());
  ASSERT_TRUE(usage.has_value());
  EXPECT_GT(usage->rss_bytes, 1U << 20);
  EXPECT_FALSE(read_process_usage(0x7fff'ffff).has_value());
  const auto probe = LedgerProbe::open("no-such-node-of-this-test");
  ASSERT_FALSE(probe.has_value());
  EXPECT_TRUE(probe.error().contains("no-such-node-of-this-test")) << probe.error();
}

}  // namespace
}  // namespace ringcast
