#include "engine/reactor/doorbell.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

#include "alloc/base/ensure.hpp"

namespace ringcast {

Result<std::unique_ptr<DoorbellBoard>, std::string> DoorbellBoard::make(std::uint32_t shards) {
  ensure(shards >= 1 && shards <= kShardsMax, "a node has 1 to kShardsMax shards");
  std::unique_ptr<DoorbellBoard> board{new DoorbellBoard{shards}};
  for (std::uint32_t i = 0; i < shards; ++i) {
    // Blocking: io_uring would answer -EAGAIN for a non-blocking one instead of waiting. A write cannot block: the
    // counter would have to reach 2^64 - 1.
    board->beds_[i].event_fd = ::eventfd(0, EFD_CLOEXEC);
    if (board->beds_[i].event_fd < 0) return unexpected(std::string{"no eventfd for a shard: "} + std::strerror(errno));
  }
  return board;
}

DoorbellBoard::~DoorbellBoard() {
  for (Bed& bed : beds_) {
    if (bed.event_fd >= 0) ::close(bed.event_fd);
  }
}

DoorbellBoard::Bed& DoorbellBoard::bed(ShardIndex shard) {
  ensure(value(shard) < shards_, "a bell belongs to a shard of this node");
  return beds_[value(shard)];
}

void DoorbellBoard::ring_event(ShardIndex shard) {
  const std::uint64_t one = 1;
  const auto written = ::write(bed(shard).event_fd, &one, sizeof one);
  ensure(written == sizeof one, "an eventfd takes a write");
}

Doorbell::Doorbell(DoorbellBoard& board, ShardIndex own, Ring& ring) : board_{board}, own_{own}, ring_{ring} {
  board_.set_ring(own_, ring_.ring_fd());
  listen();
}

void Doorbell::listen() {
  ring_.read_event({Operation::wake_event, {.slot = 0, .generation = 0}}, board_.event_fd(own_), event_count_);
}

std::uint32_t Doorbell::ring(std::uint64_t shards) {
  std::uint32_t rung = 0;
  for (std::uint64_t rest = shards; rest != 0; rest &= rest - 1) {
    const auto index = static_cast<std::uint16_t>(std::countr_zero(rest));
    const ShardIndex shard{index};
    if (!board_.must_ring(shard)) continue;
    ++rung;
    const int other_ring = ring_.features().message_ring ? board_.ring_fd(shard) : -1;
    if (other_ring < 0) {
      board_.ring_event(shard);
    } else {
      ring_.message({Operation::doorbell_failed, {.slot = index, .generation = 0}}, other_ring,
                    {Operation::doorbell, {.slot = value(own_), .generation = 0}});
    }
  }
  return rung;
}

void Doorbell::handle(const Completion& completion) {
  switch (completion.tag().operation) {
    case Operation::doorbell: ++heard_; return;
    case Operation::wake_event:
      if (completion.result == -ECANCELED) return;
      ensure(completion.result == sizeof event_count_ || completion.result == -EINTR, "an eventfd can be read");
      ++heard_;
      listen();
      return;
    case Operation::doorbell_failed:
      board_.ring_event(ShardIndex{static_cast<std::uint16_t>(completion.tag().subject.slot)});
      return;
    default: ensure(false, "a doorbell is told of its own completions only");
  }
}

}  // namespace ringcast
