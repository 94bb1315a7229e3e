// engine/ring/ring.hpp: one io_uring: prepares submissions, submits, and turns completions into data.
//
// Owner    shard.  Thread  the one that opened it (SINGLE_ISSUER); only ring_fd() may be used elsewhere, by MSG_RING.
// Memory   submission and completion queues, and a list that holds every completion not yet handled; sized at open().
// Failure  open() says why not. An overflowing completion queue stops the process: it is sized never to
// (completions_max). Not here what the completions mean (transport), provided buffers (buffer_ring.hpp).
//
// No function calls back. Completions of sends go to one list, all others to another, so that send reports are found
// without reacting to anything else.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "engine/ring/features.hpp"
#include "engine/ring/tag.hpp"

struct io_uring;
struct io_uring_sqe;

namespace ringcast {

inline constexpr std::uint32_t kSubmissionEntries = 1'024;        // 128 KiB; a turn's re-arms and a batch of sends
inline constexpr std::uint32_t kCompletionEntriesMax = 1U << 16;  // the kernel's own bound (IORING_MAX_CQ_ENTRIES)

/// What can be outstanding at once; the completion queue has room for all of it.
struct RingDemand {
  std::uint32_t connections = 0;      // each: one receive, and one of poll or remainder
  std::uint32_t receive_buffers = 0;  // each: one completion that holds it
  std::uint32_t accepts = 0;          // the sum of the listeners' backlogs: a multishot accept completes once for each
  std::uint32_t neighbours = 0;       // other shards: each may ring once, and fail to be rung once
};
/// Completions that can wait at once: what RingDemand adds up to, and what one submit can complete by itself.
[[nodiscard]] constexpr std::uint64_t completions_max(const RingDemand& demand) {
  constexpr std::uint64_t kConnection = 2;  // receive; poll or remainder (cancels are silent, or count as submissions)
  constexpr std::uint64_t kOther = 64;      // eventfd, timers, tests
  return kConnection * demand.connections + demand.receive_buffers + demand.accepts +
         std::uint64_t{2} * demand.neighbours + kSubmissionEntries + kOther;
}

struct RingOptions {
  RingDemand demand;
  RingFeatures features;
};

enum class SendShape : std::uint8_t {
  silent,     // DONTWAIT | WAITALL, completion only if short or failed
  reported,   // DONTWAIT | WAITALL, always a completion, before submit returns
  remainder,  // WAITALL: completes later, when all is taken
};

class Ring {
 public:
  /// Fails with a sentence when the kernel has no usable io_uring or `demand` is more than one queue can hold.
  [[nodiscard]] static Result<std::unique_ptr<Ring>, std::string> open(const RingOptions& options);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // ---- preparing: nothing reaches the kernel before submit(); when the queue is full, it is submitted first ----

  void accept_multishot(Tag tag, int listener);
  void receive_multishot(Tag tag, int socket, std::uint16_t buffer_group);
  void send(Tag tag, int socket, const std::uint8_t* data, std::uint32_t size, SendShape shape);
  /// Completes once when the socket takes bytes again (or failed).
  void poll_writable(Tag tag, int socket);
  /// Reads the 8 bytes of an eventfd into `count`, which must stay in place until the completion.
  void read_event(Tag tag, int event_fd, std::uint64_t& count);
  /// Cancels the request tagged `target`. Silent when it did; -ENOENT or -EALREADY under `tag` when there was none.
  void cancel(Tag tag, Tag target);
  /// Completes at the other ring as `delivered`. Silent here unless it failed.
  void message(Tag tag, int other_ring_fd, Tag delivered);
  /// Submits now unless `count` submissions more fit into the queue.
  void make_room(std::uint32_t count);

  // ---- submitting and reaping ----

  /// Hands over all that is prepared and takes every completion there is. Never waits.
  void submit_and_reap();
  /// The same if there is anything to hand over or to take; no system call otherwise.
  void poll();
  /// Submits and waits until there is a completion, the time is over, or a signal came; takes every completion.
  void wait(nanoseconds at_most);
  /// Whether completions wait in the list or at the kernel, as far as can be seen without asking it.
  [[nodiscard]] bool has_news() const;
  /// Whether the kernel may have completions that has_news() does not see: poll() asks, and wait() does not sleep then.
  [[nodiscard]] bool must_be_asked() const { return !features_.taskrun_flag || flag_is_stale_; }

  /// Completions of sends since the last call, in order. Valid until the next call of this function.
  [[nodiscard]] std::span<const Completion> take_send_reports();
  /// Every other completion since the last call, in order. Valid until the next call of this function.
  [[nodiscard]] std::span<const Completion> take_completions();

  [[nodiscard]] int ring_fd() const;
  [[nodiscard]] std::uint32_t completion_entries() const;
  [[nodiscard]] const RingFeatures& features() const { return features_; }
  /// Submissions that io_uring_enter has taken since open(), and how often it was called.
  [[nodiscard]] std::uint64_t submissions() const { return submissions_; }
  [[nodiscard]] std::uint64_t enters() const { return enters_; }

 private:
  friend class BufferRing;
  explicit Ring(const RingFeatures& features);

  io_uring_sqe& next_submission();
  /// Submits everything; returns once the kernel has consumed every submission.
  void submit_all();
  void reap();
  [[nodiscard]] bool flag_is_set() const;

  std::unique_ptr<io_uring> ring_;
  bool open_ = false;
  RingFeatures features_;
  // The kernel announces work after it has queued it. If we have taken the work in between, the flag comes late and
  // stays until there is other work: a shard that believed it would turn without end and never sleep.
  bool flag_is_stale_ = false;
  std::vector<Completion> sends_;        // since take_send_reports()
  std::vector<Completion> sends_taken_;  // handed out by it
  std::vector<Completion> arrived_;      // since take_completions()
  std::vector<Completion> taken_;        // handed out by it
  std::uint64_t submissions_ = 0;
  std::uint64_t enters_ = 0;
};

}  // namespace ringcast
