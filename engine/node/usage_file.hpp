// engine/node/usage_file.hpp: writes the entitlement record: one JSON line for each subscription that began or ended.
//
// Owner    node.  Thread  the control thread's.
// Memory   the lines that were formatted and not written yet, at most kUsagePendingBytesMax and one lane's record.
// Failure  a file that cannot be opened at start-up is a sentence. Later (a full disk): what was not written is kept
//          and tried again, nothing more is taken from the shards, and they take no subscriptions (usage_record.hpp).
// Not here what is recorded (access/usage_record.hpp).
//
//   {"time":"2026-11-20T10:00:00.123456Z","event":"began","user":"alice","channel":"btcusdt@trade",
//    "connection":"5f3c9a1e07d2b846","address":"192.0.2.7"}      (one line), and later with "event":"ended" and
//    "since":"2026-11-20T10:00:00.123456Z"
//
// Lines are only ever appended. What began and has no end is still going on, or was cut short with the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "engine/access/usage_record.hpp"

namespace ringcast {

inline constexpr std::size_t kUsagePendingBytesMax = 4U << 20;
inline constexpr seconds kUsageSyncInterval{1};  // a machine that dies loses a second of the record, not more

class UsageFile {
 public:
  [[nodiscard]] static Result<std::unique_ptr<UsageFile>, std::string> open(std::string path, std::uint32_t shards);
  ~UsageFile();
  UsageFile(const UsageFile&) = delete;
  UsageFile& operator=(const UsageFile&) = delete;

  [[nodiscard]] UsageLane& lane(std::uint32_t shard) { return *lanes_[shard]; }
  /// Takes what the shards noted and writes it. False: something could not be written; error() says why.
  bool write(Instant now);
  /// For a rotated log: from now on into a new file of the same name. If that cannot be, write() tries it again.
  [[nodiscard]] Result<void, std::string> reopen();
  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] std::uint64_t lines() const { return lines_; }

 private:
  UsageFile(std::string path, int fd, std::uint32_t shards);
  void take(UsageLane& lane);
  bool write_pending();

  std::string path_;
  int fd_;
  std::vector<std::unique_ptr<UsageLane>> lanes_;
  std::string pending_;
  std::size_t written_ = 0;  // of pending_
  std::uint64_t lines_ = 0;
  Instant synced_at_{};
  bool unsynced_ = false;
  bool reopen_wanted_ = false;
  int error_ = 0;
};

}  // namespace ringcast
