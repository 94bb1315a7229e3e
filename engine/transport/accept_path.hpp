// engine/transport/accept_path.hpp: keeps every listener of a shard accepting, and pauses when the process is out of
// something.
//
// Owner    transport.  Thread  the shard's.  Memory  a few words a listener.
// Failure  out of descriptors or memory: accepting stops until a connection closes or kAcceptPause is over, so that it
//          neither busy-loops nor stays off.
// Not here what an accepted connection is (transport, core), opening listeners (listener.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "alloc/base/time.hpp"
#include "engine/ring/ring.hpp"
#include "engine/transport/listener.hpp"

namespace ringcast {

inline constexpr milliseconds kAcceptPause{100};  // a decision: ten tries a second cost nothing

class AcceptPath {
 public:
  struct Counters {
    std::uint64_t pauses = 0;
    std::uint64_t errors = 0;  // accepts that failed, shortages included
    int last_error = 0;
  };

  AcceptPath(Ring& ring, std::vector<Listener> listeners);

  /// Starts accepting on every listener.
  void start();
  /// Takes a completion of Operation::accept. Returns the new descriptor, or -1.
  [[nodiscard]] int handle(const Completion& completion, Instant now);
  /// A descriptor is free again: paused listeners try at once.
  void descriptor_freed();
  /// Resumes listeners whose pause is over.
  void expire(Instant now);
  /// Cancels the accepts and closes the listeners; what is still queued at the kernel is refused by it.
  void stop();

  [[nodiscard]] bool paused() const;
  [[nodiscard]] std::optional<Instant> next_deadline() const;
  /// Accepts that will still complete.
  [[nodiscard]] std::uint32_t in_flight() const;
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] const std::vector<Listener>& listeners() const { return listeners_; }

 private:
  struct State {
    bool armed = false;
    std::optional<Instant> paused_until;
  };
  void arm(std::uint32_t index);

  Ring& ring_;
  std::vector<Listener> listeners_;
  std::vector<State> states_;
  Counters counters_;
  bool stopped_ = false;
};

}  // namespace ringcast
