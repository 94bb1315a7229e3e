#include "engine/time/timer_wheel.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace ringcast {

namespace {

void make_empty(TimerLink& list) { list.next = list.previous = &list; }
bool is_empty(const TimerLink& list) { return list.next == &list; }

/// Moves everything to the end of another list, in order.
void splice(TimerLink& from, TimerLink& to) {
  if (is_empty(from)) return;
  from.next->previous = to.previous;
  to.previous->next = from.next;
  from.previous->next = &to;
  to.previous = from.previous;
  make_empty(from);
}

}  // namespace

TimerWheel::TimerWheel(Instant start, nanoseconds tick) : tick_{tick} {
  ensure(tick >= nanoseconds{1}, "a tick takes time");
  for (auto& level : slots_) {
    for (TimerLink& list : level) make_empty(list);
  }
  make_empty(due_);
  make_empty(firing_);
  now_ = target_ = tick_of(start);
}

TimerWheel::~TimerWheel() {
  const auto disarm_all = [](TimerLink& list) {
    for (TimerLink* link = list.next; link != &list;) {
      TimerLink* const next = link->next;
      *link = TimerLink{};
      link = next;
    }
  };
  for (auto& level : slots_) {
    for (TimerLink& list : level) disarm_all(list);
  }
  disarm_all(due_);
  disarm_all(firing_);
}

void TimerWheel::arm(TimerEntry& entry, Instant deadline) {
  cancel(entry);
  entry.deadline_ = deadline;
  const Tick tick = tick_not_before(deadline);
  if (tick <= target_) {
    append(due_, entry);
  } else {
    put(entry, tick);
  }
  ++size_;
}

bool TimerWheel::cancel(TimerEntry& entry) {
  if (!entry.armed()) return false;
  unlink(entry);
  --size_;
  return true;
}

std::optional<Instant> TimerWheel::next_deadline() const {
  if (!is_empty(due_) || !is_empty(firing_)) return instant_of(now_);
  const std::optional<Place> place = first_place();
  if (!place) return std::nullopt;
  return instant_of(place->begins);
}

void TimerWheel::begin_expire(Instant now) {
  ensure(!expiring_, "expire() is not called from a timer's function");
  expiring_ = true;
  target_ = std::max(now_, tick_of(now));
  splice(due_, firing_);
}

TimerEntry* TimerWheel::next_due() {
  while (is_empty(firing_)) {
    const std::optional<Place> place = first_place();
    if (!place || place->begins > target_) {
      now_ = target_;
      return nullptr;
    }
    now_ = place->begins;
    if (place->level == 0) {
      empty_slot_into(*place, firing_);
      continue;
    }
    TimerLink moving;
    make_empty(moving);
    empty_slot_into(*place, moving);
    while (!is_empty(moving)) {
      auto& entry = static_cast<TimerEntry&>(*moving.next);
      unlink(entry);
      put(entry, tick_not_before(entry.deadline_));
    }
  }
  auto& entry = static_cast<TimerEntry&>(*firing_.next);
  unlink(entry);
  --size_;
  return &entry;
}

TimerWheel::Tick TimerWheel::tick_not_before(Instant deadline) const {
  const auto since_zero = deadline.time_since_epoch();
  if (since_zero <= nanoseconds::zero()) return 0;
  return static_cast<Tick>(since_zero / tick_) + (since_zero % tick_ == nanoseconds::zero() ? 0U : 1U);
}

TimerWheel::Tick TimerWheel::tick_of(Instant now) const {
  const auto since_zero = now.time_since_epoch();
  return since_zero <= nanoseconds::zero() ? 0 : static_cast<Tick>(since_zero / tick_);
}

Instant TimerWheel::instant_of(Tick tick) const {
  const auto last = static_cast<Tick>(Instant::max().time_since_epoch() / tick_);
  return tick > last ? Instant::max() : Instant{static_cast<nanoseconds::rep>(tick) * tick_};
}

/// Lower levels come first in time, and within a level lower slots: none lies before the present.
std::optional<TimerWheel::Place> TimerWheel::first_place() const {
  if (size_ == 0) return std::nullopt;
  for (unsigned level = 0; level < kLevels; ++level) {
    const auto& words = occupied_[level];
    const auto word = std::ranges::find_if(words, [](std::uint64_t bits) { return bits != 0; });
    if (word == words.end()) continue;
    const unsigned slot = static_cast<unsigned>(word - words.begin()) * kWordBits +
                          static_cast<unsigned>(std::countr_zero(*word));
    const unsigned shift = level * kDigitBits;
    const unsigned above = shift + kDigitBits;
    const Tick kept = above >= 64 ? 0 : now_ >> above << above;
    return Place{.level = level, .slot = slot, .begins = kept | Tick{slot} << shift};
  }
  return std::nullopt;
}

void TimerWheel::put(TimerEntry& entry, Tick tick) {
  const Tick differs = tick ^ now_;
  const unsigned level = differs == 0 ? 0 : static_cast<unsigned>(std::bit_width(differs) - 1) / kDigitBits;
  const unsigned slot = static_cast<unsigned>(tick >> (level * kDigitBits)) & (kSlots - 1);
  append(slots_[level][slot], entry);
  set_occupied(level, slot);
}

void TimerWheel::empty_slot_into(const Place& place, TimerLink& list) {
  splice(slots_[place.level][place.slot], list);
  set_empty(place.level, place.slot);
}

void TimerWheel::unlink(TimerEntry& entry) {
  TimerLink* const next = entry.next;
  next->previous = entry.previous;
  entry.previous->next = next;
  const bool list_now_empty = next == entry.previous;  // then both are the list's head
  entry.next = entry.previous = nullptr;
  if (!list_now_empty) return;
  const TimerLink* const first = &slots_[0][0];
  const std::size_t number = (reinterpret_cast<std::uintptr_t>(next) - reinterpret_cast<std::uintptr_t>(first)) /
                             sizeof(TimerLink);
  if (number < std::size_t{kLevels} * kSlots) {  // else due_, firing_ or a list on the stack
    set_empty(static_cast<unsigned>(number / kSlots), static_cast<unsigned>(number % kSlots));
  }
}

void TimerWheel::append(TimerLink& list, TimerLink& link) {
  link.next = &list;
  link.previous = list.previous;
  list.previous->next = &link;
  list.previous = &link;
}

bool TimerWheel::validate_list(const TimerLink& list, std::size_t& count) const {
  for (const TimerLink* link = list.next; link != &list; link = link->next) {
    if (link->next == nullptr || link->next->previous != link || ++count > size_) return false;
  }
  return list.next->previous == &list;
}

bool TimerWheel::validate() const {
  std::size_t count = 0;
  if (!validate_list(due_, count) || !validate_list(firing_, count)) return false;
  for (unsigned level = 0; level < kLevels; ++level) {
    for (unsigned slot = 0; slot < kSlots; ++slot) {
      const TimerLink& list = slots_[level][slot];
      if (!validate_list(list, count)) return false;
      const bool occupied = (occupied_[level][slot / kWordBits] >> (slot % kWordBits) & 1U) != 0;
      if (is_empty(list) == occupied) return false;
      for (const TimerLink* link = list.next; link != &list; link = link->next) {
        const Tick tick = tick_not_before(static_cast<const TimerEntry*>(link)->deadline_);
        const Tick differs = tick ^ now_;
        if (tick <= now_) return false;
        if (static_cast<unsigned>(std::bit_width(differs) - 1) / kDigitBits != level) return false;
        if ((tick >> (level * kDigitBits) & (kSlots - 1)) != slot) return false;
      }
    }
  }
  return count == size_;
}

}  // namespace ringcast
