// tests/doubles/faulty_vfs.hpp: a file system for SQLite that fails, kills, or forgets what was not synced, on purpose.
//
// Owner    the test: one at a time.  Thread  one.  Memory  what unsynced writes replaced.
// Failure  registering it twice; a system call of its own that fails: ensure().
// Not here what a store makes of it (the tests).
//
// Every operation that changes something counts: writes, truncations, syncs, deletions. At the one that the test names,
// the process ends: in the middle of a write, or before anything else. With `power`, everything that was written since
// the last sync of its file is taken back first, as if the machine had lost it.
#pragma once

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "alloc/base/ensure.hpp"

namespace ringcast {

class FaultyVfs {
 public:
  static constexpr int kKilled = 86;  // the exit status of a process that was ended by this
  enum class Operation : std::uint8_t { write, truncate, sync, remove };

  FaultyVfs() {
    ensure(current() == nullptr, "one faulty file system at a time");
    current() = this;
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.iVersion = 1;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.zName = kName;
    vfs_.pNext = nullptr;
    vfs_.xOpen = open;
    vfs_.xDelete = remove;
    ensure(sqlite3_vfs_register(&vfs_, 0) == SQLITE_OK, "a file system can be registered");
  }
  ~FaultyVfs() {
    sqlite3_vfs_unregister(&vfs_);
    current() = nullptr;
  }
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  static constexpr const char* kName = "faulty";

  std::uint64_t operations = 0;
  std::uint64_t kill_at = 0;       // the operation at which the process ends; 0: never
  bool power = false;              // and loses what was not synced
  std::uint64_t kept_of_lost = 0;  // of these, the first so many writes reached the disk all the same
  /// Answers the error of an operation, or SQLITE_OK to let it happen.
  std::function<int(Operation, const std::string& path)> fault;

 private:
  struct Undo {
    std::string path;
    sqlite3_int64 offset = 0;
    sqlite3_int64 size_before = 0;
    std::vector<char> before;
  };
  struct File {
    sqlite3_file base;
    std::string* path;
    [[nodiscard]] sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };
  static FaultyVfs*& current() {
    static FaultyVfs* instance = nullptr;
    return instance;
  }
  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }

  int before(Operation operation, const std::string& path) {
    ++operations;
    if (operations == kill_at && operation != Operation::write) die();
    return fault ? fault(operation, path) : SQLITE_OK;
  }
  [[noreturn]] void die() {
    if (power) {
      while (undo_.size() > kept_of_lost) {
        const Undo& undo = undo_.back();
        const int fd = ::open(undo.path.c_str(), O_RDWR | O_CLOEXEC);
        if (fd >= 0) {
          ensure(::pwrite(fd, undo.before.data(), undo.before.size(), undo.offset) ==
                     static_cast<ssize_t>(undo.before.size()),
                 "what was there can be put back");
          ensure(::ftruncate(fd, undo.size_before) == 0, "a file gets its old size");
          ::close(fd);
        }
        undo_.pop_back();
      }
    }
    ::_exit(kKilled);
  }
  void remember(File& file, sqlite3_int64 offset, int bytes) {
    if (!power) return;
    Undo undo{.path = *file.path, .offset = offset, .size_before = 0, .before = {}};
    file.real()->pMethods->xFileSize(file.real(), &undo.size_before);
    const sqlite3_int64 held = std::min<sqlite3_int64>(bytes, undo.size_before - offset);
    if (held > 0) {
      undo.before.resize(static_cast<std::size_t>(held));
      file.real()->pMethods->xRead(file.real(), undo.before.data(), static_cast<int>(held), offset);
    }
    undo_.push_back(std::move(undo));
  }

  static int open(sqlite3_vfs*, const char* name, sqlite3_file* made, int flags, int* out_flags) {
    File& file = of(made);
    const int code = current()->real_->xOpen(current()->real_, name, file.real(), flags, out_flags);
    file.base.pMethods = code == SQLITE_OK ? methods() : nullptr;
    file.path = code == SQLITE_OK ? new std::string{name != nullptr ? name : ""} : nullptr;
    return code;
  }
  static int remove(sqlite3_vfs*, const char* name, int sync_directory) {
    if (const int code = current()->before(Operation::remove, name); code != SQLITE_OK) return code;
    return current()->real_->xDelete(current()->real_, name, sync_directory);
  }
  static int close(sqlite3_file* made) {
    delete of(made).path;
    return of(made).real()->pMethods->xClose(of(made).real());
  }
  static int write(sqlite3_file* made, const void* data, int bytes, sqlite3_int64 offset) {
    File& file = of(made);
    if (const int code = current()->before(Operation::write, *file.path); code != SQLITE_OK) return code;
    current()->remember(file, offset, bytes);
    if (current()->operations == current()->kill_at) {  // half of it is written
      file.real()->pMethods->xWrite(file.real(), data, bytes / 2, offset);
      current()->die();
    }
    return file.real()->pMethods->xWrite(file.real(), data, bytes, offset);
  }
  static int truncate(sqlite3_file* made, sqlite3_int64 size) {
    File& file = of(made);
    if (const int code = current()->before(Operation::truncate, *file.path); code != SQLITE_OK) return code;
    if (current()->power) {
      sqlite3_int64 before = 0;
      file.real()->pMethods->xFileSize(file.real(), &before);
      if (before > size) current()->remember(file, size, static_cast<int>(before - size));
    }
    return file.real()->pMethods->xTruncate(file.real(), size);
  }
  static int sync(sqlite3_file* made, int flags) {
    File& file = of(made);
    if (const int code = current()->before(Operation::sync, *file.path); code != SQLITE_OK) return code;
    std::erase_if(current()->undo_, [&](const Undo& undo) { return undo.path == *file.path; });
    return file.real()->pMethods->xSync(file.real(), flags);
  }
  static const sqlite3_io_methods* methods() {
    static const sqlite3_io_methods table = [] {
      sqlite3_io_methods made{};
      made.iVersion = 1;  // no shared memory: a store holds its file exclusively
      made.xClose = close;
      made.xRead = [](sqlite3_file* f, void* data, int bytes, sqlite3_int64 offset) {
        return of(f).real()->pMethods->xRead(of(f).real(), data, bytes, offset);
      };
      made.xWrite = write;
      made.xTruncate = truncate;
      made.xSync = sync;
      made.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
        return of(f).real()->pMethods->xFileSize(of(f).real(), size);
      };
      made.xLock = [](sqlite3_file* f, int lock) { return of(f).real()->pMethods->xLock(of(f).real(), lock); };
      made.xUnlock = [](sqlite3_file* f, int lock) { return of(f).real()->pMethods->xUnlock(of(f).real(), lock); };
      made.xCheckReservedLock = [](sqlite3_file* f, int* out) {
        return of(f).real()->pMethods->xCheckReservedLock(of(f).real(), out);
      };
      made.xFileControl = [](sqlite3_file* f, int operation, void* argument) {
        return of(f).real()->pMethods->xFileControl(of(f).real(), operation, argument);
      };
      made.xSectorSize = [](sqlite3_file* f) { return of(f).real()->pMethods->xSectorSize(of(f).real()); };
      made.xDeviceCharacteristics = [](sqlite3_file* f) {
        // Nothing is promised but that a file which is made longer has its old bytes still.
        (void)f;
        return 0;
      };
      return made;
    }();
    return &table;
  }

  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_{};
  std::vector<Undo> undo_;
};

}  // namespace ringcast
