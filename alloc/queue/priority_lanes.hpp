// alloc/queue/priority_lanes.hpp: who is next, the urgent first, nobody never.
//
// Owner    a shard's queue of connections with news, or a connection's of channels.  Thread  one.
// Memory   none of its own: the links lie in the elements, which must not move while queued.
// Failure  none.
// Not here what an element's turn does.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "alloc/base/ensure.hpp"

namespace ringcast {

enum class Lane : std::uint8_t { high, normal };

/// The base of what can be queued; in at most one queue at a time.
class LaneLink {
 public:
  LaneLink() = default;
  LaneLink(const LaneLink&) = delete;
  LaneLink& operator=(const LaneLink&) = delete;
  ~LaneLink() { ensure(!queued_, "what is queued leaves its queue before it ends"); }

  [[nodiscard]] bool queued() const { return queued_; }

 private:
  template <std::derived_from<LaneLink> T>
  friend class PriorityLanes;

  LaneLink* next_ = nullptr;
  LaneLink* previous_ = nullptr;
  Lane lane_ = Lane::normal;
  bool queued_ = false;
};
static_assert(sizeof(LaneLink) <= 24, "part of every connection");

/// Two first-in-first-out lanes. At most `highs_in_row_max` of the high lane go while somebody waits in the normal one.
template <std::derived_from<LaneLink> T>
class PriorityLanes {
 public:
  explicit PriorityLanes(std::uint32_t highs_in_row_max) : highs_in_row_max_{highs_in_row_max} {
    ensure(highs_in_row_max >= 1, "the high lane goes first at least once");
  }
  PriorityLanes(const PriorityLanes&) = delete;
  PriorityLanes& operator=(const PriorityLanes&) = delete;
  ~PriorityLanes() {
    while (pop() != nullptr) {
    }
  }

  /// Queues at the end of a lane; the element must not be queued.
  void push(T& element, Lane lane) {
    LaneLink& link = element;
    ensure(!link.queued_, "an element waits in one place");
    Ends& ends = ends_of(lane);
    link.lane_ = lane;
    link.queued_ = true;
    link.next_ = nullptr;
    link.previous_ = ends.last;
    (ends.last == nullptr ? ends.first : ends.last->next_) = &link;
    ends.last = &link;
    ++size_;
  }
  /// Takes who is next; null when nobody waits.
  [[nodiscard]] T* pop() {
    LaneLink* const high = ends_of(Lane::high).first;
    LaneLink* const normal = ends_of(Lane::normal).first;
    if (normal == nullptr) {
      highs_in_row_ = 0;  // nobody was passed over
      return high == nullptr ? nullptr : take(*high);
    }
    if (high != nullptr && highs_in_row_ < highs_in_row_max_) {
      ++highs_in_row_;
      return take(*high);
    }
    highs_in_row_ = 0;
    return take(*normal);
  }
  /// Takes an element out before its turn; false if it was not queued. It must not be in another queue.
  bool remove(T& element) {
    LaneLink& link = element;
    if (!link.queued_) return false;
    take(link);
    return true;
  }

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Ends {
    LaneLink* first = nullptr;
    LaneLink* last = nullptr;
  };
  Ends& ends_of(Lane lane) { return ends_[std::to_underlying(lane)]; }
  T* take(LaneLink& link) {
    Ends& ends = ends_of(link.lane_);
    (link.previous_ == nullptr ? ends.first : link.previous_->next_) = link.next_;
    (link.next_ == nullptr ? ends.last : link.next_->previous_) = link.previous_;
    link.next_ = link.previous_ = nullptr;
    link.queued_ = false;
    --size_;
    return static_cast<T*>(&link);
  }

  std::array<Ends, 2> ends_{};
  std::size_t size_ = 0;
  std::uint32_t highs_in_row_ = 0;
  std::uint32_t highs_in_row_max_;
};

}  // namespace ringcast
