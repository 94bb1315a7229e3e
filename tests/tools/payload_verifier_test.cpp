// tests/tools/payload_verifier_test.cpp: bare payloads, one channel each: every fault that a server could commit.
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "tools/load/own_wires.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kListed = R"({"result":["load.000000"],"id":1})";

/// One subscriber of one channel of the raw wire, and what a server would say to it.
class RawBench {
 public:
  explicit RawBench(double slow = 0, std::uint32_t publishers = 1) {
    options_.connections = 1;
    options_.payload = 100;
    options_.slow = slow;
    options_.publishers = publishers;
    options_.wire = "raw";
    plan_ = plan_synthetic(options_);
    verifier_ = wire_->verifier({options_, plan_, control_}, plan_.connections);
  }
  Verifier::Taken say(std::string_view text) { return verifier_->take(0, text, Instant{seconds{2}}); }
  void message(std::uint64_t counter, std::uint32_t source = 0) {
    (void)verifier_->take(0, writer_.write({Instant{seconds{1}}, counter, source}),
                          Instant{seconds{1} + milliseconds{5}});
  }
  const Tally& settle(std::uint64_t published, bool open = true) {
    verifier_->publishing_ended({published});
    behind = verifier_->behind({open});
    verifier_->settle({open});
    return plan_.connections[0].slow ? verifier_->slow() : verifier_->ordinary();
  }
  Verifier& verifier() { return *verifier_; }
  std::uint64_t behind = 0;

 private:
  LoadOptions options_;
  LoadPlan plan_;
  RunControl control_;
  std::unique_ptr<Wire> wire_ = make_raw_wire();
  std::unique_ptr<Verifier> verifier_;
  PayloadTemplate writer_{100};
};

TEST(RawWire, JoinsByTheAnswerToListSubscriptions) {
  RawBench bench;
  EXPECT_EQ(bench.verifier().target(0, "user=x"), "/ws/load.000000?user=x");
  EXPECT_EQ(bench.verifier().greeting(0), R"({"method":"LIST_SUBSCRIPTIONS","id":1})");
  EXPECT_EQ(bench.say(R"({"result":["other"],"id":1})"), Verifier::Taken::refused);
  EXPECT_FALSE(bench.verifier().trouble().empty());
  RawBench other;
  EXPECT_EQ(other.say(kListed), Verifier::Taken::joined);
}

TEST(RawWire, IsContentWithAWholeStreamOfSeveralPublishers) {
  RawBench bench{0, 2};
  (void)bench.say(kListed);
  for (std::uint64_t i = 1; i <= 5; ++i) {
    bench.message(i, 0);
    bench.message(i, 1);
  }
  const Tally& tally = bench.settle(10);
  EXPECT_EQ(tally.expected, 10U);
  EXPECT_EQ(tally.delivered, 10U);
  EXPECT_TRUE(tally.clean());
  EXPECT_EQ(bench.behind, 0U);
  EXPECT_EQ(bench.verifier().latency().max(), 5'000'000U) << "from the instant at which it was due";
}

struct FaultRow {
  std::string_view sentence;
  std::vector<std::uint64_t> counters;  // of ten messages
  double slow;                          // percent
  bool open;
  std::uint64_t lost, duplicated, reordered, gap_messages, cut_off;
};
const FaultRow kFaultRows[] = {
    {"lost at the begin", {2, 3, 4, 5, 6, 7, 8, 9, 10}, 0, true, 1, 0, 0, 0, 0},
    {"lost in the middle", {1, 2, 3, 6, 7, 8, 9, 10}, 0, true, 2, 0, 0, 0, 0},
    {"the end never came", {1, 2, 3, 4, 5, 6, 7}, 0, true, 3, 0, 0, 0, 0},
    {"nothing came", {}, 0, true, 10, 0, 0, 0, 0},
    {"one twice", {1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0, true, 0, 1, 0, 0, 0},
    {"two exchanged", {1, 3, 2, 4, 5, 6, 7, 8, 9, 10}, 0, true, 0, 0, 1, 0, 0},
    {"a slow reader was conflated", {1, 2, 10}, 100, true, 0, 0, 0, 7, 0},
    {"a slow reader was forgotten at the end", {1, 2, 3}, 100, true, 7, 0, 0, 0, 0},
    {"a slow reader was closed", {1, 2, 3}, 100, false, 0, 0, 0, 0, 7},
};

TEST(RawWire, SeesEachFault) {
  for (const FaultRow& row : kFaultRows) {
    SCOPED_TRACE(row.sentence);
    RawBench bench{row.slow};
    (void)bench.say(kListed);
    for (const std::uint64_t counter : row.counters) bench.message(counter);
    const Tally& tally = bench.settle(10, row.open);
    EXPECT_EQ(tally.expected, row.open ? 10U : 3U);
    EXPECT_EQ(tally.delivered, row.counters.size());
    EXPECT_EQ(tally.lost, row.lost);
    EXPECT_EQ(tally.duplicated, row.duplicated);
    EXPECT_EQ(tally.reordered, row.reordered);
    EXPECT_EQ(tally.gap_messages, row.gap_messages);
    EXPECT_EQ(tally.cut_off, row.cut_off);
  }
}

TEST(RawWire, SaysWhatIsNoPayload) {
  for (const std::string_view text : {"", "x", R"({"error":{"code":1,"msg":"no"}})"}) {
    RawBench bench;
    (void)bench.say(kListed);
    (void)bench.say(text);
    EXPECT_EQ(bench.verifier().ordinary().altered, 1U);
    EXPECT_FALSE(bench.verifier().first_fault().empty());
  }
  RawBench bench;  // a source that the channel does not have
  (void)bench.say(kListed);
  bench.message(1, 1);
  EXPECT_EQ(bench.verifier().ordinary().altered, 1U);
}

TEST(RawWire, SaysWhatItCannotDo) {
  LoadOptions options;
  options.channels = 200;
  EXPECT_TRUE(make_raw_wire()->check(options)->contains("--connections")) << "100 connections";
  options.connections = 200;
  EXPECT_FALSE(make_raw_wire()->check(options).has_value());
  options.churn = 1;
  EXPECT_TRUE(make_raw_wire()->check(options)->contains("--churn"));
  EXPECT_FALSE(make_native_wire()->check(options).has_value());
}

}  // namespace
}  // namespace ringcast
