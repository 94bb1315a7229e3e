#include "engine/transport/accept_path.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "alloc/base/ensure.hpp"

namespace ringcast {

namespace {

/// Errors of one connection that is gone already; the next one may be fine.
bool concerns_one_connection(int error) {
  switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EAGAIN:
    case EPERM:  // a firewall rule
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH: return true;
    default: return false;
  }
}

Tag tag(Operation operation, std::uint32_t index) { return {operation, {.slot = index, .generation = 0}}; }

}  // namespace

AcceptPath::AcceptPath(Ring& ring, std::vector<Listener> listeners)
    : ring_{ring}, listeners_{std::move(listeners)}, states_(listeners_.size()) {}

void AcceptPath::arm(std::uint32_t index) {
  ensure(!states_[index].armed, "a listener has one accept at the kernel");
  states_[index] = {.armed = true, .paused_until = std::nullopt};
  ring_.accept_multishot(tag(Operation::accept, index), listeners_[index].fd());
}

void AcceptPath::start() {
  for (std::uint32_t i = 0; i < listeners_.size(); ++i) arm(i);
}

int AcceptPath::handle(const Completion& completion, Instant now) {
  const std::uint32_t index = completion.tag().subject.slot;
  ensure(index < listeners_.size() && states_[index].armed, "an accept completes for an armed listener");
  const int error = completion.result < 0 ? -completion.result : 0;
  if (!completion.more) states_[index].armed = false;
  if (stopped_ && !completion.more) listeners_[index].close();
  if (error == 0) {
    if (!completion.more && !stopped_) arm(index);
    return completion.result;
  }
  if (stopped_) return -1;
  ++counters_.errors;
  counters_.last_error = error;
  if (completion.more) return -1;
  if (concerns_one_connection(error)) {
    arm(index);
  } else {  // EMFILE, ENFILE, ENOBUFS, ENOMEM; also what nobody expects: it may pass, and must not spin
    ++counters_.pauses;
    states_[index].paused_until = now + kAcceptPause;
  }
  return -1;
}

void AcceptPath::descriptor_freed() {
  if (stopped_) return;
  for (std::uint32_t i = 0; i < states_.size(); ++i) {
    if (states_[i].paused_until) arm(i);
  }
}

void AcceptPath::expire(Instant now) {
  if (stopped_) return;
  for (std::uint32_t i = 0; i < states_.size(); ++i) {
    if (states_[i].paused_until && *states_[i].paused_until <= now) arm(i);
  }
}

void AcceptPath::stop() {
  if (std::exchange(stopped_, true)) return;
  for (std::uint32_t i = 0; i < states_.size(); ++i) {
    states_[i].paused_until.reset();
    if (states_[i].armed) {
      ring_.cancel(tag(Operation::cancel, i), tag(Operation::accept, i));
    } else {
      listeners_[i].close();
    }
  }
}

bool AcceptPath::paused() const {
  return std::ranges::any_of(states_, [](const State& state) { return state.paused_until.has_value(); });
}

std::optional<Instant> AcceptPath::next_deadline() const {
  std::optional<Instant> first;
  for (const State& state : states_) {
    if (state.paused_until && (!first || *state.paused_until < *first)) first = state.paused_until;
  }
  return first;
}

std::uint32_t AcceptPath::in_flight() const {
  return static_cast<std::uint32_t>(std::ranges::count_if(states_, [](const State& state) { return state.armed; }));
}

}  // namespace ringcast
