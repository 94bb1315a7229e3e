#include "engine/bridge/sqlite_store.hpp"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "engine/channel/stored_message.hpp"

namespace ringcast {

namespace {

constexpr int kBusyMilliseconds = 1'000;  // a node that is just ending still has the file
constexpr std::int64_t kPageBytes = 4'096;
constexpr std::int64_t kFreePagesKept = 4'096;  // 16 MiB of the file are left for what comes next

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

std::int64_t signed_of(std::uint64_t number) { return static_cast<std::int64_t>(number); }
std::uint64_t unsigned_of(std::int64_t number) { return static_cast<std::uint64_t>(number); }
std::int64_t nanoseconds_of(WallTime time) { return time.time_since_epoch().count(); }

bool ran_out_of_room(int system_error) {
  return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

}  // namespace

void SqliteStore::CloseDatabase::operator()(sqlite3* database) const { sqlite3_close_v2(database); }
void SqliteStore::FinalizeStatement::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

/// A statement with its values, from the first bind to the reset.
class SqliteStore::Running {
 public:
  Running(SqliteStore& store, Query query) : statement_{store.statements_[std::to_underlying(query)].get()} {}
  ~Running() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  Running& with(std::int64_t number) {
    sqlite3_bind_int64(statement_, ++bound_, number);
    return *this;
  }
  Running& with(std::string_view text) {
    sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
    return *this;
  }
  Running& with(Bytes blob) {
    sqlite3_bind_blob(statement_, ++bound_, blob.data(), static_cast<int>(blob.size()), SQLITE_STATIC);
    return *this;
  }
  /// SQLITE_ROW, SQLITE_DONE or an error.
  [[nodiscard]] int step() { return sqlite3_step(statement_); }
  [[nodiscard]] std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }
  [[nodiscard]] std::string_view text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return {data != nullptr ? data : "", static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }
  [[nodiscard]] Bytes blob(int column) const {
    const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

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
  where = options_.path + ".corrupt-" + std::to_string(nanoseconds_of(now) / 1'000'000'000);
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

// ---- reading ----

Stored<std::optional<KeptChannel>> SqliteStore::find(std::string_view channel) {
  if (database_ == nullptr) return unexpected(check().error());
  const auto row = row_of(channel);
  if (!row) return unexpected(row.error());
  if (*row == nullptr) return std::nullopt;
  return KeptChannel{.epoch = (*row)->epoch, .next = (*row)->next, .done = (*row)->done};
}

/// Null if the file does not have it. Valid until the next row is looked for.
Stored<SqliteStore::Row*> SqliteStore::row_of(std::string_view channel) {
  if (const auto at = rows_.find(channel); at != rows_.end()) return &at->second;
  Running query{*this, Query::find_channel};
  const int code = query.with(channel).step();
  if (code == SQLITE_DONE) return nullptr;
  if (code != SQLITE_ROW) return unexpected(fault(code, "cannot be read"));
  if (rows_.size() >= kStoreChannelsKnown && changed_.empty()) rows_.clear();
  const Row row{.id = query.number(0),
                .epoch = Epoch{unsigned_of(query.number(1))},
                .next = Sequence{unsigned_of(query.number(2))},
                .done = Sequence{unsigned_of(query.number(3))}};
  return &rows_.emplace(channel, row).first->second;
}

Stored<void> SqliteStore::read(std::string_view channel, Sequence after, WallTime oldest, std::size_t bytes_max,
                               StorePage& page) {
  const auto row = row_of(channel);
  if (!row) return unexpected(row.error());
  if (*row == nullptr) return {};
  Running query{*this, Query::read_messages};
  query.with((*row)->id).with(signed_of(value(after)));
  for (;;) {
    const int code = query.step();
    if (code == SQLITE_DONE) return {};
    if (code != SQLITE_ROW) return unexpected(fault(code, "cannot be read"));
    if (query.number(1) < nanoseconds_of(oldest)) continue;
    const Bytes record = query.blob(4);
    if (signed_of(hash64(as_text(record))) != query.number(3) || !is_stored(record)) {
      ++page.damaged;
      continue;
    }
    const std::size_t bytes = sizeof(StoreLoadedMessage) + record.size();
    if (page.messages != 0 && page.bytes.size() + bytes > bytes_max) {
      page.more = true;
      return {};
    }
    page.add({.seq = Sequence{unsigned_of(query.number(0))},
              .published_ns = query.number(1),
              .publisher = unsigned_of(query.number(2)),
              .record_bytes = static_cast<std::uint32_t>(record.size())},
             record);
  }
}

// ---- writing ----

Stored<void> SqliteStore::begin() {
  if (auto here = check(); !here) return here;  // before anything is promised
  const int code = Running{*this, Query::begin}.step();
  if (code != SQLITE_DONE) return unexpected(fault(code, "cannot be written"));
  return {};
}

Stored<void> SqliteStore::put(const KeptMessage& message) {
  auto found = row_of(message.channel);
  if (!found) return unexpected(found.error());
  if (*found == nullptr) {
    Running query{*this, Query::add_channel};
    const int code = query.with(message.channel)
                         .with(signed_of(value(message.epoch)))
                         .with(signed_of(value(message.seq)))
                         .with(signed_of(value(message.done)))
                         .with(message.published_ns)
                         .step();
    if (code != SQLITE_DONE) return unexpected(fault(code, "cannot be written"));
    const Row row{.id = sqlite3_last_insert_rowid(database_.get()), .epoch = message.epoch, .next = message.seq};
    found = &rows_.insert_or_assign(std::string{message.channel}, row).first->second;
  }
  Row& row = **found;
  if (row.epoch != message.epoch) {  // it was begun anew while the store was away: what is here is of another run
    if (auto dropped = drop_before(row, Sequence{unsigned_of(INT64_MAX)}); !dropped) return dropped;
    row.epoch = message.epoch;
    row.done = Sequence{};
    row.floor = Sequence{1};
  }
  {
    Running query{*this, Query::put_message};
    const int code = query.with(row.id)
                         .with(signed_of(value(message.seq)))
                         .with(message.published_ns)
                         .with(signed_of(message.publisher))
                         .with(signed_of(hash64(as_text(message.record))))
                         .with(message.record)
                         .step();
    if (code != SQLITE_DONE) return unexpected(fault(code, "cannot be written"));
  }
  row.next = next(message.seq);
  row.done = std::max(row.done, message.done);
  if (!std::exchange(row.changed, true)) changed_.emplace_back(message.channel);
  return drop_before(row, message.floor);
}

Stored<void> SqliteStore::settle(const Settlement& settlement) {
  const auto found = row_of(settlement.channel);
  if (!found) return unexpected(found.error());
  if (*found == nullptr) return {};  // nothing of it was ever kept
  Row& row = **found;
  if (row.epoch != settlement.epoch) return {};
  row.done = std::max(row.done, settlement.done);
  if (!std::exchange(row.changed, true)) changed_.emplace_back(settlement.channel);
  return drop_before(row, settlement.floor);
}

Stored<void> SqliteStore::drop_before(Row& row, Sequence floor) {
  if (floor <= row.floor) return {};
  const int code = Running{*this, Query::drop_messages}.with(row.id).with(signed_of(value(floor))).step();
  if (code != SQLITE_DONE) return unexpected(fault(code, "cannot be written"));
  row.floor = floor;
  return {};
}

Stored<void> SqliteStore::commit(WallTime now) {
  for (const std::string& name : changed_) {
    Row& row = rows_.find(name)->second;
    const int code = Running{*this, Query::write_channel}
                         .with(signed_of(value(row.epoch)))
                         .with(signed_of(value(row.next)))
                         .with(signed_of(value(row.done)))
                         .with(nanoseconds_of(now))
                         .with(row.id)
                         .step();
    if (code != SQLITE_DONE) return unexpected(fault(code, "cannot be written"));
    row.changed = false;
  }
  if (const int code = Running{*this, Query::commit}.step(); code != SQLITE_DONE) {
    return unexpected(fault(code, "cannot be written"));
  }
  changed_.clear();
  if (!log_file_) log_file_ = identity_of(options_.path + "-wal");
  if (log_pages_ >= kStoreCheckpointPagesMost) checkpoint();
  return {};
}

void SqliteStore::roll_back() {
  rows_.clear();
  changed_.clear();
  if (database_ == nullptr || sqlite3_get_autocommit(database_.get()) != 0) return;  // SQLite did it already
  (void)Running{*this, Query::roll_back}.step();
}

// ---- upkeep ----

/// Brings what is in the log into the file, so that the log can begin again from its start.
void SqliteStore::checkpoint() {
  const int code = sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code == SQLITE_OK) log_pages_ = 0;
  if ((code & 0xff) == SQLITE_CORRUPT) damaged_ = true;  // clean() says so
  // Any other fault: the log is whole, and is written on. When that fails too, a commit says so.
}

void SqliteStore::rest() {
  if (database_ != nullptr && log_pages_ >= kStoreCheckpointPages) checkpoint();
}

Stored<std::uint64_t> SqliteStore::clean(WallTime oldest, WallTime now) {
  if (auto here = check(); !here) return unexpected(here.error());
  if (damaged_) {
    return unexpected(StoreFault{StoreState::damaged, options_.path + " is damaged"});
  }
  struct Looked {
    std::int64_t id;
    std::string name;
    std::int64_t used;
  };
  std::vector<Looked> channels;
  {
    Running query{*this, Query::channels_after};
    query.with(cleaned_up_to_).with(kStoreCleanedAtOnce);
    int code = SQLITE_ROW;
    while ((code = query.step()) == SQLITE_ROW) {
      channels.push_back({query.number(0), std::string{query.text(1)}, query.number(2)});
    }
    if (code != SQLITE_DONE) return unexpected(fault(code, "cannot be read"));
  }
  cleaned_up_to_ = channels.size() < kStoreCleanedAtOnce ? 0 : channels.back().id;

  std::uint64_t expired = 0;
  bool writing = false;
  const auto clean_all = [&]() -> Stored<void> {
    for (const Looked& channel : channels) {
      std::optional<std::int64_t> published;
      {
        Running query{*this, Query::oldest_message};
        const int code = query.with(channel.id).step();
        if (code == SQLITE_ROW) published = query.number(0);
        if (code != SQLITE_ROW && code != SQLITE_DONE) return unexpected(fault(code, "cannot be read"));
      }
      const bool forget = !published && channel.used < nanoseconds_of(now - kStoreChannelForgotten);
      if (!forget && (!published || *published >= nanoseconds_of(oldest))) continue;
      if (!writing) {
        if (auto begun = begin(); !begun) return begun;
        writing = true;
      }
      if (forget) {
        const int code = Running{*this, Query::forget_channel}.with(channel.id).step();
        if (code != SQLITE_DONE) return unexpected(fault(code, "cannot be written"));
        rows_.erase(channel.name);
        continue;
      }
      std::int64_t floor = 0;
      {
        Running query{*this, Query::newest_expired};
        const int code = query.with(channel.id).with(nanoseconds_of(oldest)).step();
        if (code != SQLITE_ROW) return unexpected(fault(code, "cannot be read"));
        floor = query.number(0);
      }
      const int code = Running{*this, Query::drop_messages}.with(channel.id).with(floor).step();
      if (code != SQLITE_DONE) return unexpected(fault(code, "cannot be written"));
      expired += static_cast<std::uint64_t>(sqlite3_changes(database_.get()));
    }
    if (!writing) return {};
    return commit(now);
  };
  if (auto cleaned = clean_all(); !cleaned) {
    if (writing) roll_back();
    return unexpected(cleaned.error());
  }
  if (const auto free = ask_number("PRAGMA freelist_count"); free && *free > kFreePagesKept) {
    (void)execute("PRAGMA incremental_vacuum(256)");  // 1 MiB a second is given back
  }
  return expired;
}

// ---- getting well ----

Stored<std::string> SqliteStore::repair(WallTime now) {
  if (database_ != nullptr && !damaged_) {
    const auto here = check();
    if (!here && here.error().state == StoreState::lost) return rescue();
    const auto probed = [&]() -> Stored<void> {
      if (auto begun = begin(); !begun) return begun;
      if (const int code = Running{*this, Query::probe}.step(); code != SQLITE_DONE) {
        return unexpected(fault(code, "cannot be written"));
      }
      return commit(now);
    }();
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
