// alloc/queue/circular_buffer.hpp: the newest so many of something, oldest first.
//
// Owner    whoever keeps the past (history, recorders), by value.  Thread  one.
// Memory   none until the first push; then room that doubles up to exactly the bound. shrink_to_fit() gives it back.
// Failure  push() says false at the bound; push_overwrite() returns what it had to drop.
// Not here bounds in bytes or time (the caller pops until it fits).
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "alloc/base/ensure.hpp"

namespace ringcast {

template <class T>
class CircularBuffer {
  static_assert(std::is_nothrow_move_constructible_v<T>, "growing moves the elements and cannot fail half way");

 public:
  static constexpr std::size_t kCapacityFirst = 4;

  /// size_max  at least 1, any number.
  explicit CircularBuffer(std::size_t size_max) : size_max_{size_max} {
    ensure(size_max > 0, "a circular buffer holds at least one element");
  }
  CircularBuffer(CircularBuffer&& other) noexcept
      : slots_{std::exchange(other.slots_, nullptr)},
        capacity_{std::exchange(other.capacity_, 0)},
        first_{std::exchange(other.first_, 0)},
        size_{std::exchange(other.size_, 0)},
        size_max_{other.size_max_} {}
  CircularBuffer& operator=(CircularBuffer&& other) noexcept {
    if (this != &other) {
      std::destroy_at(this);
      std::construct_at(this, std::move(other));
    }
    return *this;
  }
  ~CircularBuffer() {
    clear();
    give_back();
  }

  /// Adds the newest. False, and nothing is taken, at the bound.
  [[nodiscard]] bool push(T value) {
    if (full()) return false;
    if (size_ == capacity_) move_to(std::min(size_max_, std::max(kCapacityFirst, capacity_ * 2)));
    std::construct_at(place(size_), std::move(value));
    ++size_;
    return true;
  }
  /// Adds the newest and returns the oldest if it had to go.
  std::optional<T> push_overwrite(T value) {
    std::optional<T> dropped;
    if (full()) dropped.emplace(pop());
    const bool pushed = push(std::move(value));
    ensure(pushed, "after dropping one there is room for one");
    return dropped;
  }
  /// Takes the oldest out; there must be one.
  T pop() {
    ensure(size_ > 0, "pop() takes an element that is there");
    T value{std::move(*place(0))};
    std::destroy_at(place(0));
    first_ = first_ + 1 == capacity_ ? 0 : first_ + 1;
    --size_;
    return value;
  }
  void clear() {
    while (size_ > 0) pop();
  }

  /// Counts from the oldest: [0] is the oldest, [size() - 1] the newest.
  [[nodiscard]] T& operator[](std::size_t position) {
    ensure(position < size_, "a position in a circular buffer is below its size");
    return *place(position);
  }
  [[nodiscard]] const T& operator[](std::size_t position) const {
    ensure(position < size_, "a position in a circular buffer is below its size");
    return *place(position);
  }
  [[nodiscard]] T& oldest() { return (*this)[0]; }
  [[nodiscard]] const T& oldest() const { return (*this)[0]; }
  [[nodiscard]] T& newest() { return (*this)[size_ - 1]; }
  [[nodiscard]] const T& newest() const { return (*this)[size_ - 1]; }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t size_max() const { return size_max_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] bool full() const { return size_ == size_max_; }
  [[nodiscard]] std::size_t bytes_reserved() const { return capacity_ * sizeof(T); }

  /// Gives back the room that no element uses; all of it when empty.
  void shrink_to_fit() {
    if (size_ < capacity_) move_to(size_);
  }

 private:
  [[nodiscard]] T* place(std::size_t position) const {
    const std::size_t to_end = capacity_ - first_;
    return slots_ + (position < to_end ? first_ + position : position - to_end);
  }
  void move_to(std::size_t capacity) {
    T* slots = capacity == 0 ? nullptr : std::allocator<T>{}.allocate(capacity);
    for (std::size_t i = 0; i < size_; ++i) {
      std::construct_at(slots + i, std::move(*place(i)));
      std::destroy_at(place(i));
    }
    give_back();
    slots_ = slots;
    capacity_ = capacity;
    first_ = 0;
  }
  void give_back() {
    if (slots_ != nullptr) std::allocator<T>{}.deallocate(slots_, capacity_);
    slots_ = nullptr;
  }

  T* slots_ = nullptr;  // owned; capacity_ places of which size_ hold an element
  std::size_t capacity_ = 0;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  std::size_t size_max_;
};

}  // namespace ringcast
