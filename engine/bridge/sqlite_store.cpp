#include "engine/bridge/sqlite_store.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "engine/channel/stored_message.hpp"

namespace ringcast {
namespace {

constexpr std::int64_t kFreePagesKept = 4'096;  // 16 MiB of the file are left for what comes next

std::int64_t signed_of(std::uint64_t number) { return static_cast<std::int64_t>(number); }
std::uint64_t unsigned_of(std::int64_t number) { return static_cast<std::uint64_t>(number); }
std::int64_t nanoseconds_of(WallTime time) { return time.time_since_epoch().count(); }

}  // namespace

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

/// A transaction that changes nothing that anybody reads.
Stored<void> SqliteStore::probe(WallTime now) {
  if (auto begun = begin(); !begun) return begun;
  if (const int code = Running{*this, Query::probe}.step(); code != SQLITE_DONE) {
    return unexpected(fault(code, "cannot be written"));
  }
  return commit(now);
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

}  // namespace ringcast
