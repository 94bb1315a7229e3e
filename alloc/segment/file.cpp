#include "alloc/segment/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "alloc/segment/layout.hpp"
#include "alloc/segment/process_probe.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kPageBytes = 4'096;  // blocks of different writers never share a page
constexpr int kTriesMax = 16;              // each needs another node to start or stop in the same instant

using Kind = SegmentError::Kind;

std::size_t round_up(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

std::uint64_t ns(Instant at) { return static_cast<std::uint64_t>(at.time_since_epoch().count()); }
std::uint64_t ns(WallTime at) { return static_cast<std::uint64_t>(at.time_since_epoch().count()); }

SegmentError system_error(const std::string& path, const char* what) {
  return {Kind::system, path + ": " + what + ": " + std::strerror(errno)};
}

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_{fd} {}
  Descriptor(Descriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

bool same_file(int fd, const std::string& path) {
  struct stat mine{};
  struct stat there{};
  return ::fstat(fd, &mine) == 0 && ::lstat(path.c_str(), &there) == 0 && mine.st_ino == there.st_ino &&
         mine.st_dev == there.st_dev;
}

enum class Cleared : std::uint8_t { free, try_again };

/// Removes what a dead node left at `path`. Whoever holds the lock of the file at `path` may remove it; nobody else.
Result<Cleared, SegmentError> clear_stale(const std::string& path, std::string_view name) {
  Descriptor old{::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)};
  if (old.get() < 0) {
    if (errno == ENOENT) return Cleared::free;
    return unexpected(system_error(path, "exists and cannot be opened"));
  }
  rcs_header header{};
  const ssize_t size = ::pread(old.get(), &header, sizeof header, 0);
  const bool is_segment = size == static_cast<ssize_t>(sizeof header) &&
                          std::memcmp(header.magic, RCS_MAGIC, sizeof header.magic) == 0;
  if (!is_segment) {
    if (!same_file(old.get(), path)) return Cleared::try_again;
    return unexpected(SegmentError{Kind::foreign, path + ": exists and is not a statistics segment; remove it, or "
                                                         "start the node under another name"});
  }
  if (::flock(old.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return unexpected(system_error(path, "cannot be locked"));
    if (!same_file(old.get(), path)) return Cleared::try_again;
    return unexpected(SegmentError{Kind::in_use, "a node named '" + std::string{name} + "' is already running (pid " +
                                                     std::to_string(header.pid) +
                                                     "); start this one under another name"});
  }
  if (!same_file(old.get(), path)) return Cleared::try_again;  // somebody else replaced it between open and lock
  if (::unlink(path.c_str()) != 0) return unexpected(system_error(path, "left by a dead node and cannot be removed"));
  return Cleared::free;
}

/// Puts a nameless file into the directory; false if the name has been taken meanwhile.
Result<bool, SegmentError> link_into(int fd, const std::string& path) {
  const std::string self = "/proc/self/fd/" + std::to_string(fd);
  if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0) return true;
  if (errno == EEXIST) return false;
  return unexpected(system_error(path, "cannot be created"));
}

/// Where everything goes: the header, the section table, the rows, then one block a shard and the node's.
class Plan {
 public:
  explicit Plan(const SegmentSpec& spec) {
    const std::size_t sections = 3 + spec.shard_parts.size() * spec.shards + spec.node_parts.size();
    std::size_t at = round_up(sizeof(rcs_header), kCacheLineBytes);
    sections_offset_ = at;
    at = round_up(at + sections * sizeof(rcs_section), kCacheLineBytes);
    at = add_rows(RCS_SECTION_COUNTER_ROWS, at, spec.counters.size(), sizeof(rcs_counter_row));
    at = add_rows(RCS_SECTION_HISTOGRAM_ROWS, at, spec.histograms.size(), sizeof(rcs_histogram_row));
    at = add_rows(RCS_SECTION_EVENT_ROWS, at, spec.events.size(), sizeof(rcs_event_row));
    shard_blocks_offset = round_up(at, kPageBytes);
    shard_block_stride = round_up(spec.shard_block_bytes, kPageBytes);
    for (std::uint32_t shard = 0; shard < spec.shards; ++shard) {
      add_parts(spec.shard_parts, shard, shard_blocks_offset + shard * shard_block_stride, spec.shard_block_bytes);
    }
    node_block_offset = shard_blocks_offset + spec.shards * shard_block_stride;
    add_parts(spec.node_parts, RCS_SHARD_NODE, node_block_offset, spec.node_block_bytes);
    total_bytes = round_up(node_block_offset + spec.node_block_bytes, kPageBytes);
    ensure(table_.size() == sections, "the section table is as long as was planned");
  }

  void write_tables(std::uint8_t* base, const SegmentSpec& spec) const {
    std::memcpy(base + sections_offset_, table_.data(), table_.size() * sizeof(rcs_section));
    copy(base + table_[0].offset, spec.counters.data(), spec.counters.size_bytes());
    copy(base + table_[1].offset, spec.histograms.data(), spec.histograms.size_bytes());
    copy(base + table_[2].offset, spec.events.data(), spec.events.size_bytes());
  }
  void describe(rcs_header& header) const {
    header.header_bytes = sizeof(rcs_header);
    header.total_bytes = total_bytes;
    header.section_count = static_cast<std::uint32_t>(table_.size());
    header.section_entry_bytes = sizeof(rcs_section);
    header.sections_offset = sections_offset_;
  }

  std::size_t total_bytes = 0;
  std::size_t shard_blocks_offset = 0;
  std::size_t shard_block_stride = 0;
  std::size_t node_block_offset = 0;

 private:
  static void copy(std::uint8_t* to, const void* from, std::size_t bytes) {
    if (bytes != 0) std::memcpy(to, from, bytes);
  }
  std::size_t add_rows(rcs_section_kind kind, std::size_t at, std::size_t count, std::size_t entry_bytes) {
    table_.push_back({static_cast<std::uint32_t>(kind), RCS_SHARD_NODE, at, count * entry_bytes,
                      static_cast<std::uint32_t>(entry_bytes), static_cast<std::uint32_t>(count)});
    return round_up(at + count * entry_bytes, kCacheLineBytes);
  }
  void add_parts(std::span<const SegmentPart> parts, std::uint32_t shard, std::size_t block, std::size_t block_bytes) {
    for (const SegmentPart& part : parts) {
      ensure(part.offset % 8 == 0 && part.offset + part.bytes <= block_bytes, "a part lies inside its block");
      table_.push_back({static_cast<std::uint32_t>(part.kind), shard, block + part.offset, part.bytes, part.entry_bytes,
                        part.entry_count});
    }
  }

  std::vector<rcs_section> table_;
  std::size_t sections_offset_ = 0;
};

void write_header(rcs_header& header, const Plan& plan, std::string_view name, const SegmentSpec& spec, Now now) {
  std::memcpy(header.magic, RCS_MAGIC, sizeof header.magic);
  plan.describe(header);
  header.pid = static_cast<std::uint64_t>(::getpid());
  header.pid_start_ticks = probe_process(header.pid).start_ticks;
  header.pid_namespace = pid_namespace();
  header.start_wall = ns(now.wall);
  header.start_mono = ns(now.mono);
  header.heartbeat_mono = ns(now.mono);
  header.heartbeat_wall = ns(now.wall);
  header.run_state = RCS_RUN_STARTING;
  header.shard_count = spec.shards;
  copy_text(header.name, name);
  copy_text(header.server, spec.server);
}

}  // namespace

