#include "engine/node/usage_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "codec/text/json_write.hpp"
#include "codec/text/numbers.hpp"
#include "codec/text/timestamp.hpp"

namespace ringcast {
namespace {

constexpr int kUsageMode = 0640;  // as the statistics segment: the owner and the group

int open_file(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kUsageMode);
}
std::string sentence_of(const std::string& path, int error) {
  return "access.usage_log: " + path + ": cannot be written: " + std::strerror(error);
}

void append_line(std::string& out, const UsageRecord& record) {
  const bool ended = record.kind == UsageRecord::Kind::ended;
  out += R"({"time":")";
  append_timestamp(out, record.at);
  out += ended ? R"(","event":"ended")" : R"(","event":"began")";
  if (!record.user.empty()) {
    out += R"(,"user":)";
    append_json_string(out, record.user);
  }
  out += R"(,"channel":)";
  append_json_string(out, record.channel);
  if (ended) {
    out += R"(,"since":")";
    append_timestamp(out, record.since);
    out += '"';
  }
  out += R"(,"connection":")";
  append_epoch(out, Epoch{record.connection});  // sixteen digits, as the client was told
  out += R"(","address":")";
  out += record.port == 0 ? "unix" : to_text(record.address);
  out += "\"}\n";
}

}  // namespace

Result<std::unique_ptr<UsageFile>, std::string> UsageFile::open(std::string path, std::uint32_t shards) {
  const int fd = open_file(path);
  if (fd < 0) return unexpected(sentence_of(path, errno));
  return std::unique_ptr<UsageFile>{new UsageFile{std::move(path), fd, shards}};
}

UsageFile::UsageFile(std::string path, int fd, std::uint32_t shards) : path_{std::move(path)}, fd_{fd} {
  for (std::uint32_t i = 0; i < shards; ++i) lanes_.push_back(std::make_unique<UsageLane>(kUsageLaneBytes));
}

UsageFile::~UsageFile() {
  if (unsynced_) ::fdatasync(fd_);
  ::close(fd_);
}

void UsageFile::take(UsageLane& lane) {
  while (pending_.size() - written_ < kUsagePendingBytesMax) {
    const Bytes bytes = lane.peek();
    if (bytes.empty()) break;
    const auto record = decode_usage_record(bytes);
    ensure(record.has_value(), "a shard's records are whole");
    append_line(pending_, *record);
    ++lines_;
    lane.pop();
  }
  lane.release();
}

bool UsageFile::write_pending() {
  while (written_ < pending_.size()) {
    const ssize_t count = ::write(fd_, pending_.data() + written_, pending_.size() - written_);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      error_ = count < 0 ? errno : EIO;
      return false;
    }
    written_ += static_cast<std::size_t>(count);
    unsynced_ = true;
  }
  pending_.clear();
  written_ = 0;
  return true;
}

bool UsageFile::write(Instant now) {
  // What could not be written goes first; a line that was cut by a full disk is finished when there is room.
  if (!write_pending()) return false;
  if (reopen_wanted_ && !reopen()) return false;
  for (const auto& lane : lanes_) take(*lane);
  if (!write_pending()) return false;
  if (unsynced_ && now - synced_at_ >= kUsageSyncInterval) {
    synced_at_ = now;
    if (::fdatasync(fd_) != 0) {
      error_ = errno;
      return false;
    }
    unsynced_ = false;
  }
  error_ = 0;
  return true;
}

Result<void, std::string> UsageFile::reopen() {
  reopen_wanted_ = true;  // a line that was begun is finished where it was begun
  if (!write_pending()) return unexpected(sentence_of(path_, error_));
  const int fd = open_file(path_);
  if (fd < 0) {
    error_ = errno;
    return unexpected(sentence_of(path_, error_));
  }
  reopen_wanted_ = false;
  if (unsynced_) ::fdatasync(fd_);
  unsynced_ = false;
  ::close(std::exchange(fd_, fd));
  return {};
}

}  // namespace ringcast
