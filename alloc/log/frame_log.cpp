#include "alloc/log/frame_log.hpp"

#include <algorithm>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

constexpr microseconds kAgeMax{0xffff'ffff};  // what an index entry can say: 71 minutes

std::uint32_t age_us(Instant from, Instant to) {
  const auto age = std::chrono::duration_cast<microseconds>(to - from);
  return static_cast<std::uint32_t>(std::clamp(age, microseconds{0}, kAgeMax).count());
}

Instant newest_time(const LogBlock& block) {
  return block.first_time + microseconds{block.entry(block.frames - 1).age_us};
}

}  // namespace

std::uint8_t* FrameLog::reserve(std::size_t bytes, Instant now) {
  ensure(reserved_ == 0, "one frame is reserved at a time");
  ensure(bytes > 0 && bytes <= 0x4000'0000, "a frame is neither empty nor a gigabyte");
  // A frame after a long silence begins a block: its age would not fit the index, and it would look old.
  const bool continues = newest_ != nullptr && newest_->end() == next_ && newest_->fits(bytes) &&
                         now - newest_->first_time <= kAgeMax;
  if (!continues) {
    const std::uint8_t size_class = newest_ == nullptr
                                        ? std::uint8_t{0}
                                        : static_cast<std::uint8_t>(std::min<std::size_t>(
                                              newest_->size_class + 1, BlockPool::kBlockBytes.size() - 1));
    LogBlock* block = pool_->take(size_class, bytes, purpose_);
    block->position = position_;
    block->ordinal = appended_;
    block->first = next_;
    block->first_time = now;
    block->older = newest_;
    if (newest_ != nullptr) newest_->newer = block;
    newest_ = block;
    if (oldest_ == nullptr) oldest_ = block;
  }
  reserved_ = static_cast<std::uint32_t>(bytes);
  reserved_at_ = now;
  return newest_->data() + newest_->used;
}

void FrameLog::commit(std::size_t bytes, Instant received) {
  ensure(reserved_ != 0 && bytes <= reserved_, "a frame is committed into the room that was reserved for it");
  reserved_ = 0;
  LogBlock& block = *newest_;
  block.used += static_cast<std::uint32_t>(bytes);
  ++block.frames;
  block.entry(block.frames - 1) = {.end = block.used,
                                    .age_us = age_us(block.first_time, reserved_at_),
                                    .wait_us = age_us(received, reserved_at_)};
  next_ = ringcast::next(next_);
  ++frames_;
  ++appended_;
  bytes_ += bytes;
  position_ += bytes;
  while (oldest_ != newest_ &&
         (frames_ - oldest_->frames >= bounds_.frames || bytes_ - oldest_->used >= bounds_.bytes)) {
    drop_oldest();
  }
}

void FrameLog::skip_to(Sequence next) {
  ensure(reserved_ == 0, "nothing is skipped inside a frame");
  ensure(next >= next_, "numbers only grow");
  next_ = next;
}

LogBlock* FrameLog::find(Sequence wanted) const {
  if (newest_ == nullptr || wanted >= newest_->end()) return nullptr;
  const std::uint64_t from_newest = distance(wanted, newest_->end());
  const std::uint64_t from_oldest = distance(oldest_->first, wanted);
  LogBlock* block = nullptr;
  if (from_newest <= from_oldest) {
    block = newest_;
    while (block->older != nullptr && block->older->end() > wanted) block = block->older;
  } else {
    block = oldest_;
    while (block->end() <= wanted) block = block->newer;
  }
  return block;
}

std::optional<FrameLog::Run> FrameLog::run_from(Sequence wanted, std::size_t bytes_max) const {
  LogBlock* block = find(wanted);
  if (block == nullptr) return std::nullopt;
  Run run;
  run.block = block;
  run.first = std::max(wanted, block->first);
  run.index = static_cast<std::uint32_t>(distance(block->first, run.first));
  const std::uint32_t begin = block->begin_of(run.index);
  run.data = block->data() + begin;
  run.received = run.received_at(0);

  // The last frame that ends within bytes_max; almost always the block's last.
  std::uint32_t last = block->frames - 1;
  if (block->used - begin > bytes_max) {
    std::uint32_t low = run.index;  // at least one frame, whatever its size
    while (low < last) {
      const std::uint32_t middle = low + (last - low + 1) / 2;
      if (block->entry(middle).end - begin <= bytes_max) {
        low = middle;
      } else {
        last = middle - 1;
      }
    }
    last = low;
  }
  run.frames = last - run.index + 1;
  run.bytes = block->entry(last).end - begin;
  return run;
}

bool FrameLog::holds(Sequence seq) const {
  const LogBlock* block = find(seq);
  return block != nullptr && block->first <= seq;
}

std::uint64_t FrameLog::frames_from(Sequence from) const {
  const LogBlock* block = find(from);
  return block == nullptr ? 0 : appended_ - (block->ordinal + distance(block->first, from));
}

std::uint64_t FrameLog::bytes_from(Sequence from) const {
  const LogBlock* block = find(from);
  if (block == nullptr) return 0;
  const auto index = static_cast<std::uint32_t>(distance(block->first, std::max(from, block->first)));
  return position_ - (block->position + block->begin_of(index));
}

std::optional<Instant> FrameLog::appended_at(Sequence from) const {
  const LogBlock* block = find(from);
  if (block == nullptr) return std::nullopt;
  const auto index = static_cast<std::uint32_t>(distance(block->first, std::max(from, block->first)));
  return block->first_time + microseconds{block->entry(index).age_us};
}

void FrameLog::drop_oldest() {
  LogBlock* block = oldest_;
  oldest_ = block->newer;
  if (oldest_ != nullptr) {
    oldest_->older = nullptr;
  } else {
    newest_ = nullptr;
  }
  dropped_end_ = block->end();
  frames_ -= block->frames;
  bytes_ -= block->used;
  block->newer = nullptr;
  block->dropped = true;
  if (block->pins == 0) pool_->give_back(block);
}

void FrameLog::trim(Sequence keep, Instant older_than) {
  ensure(reserved_ == 0, "nothing is trimmed inside a frame");
  while (oldest_ != nullptr && oldest_->end() <= keep && newest_time(*oldest_) < older_than) drop_oldest();
}

void FrameLog::shrink_to(std::uint64_t bytes) {
  ensure(reserved_ == 0, "nothing is dropped inside a frame");
  while (oldest_ != nullptr && bytes_ > bytes) drop_oldest();
}

void FrameLog::clear() {
  reserved_ = 0;
  while (oldest_ != nullptr) drop_oldest();
}

void FrameLog::validate() const {
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  const LogBlock* older = nullptr;
  for (const LogBlock* block = oldest_; block != nullptr; block = block->newer) {
    ensure(block->older == older, "blocks are linked both ways");
    ensure(block->frames > 0 && !block->dropped, "a block in a log holds frames");
    ensure(older == nullptr || older->end() <= block->first, "numbers grow from block to block");
    ensure(older == nullptr || older->position + older->used == block->position, "positions have no hole");
    ensure(older == nullptr || older->ordinal + older->frames == block->ordinal, "frames are counted without holes");
    ensure(block->entry(block->frames - 1).end == block->used, "the index ends where the data ends");
    frames += block->frames;
    bytes += block->used;
    older = block;
  }
  ensure(older == newest_, "the newest block is the last");
  ensure(newest_ == nullptr || newest_->end() <= next_, "the next number is after all held");
  ensure(frames == frames_ && bytes == bytes_, "the totals are the sums");
}

}  // namespace ringcast
