// engine/ring/tag.hpp: what a submission asked for and for whom, packed into the 64 bits that its completion returns.
//
// Thread  any (values).  Memory  none.  Failure  a slot beyond 24 bits stops the process.
// Not here what to do with a completion (transport, shard).
//
// A completion may come after its connection has gone and its slot lives again: the generation tells the two apart.
#pragma once

#include <cstdint>

#include "alloc/base/ensure.hpp"
#include "alloc/base/identifiers.hpp"

namespace ringcast {

enum class Operation : std::uint8_t {
  none,
  accept,   // slot: which listener
  receive,  // slot and generation: the connection, as in the next three
  remainder,
  writable,
  cancel,
  send,             // slot: index into the batch; generation: number of the batch
  doorbell,         // another shard woke this one
  doorbell_failed,  // slot: the shard that MSG_RING could not reach
  wake_event,       // the eventfd of this shard was written
  probe,            // start-up tests
};

struct Tag {
  Operation operation = Operation::none;
  Handle subject;
};

inline constexpr std::uint32_t kTagSlotMax = (1U << 24) - 1;

[[nodiscard]] inline std::uint64_t pack(Tag tag) {
  ensure(tag.subject.slot <= kTagSlotMax, "a tag has room for the slot");
  return std::uint64_t{static_cast<std::uint8_t>(tag.operation)} << 56 | std::uint64_t{tag.subject.slot} << 32 |
         tag.subject.generation;
}
[[nodiscard]] constexpr Tag unpack(std::uint64_t user_data) {
  return {.operation = static_cast<Operation>(user_data >> 56),
          .subject = {.slot = static_cast<std::uint32_t>(user_data >> 32) & kTagSlotMax,
                      .generation = static_cast<std::uint32_t>(user_data)}};
}

/// One completion, as plain data.
struct Completion {
  std::uint64_t user_data = 0;
  std::int32_t result = 0;   // bytes, a descriptor, or -errno
  std::uint16_t buffer = 0;  // which provided buffer holds the bytes, if has_buffer
  bool has_buffer = false;
  bool more = false;  // a multishot request goes on

  [[nodiscard]] Tag tag() const { return unpack(user_data); }
};
static_assert(sizeof(Completion) == 16);

}  // namespace ringcast
