#include "engine/transport/send_path.hpp"

#include <algorithm>
#include <cerrno>

#include "alloc/base/ensure.hpp"

namespace ringcast {

namespace {
constexpr int kReportWaitsMax = 100;  // of 100 ms: a completion-wanted send that never blocks reports at once
}

SendPath::SendPath(Ring& ring, ConnectionTable& connections, TlsPath& tls)
    : ring_{ring},
      connections_{connections},
      tls_{tls},
      shape_{ring.features().silent_sends ? SendShape::silent : SendShape::reported} {
  reports_.reserve(kSendBatchMax);
  sealed_.reserve(kSendBatchMax);
}

void SendPath::prepare(const SendEntry& entry, std::uint32_t index) {
  ConnectionState* state = connections_.find(entry.connection);
  ensure(state != nullptr && !state->closing, "a send goes to an open connection");
  ensure(entry.size != 0, "a send has bytes");
  ensure(state->last_batch != batch_number_, "a connection has at most one send a submit");
  state->last_batch = batch_number_;
  if (state->tls != nullptr) {
    prepare_tls(entry, index, *state);
    return;
  }
  ensure(!state->remainder, "nothing is sent beside a remainder");
  if (entry.remainder) {
    state->remainder = true;
    ring_.send({Operation::remainder, entry.connection}, state->fd, entry.data, entry.size, SendShape::remainder);
  } else {
    submit(*state, index, {entry.data, entry.size});
  }
}

void SendPath::prepare_tls(const SendEntry& entry, std::uint32_t index, ConnectionState& state) {
  const TlsPath::Sealed sealed = tls_.seal(entry, index, state);
  if (!sealed.wire.empty()) {
    sealed_.push_back({.entry = index, .plain = sealed.plain});
    submit(state, index, sealed.wire);
  } else if (sealed.result != 0) {
    reports_.push_back({.entry = index, .result = sealed.result});
  }
}

void SendPath::submit(ConnectionState& state, std::uint32_t index, Bytes bytes) {
  wire_bytes_[index] = static_cast<std::uint32_t>(bytes.size());
  ring_.send({Operation::send, {.slot = index, .generation = batch_number_}}, state.fd, bytes.data(),
             static_cast<std::uint32_t>(bytes.size()), shape_);
  if (shape_ == SendShape::reported) ++reports_due_;
}

std::uint32_t SendPath::collect() {
  const auto completions = ring_.take_send_reports();
  for (const Completion& completion : completions) {
    const Handle subject = completion.tag().subject;
    ensure(subject.generation == batch_number_ && subject.slot < kSendBatchMax,
           "a report is of the batch just submitted");
    const bool whole =
        completion.result >= 0 && static_cast<std::uint32_t>(completion.result) == wire_bytes_[subject.slot];
    if (!whole) reports_.push_back({.entry = subject.slot, .result = completion.result});
  }
  return static_cast<std::uint32_t>(completions.size());
}

/// What was encrypted is sent as far as the core is concerned; what the kernel did not take of it, TLS keeps.
void SendPath::translate_tls_reports(std::span<const SendEntry> batch) {
  for (const Sealed& sealed : sealed_) {
    const SendEntry& entry = batch[sealed.entry];
    auto report = std::ranges::find(reports_, sealed.entry, &SendReport::entry);
    if (report != reports_.end()) {
      if (report->result < 0 && report->result != -EAGAIN) continue;  // the socket is broken
      const auto taken = static_cast<std::size_t>(std::max(report->result, 0));
      tls_.taken_in_part(entry.connection, *connections_.find(entry.connection), sealed.entry, taken);
    }
    if (sealed.plain == entry.size) {
      if (report != reports_.end()) reports_.erase(report);
    } else if (report != reports_.end()) {
      report->result = static_cast<std::int32_t>(sealed.plain);
    } else {
      reports_.push_back({.entry = sealed.entry, .result = static_cast<std::int32_t>(sealed.plain)});
    }
  }
  sealed_.clear();
}

std::span<const SendReport> SendPath::send(std::span<const SendEntry> batch) {
  ensure(batch.size() <= kSendBatchMax, "a batch is at most kSendBatchMax sends");
  reports_.clear();
  if (++batch_number_ == 0) ++batch_number_;                  // 0 is what a new connection's last_batch says
  ring_.make_room(static_cast<std::uint32_t>(batch.size()));  // so that no submit comes between two of them
  reports_due_ = 0;
  for (std::uint32_t i = 0; i < batch.size(); ++i) prepare(batch[i], i);
  ring_.submit_and_reap();
  std::uint32_t seen = collect();
  for (int waits = 0; seen < reports_due_; ++waits) {
    ensure(waits < kReportWaitsMax, "every send that does not block reports");
    ring_.wait(milliseconds{100});
    seen += collect();
  }
  if (!sealed_.empty()) translate_tls_reports(batch);
  std::ranges::sort(reports_, {}, &SendReport::entry);
  return reports_;
}

}  // namespace ringcast
