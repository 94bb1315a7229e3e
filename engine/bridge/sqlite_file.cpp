// The file of the store: how it is opened, what is wrong with it, and what is done about that.
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <utility>

#include "engine/bridge/sqlite_store.hpp"

namespace ringcast {
namespace {

constexpr int kBusyMilliseconds = 1'000;  // a node that is just ending still has the file
constexpr std::int64_t kPageBytes = 4'096;

// Written in one go, so that a file either has it all or is empty. What a message's record consists of is said by
// channel/stored_message.hpp. The index is a table of its own: messages of ten thousand channels come in turn, and each
// would otherwise change a page of its own (measurements: docs/adr/0014).
constexpr const char* kSchema = R"(
  CREATE TABLE channel(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL, next INTEGER NOT NULL,
                       done INTEGER NOT NULL, used INTEGER NOT NULL);
  CREATE TABLE message(id INTEGER PRIMARY KEY, channel INTEGER NOT NULL, seq INTEGER NOT NULL,
                       published INTEGER NOT NULL, publisher INTEGER NOT NULL, sum INTEGER NOT NULL,
                       record BLOB NOT NULL);
  CREATE UNIQUE INDEX message_of_channel ON message(channel, seq);
  CREATE TABLE probe(id INTEGER PRIMARY KEY, value INTEGER NOT NULL);
  INSERT INTO probe VALUES(1, 0);
)";

bool ran_out_of_room(int system_error) {
  return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

}  // namespace

void SqliteStore::CloseDatabase::operator()(sqlite3* database) const { sqlite3_close_v2(database); }
void SqliteStore::FinalizeStatement::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

// ---- opening and closing ----

Result<std::unique_ptr<SqliteStore>, std::string> SqliteStore::open(const OfflineOptions& options, WallTime now,
                                                                    const char* vfs) {
  std::unique_ptr<SqliteStore> made{new SqliteStore{options, vfs}};
  auto opened = made->open_file();
  if (!opened && opened.error().state == StoreState::damaged) {
    const std::string what = opened.error().sentence;
    std::string where;
    if (!made->set_aside(now, where)) return unexpected(what);
    made->opening_note_ = what + ": put aside as " + where + ", and begun anew";
    opened = made->open_file();
  }
  if (!opened) return unexpected(std::move(opened.error().sentence));
  return made;
}

SqliteStore::~SqliteStore() { close_file(); }

void SqliteStore::close_file() {
  statements_.clear();
  database_.reset();  // the last one to close a file writes its log into it
  rows_.clear();
  changed_.clear();
  file_.reset();
  log_file_.reset();
  log_pages_ = 0;
  damaged_ = false;
}

Stored<void> SqliteStore::open_file() {
  close_file();
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(options_.path.c_str(), &opened,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs_);
  database_.reset(opened);
  auto ready = code == SQLITE_OK ? set_up() : Stored<void>{unexpected(fault(code, "cannot be opened"))};
  if (!ready) {
    close_file();
    return ready;
  }
  file_ = identity_of(options_.path);
  return check();
}

Stored<void> SqliteStore::set_up() {
  sqlite3_extended_result_codes(database_.get(), 1);
  sqlite3_busy_timeout(database_.get(), kBusyMilliseconds);
  sqlite3_db_config(database_.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  // Exclusive from the first access on: no other process writes, and the log needs no shared memory.
  if (auto done = execute("PRAGMA locking_mode = EXCLUSIVE"); !done) return done;
  if (auto done = set_up_schema(); !done) return done;
  sqlite3_wal_hook(
      database_.get(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<SqliteStore*>(self)->log_pages_ = static_cast<std::uint32_t>(pages);
        return SQLITE_OK;
      },
      this);

  const bool power = options_.durability == StoreDurability::power;
  const std::string limit =
      "PRAGMA max_page_count = " + std::to_string(std::max<std::uint64_t>(options_.disk / kPageBytes, 64));
  for (const char* pragma :
       {power ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", "PRAGMA journal_size_limit = 67108864",
        "PRAGMA cache_size = -16384", "PRAGMA temp_store = MEMORY", "PRAGMA cell_size_check = ON",
        "PRAGMA trusted_schema = OFF", limit.c_str()}) {
    if (auto done = execute(pragma); !done) return done;
  }

  constexpr std::array<const char*, std::to_underlying(Query::end)> kQueries{
      "BEGIN IMMEDIATE",
      "COMMIT",
      "ROLLBACK",
      "SELECT id, epoch, next, done FROM channel WHERE name = ?",
      "INSERT INTO channel(name, epoch, next, done, used) VALUES(?, ?, ?, ?, ?)",
      "UPDATE channel SET epoch = ?, next = ?, done = ?, used = ? WHERE id = ?",
      "INSERT OR REPLACE INTO message(channel, seq, published, publisher, sum, record) VALUES(?, ?, ?, ?, ?, ?)",
      "DELETE FROM message WHERE channel = ? AND seq < ?",
      "SELECT seq, published, publisher, sum, record FROM message WHERE channel = ? AND seq > ? ORDER BY seq",
      "SELECT id, name, used FROM channel WHERE id > ? ORDER BY id LIMIT ?",
      "SELECT published FROM message WHERE channel = ? ORDER BY seq LIMIT 1",
      "SELECT coalesce(min(seq), 9223372036854775807) FROM message WHERE channel = ? AND published >= ?",
      "DELETE FROM channel WHERE id = ?",
      "UPDATE probe SET value = value + 1 WHERE id = 1",
  };
  for (const char* sql : kQueries) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    statements_.emplace_back(statement);
    if (code != SQLITE_OK) return unexpected(fault(code, "cannot be used"));
  }
  return {};
}

/// Makes an empty file a store; finds out whether one that is not empty is a store, and of which version.
Stored<void> SqliteStore::set_up_schema() {
  const auto version = ask_number("PRAGMA user_version");  // the first access: from here on the file is ours alone
  if (!version) return unexpected(version.error());
  const auto application = ask_number("PRAGMA application_id");
  if (!application) return unexpected(application.error());
  const auto objects = ask_number("SELECT count(*) FROM sqlite_schema");
  if (!objects) return unexpected(objects.error());

  if (*application == 0 && *version == 0 && *objects == 0) {
    for (const std::string& sql :
         {"PRAGMA page_size = " + std::to_string(kPageBytes), std::string{"PRAGMA auto_vacuum = INCREMENTAL"},
          std::string{"PRAGMA journal_mode = WAL"},
          "BEGIN IMMEDIATE;" + std::string{kSchema} + "PRAGMA application_id = " + std::to_string(kStoreApplicationId) +
              ";PRAGMA user_version = " + std::to_string(kStoreSchemaVersion) + ";COMMIT"}) {
      if (auto done = execute(sql.c_str()); !done) return done;
    }
    return {};
  }
  if (*application != kStoreApplicationId) {
    return unexpected(StoreFault{StoreState::failing, options_.path + " is a database of another program"});
  }
  if (*version != kStoreSchemaVersion) {
    return unexpected(
        StoreFault{StoreState::failing, options_.path + " was written by another version of ringcast (its schema is " +
                                            std::to_string(*version) + ", this one's is " +
                                            std::to_string(kStoreSchemaVersion) + ")"});
  }
  return execute("PRAGMA journal_mode = WAL");  // says so if it cannot
}

/// Renames the file and its log. False if that cannot be done; `where` is the new name.
bool SqliteStore::set_aside(WallTime now, std::string& where) {
  close_file();
  where = options_.path + ".corrupt-" + std::to_string(std::chrono::floor<seconds>(now).time_since_epoch().count());
  if (std::rename(options_.path.c_str(), where.c_str()) != 0) return false;
  const std::string log = options_.path + "-wal";
  return std::rename(log.c_str(), (where + "-wal").c_str()) == 0 || errno == ENOENT;
}

// ---- faults ----

StoreFault SqliteStore::fault(int code, std::string_view doing) const {
  StoreFault made;
  const int system_error = database_ == nullptr ? 0 : sqlite3_system_errno(database_.get());
  switch (code & 0xff) {
    case SQLITE_FULL: made.state = StoreState::full; break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      made.state = StoreState::damaged;
      damaged_ = true;
      break;
    case SQLITE_IOERR: made.state = ran_out_of_room(system_error) ? StoreState::full : StoreState::failing; break;
    default: made.state = StoreState::failing;
  }
  made.sentence = options_.path + " " + std::string{doing} + ": ";
  if ((code & 0xff) == SQLITE_BUSY) {
    made.sentence += "another process has it open";
  } else {
    made.sentence += sqlite3_errstr(code);
    const bool told = system_error != 0 && ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN);
    if (told) made.sentence.append(" (").append(std::strerror(system_error)).append(")");
  }
  return made;
}