Result<SegmentFile, SegmentError> SegmentFile::create(std::string_view name, const SegmentSpec& spec, Now now,
                                                      std::string_view directory) {
  ensure(spec.shards >= 1, "a node has a shard");
  const std::string name_text{name};
  if (name_text.size() != std::strlen(name_text.c_str()) || rcs_name_is_valid(name_text.c_str()) == 0) {
    return unexpected(SegmentError{Kind::bad_name,
                                   "'" + name_text + "' cannot name a node: 1 to " + std::to_string(RCS_NODE_NAME_MAX) +
                                       " letters, digits, '.', '_' or '-', starting with a letter or digit"});
  }
  const std::string folder{directory};
  const Plan plan{spec};
  SegmentFile file;
  file.path_ = folder + "/ringcast." + name_text;
  file.keep_ = true;  // until the name is ours, there is nothing to remove
  // The check comes first, so that a second node of the name is told so even when memory is short; linkat decides.
  if (const auto cleared = clear_stale(file.path_, name); !cleared) return unexpected(cleared.error());
  file.fd_ = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kSegmentMode);
  if (file.fd_ < 0) return unexpected(system_error(folder, "cannot create the statistics segment in it"));
  if (::fchmod(file.fd_, kSegmentMode) != 0) return unexpected(system_error(file.path_, "cannot set its mode"));
  if (::flock(file.fd_, LOCK_EX | LOCK_NB) != 0) return unexpected(system_error(file.path_, "cannot be locked"));
  if (const int error = ::posix_fallocate(file.fd_, 0, static_cast<off_t>(plan.total_bytes)); error != 0) {
    errno = error;
    return unexpected(system_error(file.path_, "no room for the statistics segment"));
  }
  void* base = ::mmap(nullptr, plan.total_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd_, 0);
  if (base == MAP_FAILED) return unexpected(system_error(file.path_, "cannot be mapped"));
  file.base_ = static_cast<std::uint8_t*>(base);
  file.bytes_ = plan.total_bytes;
  file.shards_ = spec.shards;
  file.shard_blocks_offset_ = plan.shard_blocks_offset;
  file.shard_block_stride_ = plan.shard_block_stride;
  file.node_block_offset_ = plan.node_block_offset;
  auto& header = *reinterpret_cast<rcs_header*>(file.base_);
  plan.write_tables(file.base_, spec);
  write_header(header, plan, name, spec, now);
  std::atomic_ref{header.layout_version}.store(RCS_LAYOUT_VERSION, std::memory_order_release);  // last of all
  for (int i = 0; i < kTriesMax; ++i) {
    const auto linked = link_into(file.fd_, file.path_);
    if (!linked) return unexpected(linked.error());
    if (*linked) {
      file.keep_ = false;
      return file;
    }
    if (const auto cleared = clear_stale(file.path_, name); !cleared) return unexpected(cleared.error());
  }
  return unexpected(SegmentError{Kind::in_use, file.path_ + ": other nodes of this name keep starting and stopping"});
}

