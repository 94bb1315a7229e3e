// engine/bridge/sqlite_store.hpp: the offline store in one SQLite file, in WAL mode.
//
// Owner    the bridge.  Thread  the bridge's.
// Memory   SQLite's page cache (16 MiB at most), its prepared statements, what is known of channels lately used.
// Failure  open() says in one sentence why there is no store: another process has it, the directory is missing, it was
//          written by a newer version. A file that makes no sense is put aside (PATH.corrupt-SECONDS) and a new one
//          begun; notes() says so. After that every fault is an answer, with the state it leaves the store in.
// Not here transactions and their size (offline/store_service), threads (bridge).
//
// What commit() promises: with StoreDurability::process it survives the death of this process, at any instant; with
// StoreDurability::power also that of the machine. In both cases what is found afterwards is the state after some
// commit, never half of one (docs/adr/0014).
//
// The file is held exclusively for as long as it is open. A file that is deleted while it is held is still whole, for
// who has it open: repair() writes it down again in the old place.
//
// sqlite_store.cpp: reading, writing, upkeep. sqlite_file.cpp: opening, faults, getting well.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "alloc/base/result.hpp"
#include "codec/hash/xxh3.hpp"
#include "engine/limits.hpp"
#include "engine/offline/message_store.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace ringcast {

inline constexpr std::int32_t kStoreSchemaVersion = 1;
inline constexpr std::int32_t kStoreApplicationId = 0x52'43'53'54;  // "RCST"
inline constexpr std::uint32_t kStoreChannelsKnown = 65'536;        // rows kept in memory
inline constexpr std::int64_t kStoreCleanedAtOnce = 64;             // channels looked at for old messages
inline constexpr std::chrono::days kStoreChannelForgotten{30};      // without messages and unused for so long
inline constexpr std::uint32_t kStoreCheckpointPages = 1'000;       // of the log, when there is nothing to do
inline constexpr std::uint32_t kStoreCheckpointPagesMost = 16'384;  // 64 MiB: then in any case

class SqliteStore final : public MessageStore {
 public:
  /// vfs  SQLite's file system to use, by name; null: its own. Tests have one that fails.
  [[nodiscard]] static Result<std::unique_ptr<SqliteStore>, std::string> open(const OfflineOptions& options,
                                                                              WallTime now, const char* vfs = nullptr);
  ~SqliteStore() override;
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  Stored<std::optional<KeptChannel>> find(std::string_view channel) override;
  Stored<void> read(std::string_view channel, Sequence after, WallTime oldest, std::size_t bytes_max,
                    StorePage& page) override;
  Stored<void> begin() override;
  Stored<void> put(const KeptMessage& message) override;
  Stored<void> settle(const Settlement& settlement) override;
  Stored<void> commit(WallTime now) override;
  void roll_back() override;
  Stored<std::uint64_t> clean(WallTime oldest, WallTime now) override;
  Stored<void> check() override;
  Stored<std::string> repair(WallTime now) override;
  void rest() override;

  /// What happened while it was opened that somebody should know; empty: nothing.
  [[nodiscard]] const std::string& opening_note() const { return opening_note_; }

 private:
  enum class Query : std::uint8_t {
    begin,
    commit,
    roll_back,
    find_channel,
    add_channel,
    write_channel,
    put_message,
    drop_messages,
    read_messages,
    channels_after,
    oldest_message,
    newest_expired,
    forget_channel,
    probe,
    end,
  };
  struct CloseDatabase {
    void operator()(sqlite3* database) const;
  };
  struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;
  class Running;

  /// A channel as the transaction under way leaves it.
  struct Row {
    std::int64_t id = 0;
    Epoch epoch{};
    Sequence next{1};
    Sequence done{};
    Sequence floor{};      // nothing before it is in the file; 0: not known
    bool changed = false;  // to be written when the transaction ends
  };
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return hash64(name); }
  };
  /// Which file a path named when it was opened.
  struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    bool operator==(const FileIdentity&) const = default;
  };

  SqliteStore(const OfflineOptions& options, const char* vfs) : options_{options}, vfs_{vfs} {}

  [[nodiscard]] Stored<void> open_file();
  [[nodiscard]] Stored<void> set_up();
  [[nodiscard]] Stored<void> set_up_schema();
  void close_file();
  [[nodiscard]] bool set_aside(WallTime now, std::string& where);
  [[nodiscard]] Stored<std::string> rescue();
  [[nodiscard]] Stored<void> probe(WallTime now);

  [[nodiscard]] Stored<void> execute(const char* sql);
  [[nodiscard]] Stored<std::int64_t> ask_number(const char* sql);
  [[nodiscard]] Stored<Row*> row_of(std::string_view channel);
  [[nodiscard]] Stored<void> drop_before(Row& row, Sequence floor);
  [[nodiscard]] StoreFault fault(int code, std::string_view doing) const;
  [[nodiscard]] std::optional<FileIdentity> identity_of(const std::string& path) const;
  void checkpoint();

  OfflineOptions options_;
  const char* vfs_;
  std::unique_ptr<sqlite3, CloseDatabase> database_;
  std::vector<Statement> statements_;  // by Query
  absl::flat_hash_map<std::string, Row, NameHash, std::equal_to<>> rows_;
  std::vector<std::string> changed_;  // names of the rows that the transaction changes
  std::optional<FileIdentity> file_;
  std::optional<FileIdentity> log_file_;
  std::string opening_note_;
  std::int64_t cleaned_up_to_ = 0;  // channel id
  std::uint32_t log_pages_ = 0;     // written by SQLite's hook
  mutable bool damaged_ = false;    // somewhere; found by any fault
};

}  // namespace ringcast