Stored<void> SqliteStore::execute(const char* sql) {
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return unexpected(fault(code, "cannot be used"));
  return {};
}

Stored<std::int64_t> SqliteStore::ask_number(const char* sql) {
  sqlite3_stmt* made = nullptr;
  int code = sqlite3_prepare_v2(database_.get(), sql, -1, &made, nullptr);
  const Statement statement{made};
  if (code == SQLITE_OK) code = sqlite3_step(made);
  if (code != SQLITE_ROW) return unexpected(fault(code, "cannot be read"));
  return sqlite3_column_int64(made, 0);
}

std::optional<SqliteStore::FileIdentity> SqliteStore::identity_of(const std::string& path) const {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return std::nullopt;
  return FileIdentity{.device = found.st_dev, .inode = found.st_ino};
}

/// The file and its log are still those that the path names. SQLite itself would write on into a file that is gone.
Stored<void> SqliteStore::check() {
  if (database_ == nullptr) return unexpected(StoreFault{StoreState::failing, options_.path + " is not open"});
  const auto file = identity_of(options_.path);
  if (!file) return unexpected(StoreFault{StoreState::lost, options_.path + " was moved or deleted"});
  if (file != file_) {
    return unexpected(StoreFault{StoreState::lost, "another file stands at " + options_.path});
  }
  const auto log_file = identity_of(options_.path + "-wal");
  if (!log_file_) log_file_ = log_file;
  if (log_file != log_file_) {
    return unexpected(StoreFault{StoreState::lost, options_.path + "-wal was moved or deleted"});
  }
  return {};
}