SegmentFile::SegmentFile(SegmentFile&& other) noexcept
    : path_{std::move(other.path_)},
      fd_{std::exchange(other.fd_, -1)},
      base_{std::exchange(other.base_, nullptr)},
      bytes_{other.bytes_},
      shards_{other.shards_},
      shard_blocks_offset_{other.shard_blocks_offset_},
      shard_block_stride_{other.shard_block_stride_},
      node_block_offset_{other.node_block_offset_},
      keep_{other.keep_} {}

SegmentFile::~SegmentFile() {
  if (base_ != nullptr) {
    if (!keep_) {
      set_run_state(RCS_RUN_STOPPED);
      if (same_file(fd_, path_)) ::unlink(path_.c_str());
    }
    ::munmap(base_, bytes_);
  }
  if (fd_ >= 0) ::close(fd_);
}

void* SegmentFile::shard_block(std::uint32_t shard) const {
  ensure(shard < shards_, "a block belongs to a shard of this segment");
  return base_ + shard_blocks_offset_ + shard * shard_block_stride_;
}

void* SegmentFile::node_block() const { return base_ + node_block_offset_; }

void SegmentFile::heartbeat(Now now) {
  auto& header = *reinterpret_cast<rcs_header*>(base_);
  std::atomic_ref{header.heartbeat_wall}.store(ns(now.wall), std::memory_order_relaxed);
  std::atomic_ref{header.heartbeat_mono}.store(ns(now.mono), std::memory_order_release);
}

void SegmentFile::set_run_state(rcs_run_state state) {
  auto& header = *reinterpret_cast<rcs_header*>(base_);
  std::atomic_ref{header.run_state}.store(static_cast<std::uint32_t>(state), std::memory_order_release);
}

}  // namespace ringcast
