// The log against the simplest thing that does the same: a list of all frames that were ever appended.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

#include "alloc/log/frame_log.hpp"

namespace ringcast {
namespace {

struct ModelFrame {
  Sequence seq;
  std::vector<std::uint8_t> bytes;
  Instant received;
  Instant appended;
};

/// Everything ever appended; which of it is still held is what the log under test may choose within its bounds.
class Model {
 public:
  explicit Model(Sequence next) : next_{next} {}

  void append(std::vector<std::uint8_t> bytes, Instant received, Instant appended) {
    frames_.push_back({next_, std::move(bytes), received, appended});
    next_ = next(next_);
  }
  void skip_to(Sequence next) { next_ = next; }
  [[nodiscard]] Sequence next_seq() const { return next_; }
  [[nodiscard]] const std::deque<ModelFrame>& frames() const { return frames_; }
  /// Keeps the newest `count`.
  void keep(std::size_t count) {
    while (frames_.size() > count) {
      dropped_end_ = next(frames_.front().seq);
      frames_.pop_front();
    }
  }
  [[nodiscard]] Sequence dropped_end() const { return dropped_end_; }

 private:
  static Sequence next(Sequence seq) { return ringcast::next(seq); }
  std::deque<ModelFrame> frames_;
  Sequence next_;
  Sequence dropped_end_{};
};

class FrameLogAgainstModel {
 public:
  FrameLogAgainstModel(std::uint64_t seed, LogBounds bounds)
      : random_{seed}, pool_{&budget_}, log_{pool_, bounds, Purpose::log_blocks, Sequence{5}}, model_{Sequence{5}} {}

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      act();
      compare();
      if (testing::Test::HasFailure()) return;
    }
    log_.clear();
    model_.keep(0);
    compare();
    pool_.release_free();
    EXPECT_EQ(budget_.total(), 0U);
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  void act() {
    now_ += microseconds{below(1'000'000)};
    switch (below(20)) {
      case 0:
        log_.skip_to(skipped());
        break;
      case 1: {
        const std::uint64_t bytes = below(log_.bytes() + 2);
        log_.shrink_to(bytes);
        EXPECT_LE(log_.bytes(), bytes);
        forget_dropped();
        break;
      }
      case 2:
        trim();
        break;
      default:
        append();
    }
  }

  Sequence skipped() {
    const Sequence to{value(log_.next()) + below(4)};
    model_.skip_to(to);
    return to;
  }