// ---- getting well ----

Stored<std::string> SqliteStore::repair(WallTime now) {
  if (database_ != nullptr && !damaged_) {
    const auto here = check();
    if (!here && here.error().state == StoreState::lost) return rescue();
    const auto probed = probe(now);
    if (probed) return "it can be written again";
    roll_back();
    if (probed.error().state == StoreState::full) return unexpected(probed.error());
  }
  if (!damaged_) {
    auto opened = open_file();
    if (opened) return "it was opened again";
    if (opened.error().state != StoreState::damaged) return unexpected(std::move(opened.error()));
  }
  std::string where;
  if (!set_aside(now, where)) {
    return unexpected(StoreFault{StoreState::damaged, options_.path + ": " + std::strerror(errno)});
  }
  if (auto opened = open_file(); !opened) return unexpected(std::move(opened.error()));
  return "what was there made no sense: put aside as " + where + ", and begun anew";
}

/// The file was deleted, or its log, but whoever has it open still has it all: written down again where it was.
Stored<std::string> SqliteStore::rescue() {
  const auto file = identity_of(options_.path);
  if (file && file != file_) {
    return unexpected(StoreFault{StoreState::lost, "another file stands at " + options_.path});
  }
  const std::string log = options_.path + "-wal";
  if (file) {  // only the log is gone: what it held goes into the file
    const int code = sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    if (code != SQLITE_OK) return unexpected(fault(code, "cannot be written"));
  } else {
    const std::string copy = options_.path + ".rescue";
    (void)::unlink(copy.c_str());
    if (auto copied = execute(("VACUUM INTO '" +
                               [&] {
                                 std::string quoted;
                                 for (const char c : copy) quoted.append(c == '\'' ? 2 : 1, c);
                                 return quoted;
                               }() +
                               "'")
                                  .c_str());
        !copied) {
      (void)::unlink(copy.c_str());
      return unexpected(copied.error());
    }
    close_file();
    if (::unlink(log.c_str()) != 0 && errno != ENOENT) {  // a log beside a file that it is not of would be believed
      return unexpected(StoreFault{StoreState::failing, log + ": " + std::strerror(errno)});
    }
    if (std::rename(copy.c_str(), options_.path.c_str()) != 0) {
      return unexpected(StoreFault{StoreState::failing, options_.path + ": " + std::strerror(errno)});
    }
  }
  if (auto opened = open_file(); !opened) return unexpected(opened.error());
  return "it was deleted, and is written down again from what was still open";
}

}  // namespace ringcast
