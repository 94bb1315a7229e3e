#include "engine/time/calendar_queue.hpp"

#include <algorithm>
#include <bit>

namespace ringcast {

CalendarQueue::CalendarQueue(Instant start, nanoseconds step, Budget* budget, Purpose purpose)
    : step_{step}, budget_{budget}, purpose_{purpose} {
  ensure(step >= nanoseconds{1}, "a step takes time");
  now_ = step_of(start);
  while (nodes() < kHeads) add_chunk();
  for (std::uint32_t head = 0; head < kHeads; ++head) node(head) = {.next = head, .previous = head};
}

CalendarQueue::~CalendarQueue() {
  if (budget_ != nullptr) budget_->release(purpose_, nodes() * sizeof(Node));
}

void CalendarQueue::put(Member member, Instant deadline) {
  ensure(member < kNone - kHeads, "a member has a node");
  while (member + kHeads >= nodes()) add_chunk();
  remove(member);
  const Step step = std::max(step_not_before(deadline), now_ + 1);
  ensure(step - now_ < kStepsMax, "a deadline is not too many steps ahead");
  node(member + kHeads).step = static_cast<std::uint32_t>(step);
  link(member + kHeads, static_cast<std::uint32_t>(step % kBuckets));
}

bool CalendarQueue::remove(Member member) {
  if (!contains(member)) return false;
  unlink(member + kHeads);
  return true;
}

std::optional<Instant> CalendarQueue::next_deadline() const {
  if (node(kMet).next != kMet) return instant_of(now_);
  if (size_ == 0) return std::nullopt;
  const auto from = static_cast<std::uint32_t>((now_ + 1) % kBuckets);
  return instant_of(now_ + 1 + (first_bucket(from) + kBuckets - from) % kBuckets);
}

/// The first that is not empty, from a bucket on and round; there is one.
std::uint32_t CalendarQueue::first_bucket(std::uint32_t from) const {
  const std::uint32_t begin = from / kWordBits;
  const std::uint64_t rest = occupied_[begin] >> from % kWordBits;
  if (rest != 0) return from + static_cast<std::uint32_t>(std::countr_zero(rest));
  // The other words after this one, and last this one's beginning.
  const std::uint64_t later = std::rotr(words_occupied_, static_cast<int>(begin) + 1);
  ensure(later != 0, "a member is in a bucket");
  const std::uint32_t word = (begin + 1 + static_cast<std::uint32_t>(std::countr_zero(later))) % kWords;
  return word * kWordBits + static_cast<std::uint32_t>(std::countr_zero(occupied_[word]));
}

void CalendarQueue::begin_expire(Instant now) {
  ensure(!expiring_, "expire() is not called from a member's function");
  expiring_ = true;
  const Step before = now_;
  now_ = std::max(now_, step_of(now));
  const Step passed = std::min<Step>(now_ - before, kBuckets);
  for (Step i = 1; i <= passed && size_ != 0; ++i) {
    const auto bucket = static_cast<std::uint32_t>((before + i) % kBuckets);
    if (is_occupied(bucket)) meet(bucket);
  }
}

/// Those whose step has come go to the list of those that are met; the others' is a round of the buckets later.
void CalendarQueue::meet(std::uint32_t bucket) {
  for (std::uint32_t number = node(bucket).next; number != bucket;) {
    const std::uint32_t next = node(number).next;
    if (steps_ahead(node(number)) <= 0) {
      unlink(number);
      link(number, kMet);
    }
    number = next;
  }
}

void CalendarQueue::link(std::uint32_t number, std::uint32_t head) {
  const std::uint32_t last = node(head).previous;
  node(number).next = head;
  node(number).previous = last;
  node(last).next = number;
  node(head).previous = number;
  ++size_;
  if (head == kMet) return;
  occupied_[head / kWordBits] |= std::uint64_t{1} << head % kWordBits;
  words_occupied_ |= std::uint64_t{1} << head / kWordBits;
}

void CalendarQueue::unlink(std::uint32_t number) {
  const auto [next, previous, step] = node(number);
  node(next).previous = previous;
  node(previous).next = next;
  node(number).next = node(number).previous = kNone;
  --size_;
  if (next != previous || next >= kBuckets) return;  // else the bucket's head is alone
  std::uint64_t& word = occupied_[next / kWordBits];
  word &= ~(std::uint64_t{1} << next % kWordBits);
  if (word == 0) words_occupied_ &= ~(std::uint64_t{1} << next / kWordBits);
}

void CalendarQueue::add_chunk() {
  chunks_.push_back(std::make_unique<Node[]>(kChunkNodes));
  if (budget_ != nullptr) budget_->charge(purpose_, kChunkNodes * sizeof(Node));
}

CalendarQueue::Step CalendarQueue::step_of(Instant now) const {
  const auto since_zero = now.time_since_epoch();
  return since_zero <= nanoseconds::zero() ? 0 : static_cast<Step>(since_zero / step_);
}

CalendarQueue::Step CalendarQueue::step_not_before(Instant deadline) const {
  const auto since_zero = deadline.time_since_epoch();
  if (since_zero <= nanoseconds::zero()) return 0;
  return static_cast<Step>(since_zero / step_) + (since_zero % step_ == nanoseconds::zero() ? 0U : 1U);
}

Instant CalendarQueue::instant_of(Step step) const {
  return Instant{static_cast<nanoseconds::rep>(step) * step_};
}

bool CalendarQueue::validate() const {
  std::size_t count = 0;
  for (std::uint32_t head = 0; head < kHeads; ++head) {
    if (node(node(head).next).previous != head) return false;
    for (std::uint32_t number = node(head).next; number != head; number = node(number).next) {
      if (number < kHeads || number >= nodes() || ++count > size_) return false;
      if (node(node(number).next).previous != number) return false;
      if ((steps_ahead(node(number)) <= 0) != (head == kMet)) return false;
      if (head != kMet && node(number).step % kBuckets != head) return false;
    }
    if (head != kMet && is_occupied(head) == (node(head).next == head)) return false;
  }
  for (std::uint32_t word = 0; word < kWords; ++word) {
    if ((words_occupied_ >> word & 1U) != std::uint64_t{occupied_[word] != 0}) return false;
  }
  return count == size_;
}

}  // namespace ringcast
