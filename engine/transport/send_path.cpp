#include "engine/transport/send_path.hpp"

#include <algorithm>

#include "alloc/base/ensure.hpp"

namespace ringcast {

namespace {
constexpr int kReportWaitsMax = 100;  // of 100 ms: a completion-wanted send that never blocks reports at once
}

SendPath::SendPath(Ring& ring, ConnectionTable& connections)
    : ring_{ring},
      connections_{connections},
      shape_{ring.features().silent_sends ? SendShape::silent : SendShape::reported} {
  reports_.reserve(kSendBatchMax);
}

void SendPath::prepare(const SendEntry& entry, std::uint32_t index) {
  ConnectionState* state = connections_.find(entry.connection);
  ensure(state != nullptr && !state->closing, "a send goes to an open connection");
  ensure(entry.size != 0, "a send has bytes");
  ensure(state->last_batch != batch_number_, "a connection has at most one send a submit");
  ensure(!state->remainder, "nothing is sent beside a remainder");
  state->last_batch = batch_number_;
  if (entry.remainder) {
    state->remainder = true;
    ring_.send({Operation::remainder, entry.connection}, state->fd, entry.data, entry.size, SendShape::remainder);
  } else {
    ring_.send({Operation::send, {.slot = index, .generation = batch_number_}}, state->fd, entry.data, entry.size,
               shape_);
  }
}

std::uint32_t SendPath::collect(std::span<const SendEntry> batch) {
  const auto completions = ring_.take_send_reports();
  for (const Completion& completion : completions) {
    const Handle subject = completion.tag().subject;
    ensure(subject.generation == batch_number_ && subject.slot < batch.size(),
           "a report is of the batch just submitted");
    const bool whole =
        completion.result >= 0 && static_cast<std::uint32_t>(completion.result) == batch[subject.slot].size;
    if (!whole) reports_.push_back({.entry = subject.slot, .result = completion.result});
  }
  return static_cast<std::uint32_t>(completions.size());
}

std::span<const SendReport> SendPath::send(std::span<const SendEntry> batch) {
  ensure(batch.size() <= kSendBatchMax, "a batch is at most kSendBatchMax sends");
  reports_.clear();
  if (++batch_number_ == 0) ++batch_number_;                  // 0 is what a new connection's last_batch says
  ring_.make_room(static_cast<std::uint32_t>(batch.size()));  // so that no submit comes between two of them
  std::uint32_t reports_due = 0;
  for (std::uint32_t i = 0; i < batch.size(); ++i) {
    prepare(batch[i], i);
    if (shape_ == SendShape::reported && !batch[i].remainder) ++reports_due;
  }
  ring_.submit_and_reap();
  std::uint32_t seen = collect(batch);
  for (int waits = 0; seen < reports_due; ++waits) {
    ensure(waits < kReportWaitsMax, "every send that does not block reports");
    ring_.wait(milliseconds{100});
    seen += collect(batch);
  }
  std::ranges::sort(reports_, {}, &SendReport::entry);
  return reports_;
}

}  // namespace ringcast