  void append() {
    static constexpr std::size_t kSizes[] = {1, 2, 7, 50, 140, 500, 950, 1'000, 3'000, 20'000, 70'000};
    // Mostly small; large ones are what breaks a log.
    const std::size_t size = below(4) == 0 ? kSizes[below(std::size(kSizes))] : 1 + below(200);
    std::vector<std::uint8_t> bytes(size);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random_());
    const Instant received = now_ - microseconds{below(3) == 0 ? below(500'000) : 0};
    // Reserved with some room to spare, sometimes: an encoder may need less than it asked for.
    const std::size_t spare = below(5) == 0 ? below(300) : 0;
    std::uint8_t* out = log_.reserve(size + spare, now_);
    std::copy(bytes.begin(), bytes.end(), out);
    log_.commit(size, received);
    model_.append(std::move(bytes), received, now_);

    const std::uint64_t held = log_.frames();
    ASSERT_GE(held, 1U);
    const bool dropped = held < model_.frames().size();
    forget_dropped();
    const LogBounds& bounds = log_.bounds();
    if (dropped) {  // never below the bound
      EXPECT_TRUE(log_.frames() >= bounds.frames || log_.bytes() >= bounds.bytes);
    }
    const auto oldest = log_.run_from(log_.tail(), SIZE_MAX);  // a whole block
    ASSERT_TRUE(oldest);
    if (oldest->frames != log_.frames()) {  // at most one block above it
      EXPECT_LT(log_.frames() - oldest->frames, bounds.frames);
      EXPECT_LT(log_.bytes() - oldest->bytes, bounds.bytes);
    }
  }

  void trim() {
    const Sequence keep{value(log_.tail()) + below(value(log_.next()) - value(log_.tail()) + 2)};
    const Instant older_than = now_ - milliseconds{below(60'000)};
    const std::uint64_t before = log_.frames();
    log_.trim(keep, older_than);
    // Only what is before `keep` may have gone; its newest were old.
    const std::size_t gone = before - log_.frames();
    if (gone != 0) {
      EXPECT_LT(model_.frames()[gone - 1].seq, keep);
    }
    forget_dropped();
    if (const auto block = log_.run_from(log_.tail(), SIZE_MAX)) {  // what is left has a reason to be
      const Instant newest = *log_.appended_at(Sequence{value(block->end()) - 1});
      EXPECT_TRUE(block->end() > keep || newest >= older_than);
    }
  }

  void forget_dropped() {
    ASSERT_LE(log_.frames(), model_.frames().size());
    model_.keep(log_.frames());
  }

  void compare() {
    log_.validate();
    EXPECT_EQ(log_.next(), model_.next_seq());
    const auto& frames = model_.frames();
    EXPECT_EQ(log_.frames(), frames.size());
    std::uint64_t bytes = 0;
    for (const ModelFrame& frame : frames) bytes += frame.bytes.size();
    EXPECT_EQ(log_.bytes(), bytes);
    EXPECT_EQ(log_.tail(), frames.empty() ? log_.next() : frames.front().seq);
    EXPECT_EQ(log_.newest(), frames.empty() ? log_.next() : frames.back().seq);
    EXPECT_EQ(log_.dropped_end(), model_.dropped_end());
    if (below(8) != 0) return;
    const std::uint64_t from = value(log_.tail()) > 3 ? value(log_.tail()) - 3 : 0;
    for (std::uint64_t seq = from; seq < value(log_.next()) + 3; ++seq) compare_at(Sequence{seq});
  }

  void compare_at(Sequence wanted) {
    const auto& frames = model_.frames();
    const auto at = std::ranges::find_if(frames, [&](const ModelFrame& frame) { return frame.seq >= wanted; });
    EXPECT_EQ(log_.holds(wanted), at != frames.end() && at->seq == wanted);
    std::uint64_t bytes_from = 0;
    for (auto frame = at; frame != frames.end(); ++frame) bytes_from += frame->bytes.size();
    EXPECT_EQ(log_.bytes_from(wanted), bytes_from);
    EXPECT_EQ(log_.frames_from(wanted), static_cast<std::uint64_t>(frames.end() - at));
    const auto appended = log_.appended_at(wanted);
    EXPECT_EQ(appended.has_value(), at != frames.end());
    if (appended) {
      EXPECT_EQ(*appended, at->appended);
    }

    const auto whole = log_.run_from(wanted, SIZE_MAX);
    ASSERT_EQ(whole.has_value(), at != frames.end());
    if (!whole) return;
    for (const std::size_t limit : {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{below(70'000)},
                                    std::size_t{whole->bytes}, std::size_t{whole->bytes} - 1}) {
      const auto run = log_.run_from(wanted, limit);
      ASSERT_TRUE(run);
      EXPECT_EQ(run->first, at->seq);
      EXPECT_EQ(run->data, whole->data);
      EXPECT_GE(run->frames, 1U);
      EXPECT_LE(run->frames, whole->frames);
      EXPECT_TRUE(run->bytes <= limit || run->frames == 1);
      if (run->frames < whole->frames) {  // no frame less than possible
        EXPECT_GT(whole->end_of(run->frames), limit);
      }
      std::uint32_t end = 0;
      auto frame = at;
      for (std::uint32_t i = 0; i < run->frames; ++i, ++frame) {
        ASSERT_NE(frame, frames.end());
        EXPECT_EQ(frame->seq, Sequence{value(run->first) + i});
        ASSERT_EQ(run->end_of(i) - end, frame->bytes.size());
        EXPECT_TRUE(std::equal(frame->bytes.begin(), frame->bytes.end(), run->data + end));
        EXPECT_EQ(run->received_at(i), frame->received);
        end = run->end_of(i);
      }
      EXPECT_EQ(end, run->bytes);
    }
    EXPECT_EQ(whole->received, at->received);
  }

  std::mt19937_64 random_;
  Budget budget_;
  BlockPool pool_;
  FrameLog log_;
  Model model_;
  Instant now_{seconds{100}};
};

struct BoundsRow {
  std::string_view sentence;
  LogBounds bounds;
};
constexpr BoundsRow kBoundsRows[] = {
    {"generous bounds", {.frames = 4'096, .bytes = 4_MiB}},
    {"few frames", {.frames = 10, .bytes = 4_MiB}},
    {"few bytes", {.frames = 4'096, .bytes = 10'000}},
    {"a single frame", {.frames = 1, .bytes = 1}},
    {"none at all: the newest is still there to be sent", {.frames = 0, .bytes = 0}},
};

TEST(FrameLogModel, HoldsWhatAListOfFramesHoldsWhateverHappens) {
  for (const BoundsRow& row : kBoundsRows) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      SCOPED_TRACE(testing::Message() << row.sentence << ", seed " << seed);
      FrameLogAgainstModel{seed, row.bounds}.run(400);
      if (testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace ringcast
