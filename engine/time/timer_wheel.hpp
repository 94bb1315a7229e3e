// engine/time/timer_wheel.hpp: deadlines by the hundred thousand, each armed and cancelled in constant time.
//
// Owner    the shard core, by value; entries belong to whoever waits and must not move while armed.
// Thread   one.
// Memory   33 KB of list heads; 32 bytes an entry, inside its owner.
// Failure  none.
// Not here reading a clock: time comes in as a parameter, so the same calls give the same order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "alloc/base/ensure.hpp"
#include "alloc/base/time.hpp"

namespace ringcast {

class TimerWheel;

struct TimerLink {
  TimerLink* next = nullptr;  // null: in no list
  TimerLink* previous = nullptr;
};

/// One deadline. `tag` is the owner's: what it is for, whose it is.
class TimerEntry : private TimerLink {
 public:
  explicit TimerEntry(std::uint64_t user_tag = 0) : tag{user_tag} {}
  TimerEntry(const TimerEntry&) = delete;
  TimerEntry& operator=(const TimerEntry&) = delete;
  ~TimerEntry() { ensure(!armed(), "a timer is cancelled before it ends"); }

  [[nodiscard]] bool armed() const { return next != nullptr; }
  /// The last deadline it was armed for.
  [[nodiscard]] Instant deadline() const { return deadline_; }

  std::uint64_t tag;

 private:
  friend class TimerWheel;
  Instant deadline_{};
};
static_assert(sizeof(TimerEntry) == 32, "one is part of everything that waits");

/// A wheel of wheels: 256 slots a level, each level's slot as wide as the whole level below. Deadlines are rounded up
/// to ticks, so a timer never fires early and at most one tick late. An entry lies at the level of the highest base-256
/// digit in which its tick differs from the present one; it moves down when time enters its slot. An entry that moves
/// is a miss of the caches, and a slot moves as a whole: what many wait for at a distance of seconds, as connections do
/// for their pings, belongs into a calendar queue.
class TimerWheel {
 public:
  static constexpr nanoseconds kTickDefault = milliseconds{1};

  /// start  the present; instants before it count as due.  tick  the precision, at least 1 ns.
  explicit TimerWheel(Instant start = Instant{}, nanoseconds tick = kTickDefault);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  ~TimerWheel();  // disarms what is still armed

  /// Arms, or arms anew. A deadline that has passed is due at the next expire().
  void arm(TimerEntry& entry, Instant deadline);
  /// Disarms; false if it was not armed.
  bool cancel(TimerEntry& entry);

  /// Calls f(TimerEntry&) once for each entry whose deadline is reached at `now`, however far from the last call, and
  /// returns how many those were. First what was already due when it was armed, then tick by tick; within a tick in
  /// the order of arming. The entry is disarmed before the call: f may arm, cancel or end any entry; what it arms fires
  /// at a later expire(), even if it is due already. A `now` before the last one is taken as the last one.
  template <class Function>
  std::size_t expire(Instant now, Function&& f) {
    begin_expire(now);
    std::size_t fired = 0;
    while (TimerEntry* entry = next_due()) {
      ++fired;
      f(*entry);
    }
    expiring_ = false;
    return fired;
  }

  /// When expire() has something to do next: never later than the next timer, earlier by at most the width of its slot
  /// (then that call moves entries down and the answer becomes exact). Nothing while no timer is armed.
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  [[nodiscard]] std::size_t size() const { return size_; }  // armed
  /// Whether every entry lies where it must; for tests.
  [[nodiscard]] bool validate() const;

 private:
  using Tick = std::uint64_t;
  static constexpr unsigned kDigitBits = 8;
  static constexpr unsigned kSlots = 1U << kDigitBits;
  static constexpr unsigned kWordBits = 64;
  static constexpr unsigned kLevels = (64 + kDigitBits - 1) / kDigitBits;  // every tick has a place: nothing overflows

  struct Place {
    unsigned level;
    unsigned slot;
    Tick begins;  // the first tick of the slot
  };

  void begin_expire(Instant now);
  TimerEntry* next_due();  // disarmed; null at the end
  [[nodiscard]] Tick tick_not_before(Instant deadline) const;
  [[nodiscard]] Tick tick_of(Instant now) const;
  [[nodiscard]] Instant instant_of(Tick tick) const;
  [[nodiscard]] std::optional<Place> first_place() const;
  void put(TimerEntry& entry, Tick tick);
  void empty_slot_into(const Place& place, TimerLink& list);
  void unlink(TimerEntry& entry);
  void set_occupied(unsigned level, unsigned slot) {
    occupied_[level][slot / kWordBits] |= std::uint64_t{1} << (slot % kWordBits);
  }
  void set_empty(unsigned level, unsigned slot) {
    occupied_[level][slot / kWordBits] &= ~(std::uint64_t{1} << (slot % kWordBits));
  }

  static void append(TimerLink& list, TimerLink& link);
  [[nodiscard]] bool validate_list(const TimerLink& list, std::size_t& count) const;

  std::array<std::array<TimerLink, kSlots>, kLevels> slots_;  // circular lists; the array's link is the head
  std::array<std::array<std::uint64_t, kSlots / kWordBits>, kLevels> occupied_{};  // one bit a slot
  TimerLink due_;     // armed too late for the wheel
  TimerLink firing_;  // taken out of the wheel by the expire() that is under way
  Tick now_;          // every entry in the wheel is later
  Tick target_;       // where the expire() under way will end; now_ otherwise
  std::size_t size_ = 0;
  nanoseconds tick_;
  bool expiring_ = false;
};

}  // namespace ringcast
