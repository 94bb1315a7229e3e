#include "bench/system/limit/sender.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>

#include "tools/terminal.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kLogBytesMax = 256U << 20;
constexpr nanoseconds kSleepMax{50'000'000};

nanoseconds thread_cpu() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return seconds{time.tv_sec} + nanoseconds{time.tv_nsec};
}

double in_seconds(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

LimitSchedule::LimitSchedule(const LimitOptions& options)
    : total_{options.closed_loop() ? 0
                                   : std::max<std::uint64_t>(1, static_cast<std::uint64_t>(
                                                                    std::llround(options.rate * options.seconds)))},
      burst_{options.burst},
      channels_{options.channels},
      interval_ns_{options.closed_loop() ? 0 : 1e9 / options.rate} {}

Sender::Sender(const LimitOptions& options, const std::vector<Reader>& readers, SendPath& path)
    : options_{options}, schedule_{options}, path_{path} {
  for (const Reader& reader : readers) cursors_.push_back({reader.fd.get(), reader.channel, 0, false});
  // Readers of one channel follow each other: what they are sent is still in the cache.
  std::ranges::stable_sort(cursors_, {}, &Cursor::channel);
  const std::size_t log_bytes = kLogBytesMax / options.channels;
  for (std::uint32_t i = 0; i < options.channels; ++i) logs_.emplace_back(options.payload, log_bytes);
}

LimitResult Sender::run(Instant start) {
  wait_until(start);
  spun_ = {};
  const nanoseconds cpu_before = thread_cpu();
  const Instant began = monotonic_now();
  options_.closed_loop() ? closed_loop(start) : open_loop(start);
  while (!StopSignals::requested() && pass(start, true) > 0) {  // what does not fill a batch
  }
  result_.cpu_seconds = in_seconds(thread_cpu() - cpu_before - spun_);
  result_.elapsed_seconds = in_seconds(monotonic_now() - began);
  result_.late_max_seconds = in_seconds(late_max_);
  for (const ChannelLog& log : logs_) result_.messages += log.messages();
  result_.short_sends = path_.short_sends();
  result_.lost_readers = static_cast<std::uint64_t>(std::ranges::count_if(cursors_, &Cursor::broken));
  return result_;
}

void Sender::open_loop(Instant start) {
  while (!StopSignals::requested()) {
    (void)stamp(start);
    if (pass(start, false) > 0) continue;
    if (stamped_ == schedule_.total()) return;
    wait_until(start + schedule_.due(stamped_));
  }
}

void Sender::closed_loop(Instant start) {
  const Instant end = start + nanoseconds{static_cast<nanoseconds::rep>(options_.seconds * 1e9)};
  for (Instant now = monotonic_now(); now < end && !StopSignals::requested(); now = monotonic_now()) {
    for (std::uint32_t channel = 0; channel < logs_.size(); ++channel) {
      for (std::uint64_t i = 0; i < options_.frames_a_send(); ++i) {
        if (logs_[channel].wants_tidying() || !logs_[channel].has_room()) make_room(channel);
        if (logs_[channel].has_room()) logs_[channel].append(now);
      }
    }
    (void)pass(start, false);
  }
}

bool Sender::stamp(Instant start) {
  const nanoseconds since = monotonic_now() - start;
  const std::uint64_t before = stamped_;
  while (stamped_ < schedule_.total() && schedule_.due(stamped_) <= since) {
    const std::uint32_t channel = schedule_.channel(stamped_);
    if (logs_[channel].wants_tidying() || !logs_[channel].has_room()) make_room(channel);
    if (!logs_[channel].has_room()) break;  // too far behind: the schedule is held back
    late_max_ = std::max(late_max_, since - schedule_.due(stamped_));
    logs_[channel].append(start + schedule_.due(stamped_));
    ++stamped_;
  }
  return stamped_ > before;
}

std::uint64_t Sender::pass(Instant start, bool rest) {
  const std::uint64_t batch = rest ? 0 : options_.frames_a_send();
  const bool rolling = !options_.closed_loop() && batch == 0 && !rest;
  std::uint64_t sends = 0;
  for (Cursor& cursor : cursors_) {
    const ChannelLog& log = logs_[cursor.channel];
    std::uint64_t frames = (log.head() - cursor.position) / log.frame_bytes();
    if (frames < std::max<std::uint64_t>(batch, 1) || cursor.broken) continue;
    if (batch > 0) frames = batch;
    frames = std::min<std::uint64_t>(frames, std::numeric_limits<std::int32_t>::max() / log.frame_bytes());
    const auto bytes = static_cast<std::uint32_t>(frames * log.frame_bytes());
    path_.send(cursor.fd, log.at(cursor.position), bytes);
    cursor.position += bytes;
    result_.deliveries += frames;
    ++sends;
    if (rolling && sends % SendPath::kBatchMax == 0) (void)stamp(start);  // later readers get what is due by then
  }
  path_.flush();
  result_.sends += sends;
  leave_out_broken();
  return sends;
}

/// Forgets what every reader of the channel has.
void Sender::make_room(std::uint32_t channel) {
  path_.flush();
  std::uint64_t least = logs_[channel].head();
  for (const Cursor& cursor : cursors_) {
    if (cursor.channel == channel && !cursor.broken) least = std::min(least, cursor.position);
  }
  logs_[channel].forget(least);
}

void Sender::leave_out_broken() {
  for (const int fd : path_.take_broken()) {
    for (Cursor& cursor : cursors_) cursor.broken |= cursor.fd == fd;
  }
}

void Sender::wait_until(Instant until) {
  const Instant began = monotonic_now();
  Instant now = began;
  while (now < until && !StopSignals::requested()) {
    if (!options_.spin) {
      const nanoseconds left = std::min(kSleepMax, nanoseconds{until - now});
      const timespec pause{.tv_sec = 0, .tv_nsec = left.count()};
      nanosleep(&pause, nullptr);
    }
    now = monotonic_now();
  }
  if (options_.spin) spun_ += now - began;
}

}  // namespace ringcast
