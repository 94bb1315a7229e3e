// bench/system/limit/sender.hpp: the bare loop: what is due is stamped once and sent to every reader of its channel.
//
// Owner    main, for one run.  Thread  main.
// Memory   a log a channel, kLogBytesMax together; a position a reader.
// Failure  a reader whose connection broke is left out and counted.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "alloc/base/time.hpp"
#include "bench/system/limit/audience.hpp"
#include "bench/system/limit/channel_log.hpp"
#include "bench/system/limit/options.hpp"
#include "bench/system/limit/send_path.hpp"

namespace ringcast {

/// What was due by when. Counts messages over all channels.
class LimitSchedule {
 public:
  explicit LimitSchedule(const LimitOptions& options);

  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] nanoseconds due(std::uint64_t message) const {
    return nanoseconds{static_cast<nanoseconds::rep>(static_cast<double>(message / burst_ * burst_) * interval_ns_)};
  }
  [[nodiscard]] std::uint32_t channel(std::uint64_t message) const {
    return static_cast<std::uint32_t>(message / burst_ % channels_);
  }

 private:
  std::uint64_t total_, burst_, channels_;
  double interval_ns_;
};

class Sender {
 public:
  Sender(const LimitOptions& options, const std::vector<Reader>& readers, SendPath& path);

  /// Sends everything, beginning at `start`. Ends early when a stop is requested.
  [[nodiscard]] LimitResult run(Instant start);
  /// How many messages a channel had.
  [[nodiscard]] std::uint64_t messages(std::uint32_t channel) const { return logs_[channel].messages(); }

 private:
  void open_loop(Instant start);
  void closed_loop(Instant start);
  /// Stamps what is due; false if nothing was.
  bool stamp(Instant start);
  /// Each reader once: sends what there is for it. How many sends that were.
  std::uint64_t pass(Instant start, bool rest);
  void make_room(std::uint32_t channel);
  void wait_until(Instant until);
  void leave_out_broken();

  LimitOptions options_;
  LimitSchedule schedule_;
  SendPath& path_;
  struct Cursor {
    int fd = -1;
    std::uint32_t channel = 0;
    std::uint64_t position = 0;
    bool broken = false;
  };
  std::vector<Cursor> cursors_;
  std::vector<ChannelLog> logs_;
  std::uint64_t stamped_ = 0;
  nanoseconds spun_{}, late_max_{};
  LimitResult result_;
};

}  // namespace ringcast
