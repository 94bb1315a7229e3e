// engine/transport/connection_table.hpp: the shell's side of each connection: its descriptor and what is in flight.
//
// Owner    transport.  Thread  the shard's.
// Memory   24 bytes a slot that was ever used, in one array that grows to the shard's largest slot.
// Failure  a slot used twice stops the process.
// Not here everything a connection means (the core); the core gives the handles.
#pragma once

#include <cstdint>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "alloc/base/identifiers.hpp"

namespace ringcast {

struct TlsConnection;

struct ConnectionState {
  TlsConnection* tls = nullptr;  // tls_path's; null: the bytes are what the core says and hears
  std::int32_t fd = -1;          // -1: the slot is free
  std::uint32_t generation = 0;
  std::uint32_t last_batch = 0;  // number of the last batch that held a send of this connection

  // Requests at the kernel, each of which will complete once more:
  bool receiving : 1 = false;
  bool polling : 1 = false;    // for writability
  bool remainder : 1 = false;  // a completion-wanted send: of the core's, or of what TLS made of it

  bool receive_wanted : 1 = false;     // not paused
  bool receive_cancelled : 1 = false;  // a cancel is on its way to the armed receive
  bool ended = false;                  // the peer said its last, or the socket failed: never receive again
  bool starved = false;                // waits for a receive buffer
  bool closing = false;                // close when nothing is in flight

  [[nodiscard]] bool in_flight() const { return receiving || polling || remainder; }
};
static_assert(sizeof(ConnectionState) <= 24, "10,000 idle connections cost the shell little");

class ConnectionTable {
 public:
  void add(Handle handle, int fd) {
    if (handle.slot >= states_.size()) states_.resize(std::size_t{handle.slot} + 1);
    ConnectionState& state = states_[handle.slot];
    ensure(state.fd < 0, "a slot has one connection at a time");
    state = {};
    state.fd = fd;
    state.generation = handle.generation;
    ++open_;
  }
  void remove(Handle handle) {
    ConnectionState* state = find(handle);
    ensure(state != nullptr && !state->in_flight(), "a slot is free when the last completion has come");
    *state = {};
    --open_;
  }
  /// Null when the slot is free or lives another life.
  [[nodiscard]] ConnectionState* find(Handle handle) {
    if (handle.slot >= states_.size()) return nullptr;
    ConnectionState& state = states_[handle.slot];
    return state.fd >= 0 && state.generation == handle.generation ? &state : nullptr;
  }
  [[nodiscard]] std::uint32_t open() const { return open_; }
  template <class Visit>
  void for_each(Visit&& visit) {
    for (std::uint32_t slot = 0; slot < states_.size(); ++slot) {
      if (states_[slot].fd >= 0) visit(Handle{.slot = slot, .generation = states_[slot].generation}, states_[slot]);
    }
  }

 private:
  std::vector<ConnectionState> states_;
  std::uint32_t open_ = 0;
};

}  // namespace ringcast
