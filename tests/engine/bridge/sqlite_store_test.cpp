#include "engine/bridge/sqlite_store.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <map>

#include "tests/doubles/faulty_vfs.hpp"
#include "tests/doubles/store_directory.hpp"

namespace ringcast {
namespace {

constexpr WallTime kNow{seconds{1'790'000'000}};
constexpr Epoch kEpoch{0x5f3c'9a1e'07d2'b846};
using Messages = std::vector<std::string>;

class SqliteStoreTest : public ::testing::Test {
 protected:
  void open(const char* vfs = nullptr) {
    store.reset();
    auto opened = SqliteStore::open(options, kNow, vfs);
    ASSERT_TRUE(opened.has_value()) << opened.error();
    store = std::move(*opened);
  }
  [[nodiscard]] std::string refusal() {
    store.reset();
    auto opened = SqliteStore::open(options, kNow);
    return opened ? "" : opened.error();
  }
  Stored<void> put(std::string_view channel, std::uint64_t seq, std::string_view data, WallTime published = kNow,
                   std::uint64_t done = 0, std::uint64_t floor = 1, Epoch epoch = kEpoch) {
    const auto record = record_of(data, published);
    return store->put({.channel = channel,
                       .epoch = epoch,
                       .seq = Sequence{seq},
                       .done = Sequence{done},
                       .floor = Sequence{floor},
                       .published_ns = published.time_since_epoch().count(),
                       .publisher = 7,
                       .record = record});
  }
  /// One message, one transaction.
  Stored<void> keep(std::string_view channel, std::uint64_t seq, std::string_view data, WallTime published = kNow,
                    std::uint64_t done = 0, std::uint64_t floor = 1, Epoch epoch = kEpoch) {
    if (auto begun = store->begin(); !begun) return begun;
    auto kept = put(channel, seq, data, published, done, floor, epoch);
    if (kept) kept = store->commit(kNow);
    if (!kept) store->roll_back();
    return kept;
  }
  Stored<void> settle(std::string_view channel, std::uint64_t done, std::uint64_t floor) {
    if (auto begun = store->begin(); !begun) return begun;
    auto settled =
        store->settle({.channel = channel, .epoch = kEpoch, .done = Sequence{done}, .floor = Sequence{floor}});
    if (settled) settled = store->commit(kNow);
    if (!settled) store->roll_back();
    return settled;
  }
  Messages kept(std::string_view channel, std::uint64_t after = 0, WallTime oldest = WallTime{}) {
    StorePage page;
    const auto read = store->read(channel, Sequence{after}, oldest, 1U << 20, page);
    EXPECT_TRUE(read.has_value()) << (read ? "" : read.error().sentence);
    damaged = page.damaged;
    return messages_of(page);
  }
  [[nodiscard]] std::string state_after(const Stored<void>& result) {
    return result ? "good" : std::string{name_of(result.error().state)};
  }
  /// Changes the file behind the store's back, while it is closed.
  void with_sql(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(options.path.c_str(), &database), SQLITE_OK);
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
    sqlite3_close(database);
  }

  StoreDirectory directory;
  OfflineOptions options = directory.options();
  std::unique_ptr<SqliteStore> store;
  std::uint32_t damaged = 0;
};

TEST_F(SqliteStoreTest, WhatIsCommittedIsThereAfterItWasOpenedAgain) {
  open();
  EXPECT_EQ(*store->find("user:42"), std::nullopt);
  ASSERT_TRUE(keep("user:42", 1, "{\"a\":1}"));
  ASSERT_TRUE(keep("user:42", 2, "2"));
  ASSERT_TRUE(keep("user:7", 1, "[]"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(kept("user:42"), (Messages{"1:{\"a\":1}", "2:2"}));
    EXPECT_EQ(kept("user:42", 1), (Messages{"2:2"}));
    EXPECT_EQ(kept("user:7"), (Messages{"1:[]"}));
    EXPECT_EQ(kept("user:1"), Messages{});
    const auto known = store->find("user:42");
    ASSERT_TRUE(known.has_value() && known->has_value());
    EXPECT_EQ((*known)->epoch, kEpoch);
    EXPECT_EQ((*known)->next, Sequence{3});
    open();
  }
}

TEST_F(SqliteStoreTest, WhatIsRolledBackWasNeverThere) {
  open();
  ASSERT_TRUE(keep("a", 1, "1"));
  ASSERT_TRUE(store->begin());
  ASSERT_TRUE(put("a", 2, "2"));
  ASSERT_TRUE(put("b", 1, "1"));
  store->roll_back();
  EXPECT_EQ(kept("a"), (Messages{"1:1"}));
  EXPECT_EQ((*store->find("a"))->next, Sequence{2});
  EXPECT_EQ(*store->find("b"), std::nullopt);
  ASSERT_TRUE(keep("a", 2, "two"));
  EXPECT_EQ(kept("a"), (Messages{"1:1", "2:two"}));
}

TEST_F(SqliteStoreTest, WhatIsDoneWithGoesAndItsNumbersAreNotUsedAgain) {
  open();
  for (std::uint64_t seq = 1; seq <= 5; ++seq) ASSERT_TRUE(keep("a", seq, std::to_string(seq)));
  ASSERT_TRUE(settle("a", 3, 4));
  EXPECT_EQ(kept("a"), (Messages{"4:4", "5:5"}));
  ASSERT_TRUE(keep("a", 6, "6", kNow, 5, 6));  // a message says it too
  EXPECT_EQ(kept("a"), (Messages{"6:6"}));
  ASSERT_TRUE(settle("a", 6, 7));
  open();
  EXPECT_EQ(kept("a"), Messages{});
  EXPECT_EQ((*store->find("a"))->next, Sequence{7});
  EXPECT_EQ((*store->find("a"))->done, Sequence{6});
  ASSERT_TRUE(settle("nobody", 3, 4)) << "a channel of which nothing was kept";
  EXPECT_EQ(*store->find("nobody"), std::nullopt);
}

TEST_F(SqliteStoreTest, AChannelThatWasBegunAnewKeepsNothingOfItsOtherRun) {
  open();
  ASSERT_TRUE(keep("a", 1, "old"));
  ASSERT_TRUE(keep("a", 2, "old"));
  ASSERT_TRUE(keep("a", 1, "new", kNow, 0, 1, Epoch{9}));
  EXPECT_EQ(kept("a"), (Messages{"1:new"}));
  EXPECT_EQ((*store->find("a"))->epoch, Epoch{9});
  ASSERT_TRUE(settle("a", 1, 2)) << "of the other run";
  EXPECT_EQ(kept("a"), (Messages{"1:new"}));
}

TEST_F(SqliteStoreTest, APageHoldsWhatFitsAndAtLeastOneMessage) {
  open();
  for (std::uint64_t seq = 1; seq <= 4; ++seq) ASSERT_TRUE(keep("a", seq, std::string(1'000, 'x')));
  struct Row {
    std::uint64_t after;
    std::size_t bytes;
    std::uint32_t messages;
    bool more;
  };
  for (const Row& row : {Row{0, 1, 1, true}, Row{0, 2'200, 2, true}, Row{2, 2'200, 2, false},
                         Row{0, 1U << 20, 4, false}, Row{4, 1, 0, false}}) {
    StorePage page;
    ASSERT_TRUE(store->read("a", Sequence{row.after}, WallTime{}, row.bytes, page));
    EXPECT_EQ(page.messages, row.messages) << row.after << " " << row.bytes;
    EXPECT_EQ(page.more, row.more) << row.after << " " << row.bytes;
  }
}

TEST_F(SqliteStoreTest, MessagesThatAreTooOldAreNotReadAndGo) {
  open();
  ASSERT_TRUE(keep("a", 1, "old", kNow - hours{30}));
  ASSERT_TRUE(keep("a", 2, "old", kNow - hours{25}));
  ASSERT_TRUE(keep("a", 3, "new", kNow - hours{23}));
  ASSERT_TRUE(keep("b", 1, "old", kNow - hours{30}));
  ASSERT_TRUE(keep("c", 1, "new"));
  const WallTime oldest = kNow - hours{24};
  EXPECT_EQ(kept("a", 0, oldest), (Messages{"3:new"}));
  EXPECT_EQ(*store->clean(oldest, kNow), 3U);
  EXPECT_EQ(*store->clean(oldest, kNow), 0U);
  EXPECT_EQ(kept("a"), (Messages{"3:new"}));
  EXPECT_EQ(kept("b"), Messages{});
  EXPECT_EQ((*store->find("b"))->next, Sequence{2}) << "that there was something is remembered";
  EXPECT_EQ(*store->clean(oldest, kNow + std::chrono::days{29}), 0U);
  EXPECT_TRUE((*store->find("b")).has_value());
  EXPECT_EQ(*store->clean(kNow - hours{24}, kNow + std::chrono::days{31}), 0U);
  EXPECT_EQ(*store->find("b"), std::nullopt) << "for a month";
  EXPECT_TRUE((*store->find("c")).has_value()) << "it still has a message";
}

TEST_F(SqliteStoreTest, MoreChannelsThanAreLookedAtAtOnceAreAllLookedAt) {
  open();
  ASSERT_TRUE(store->begin());
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(put("c" + std::to_string(i), 1, "1", kNow - hours{30}));
  ASSERT_TRUE(store->commit(kNow));
  std::uint64_t expired = 0;
  for (int i = 0; i < 4; ++i) expired += *store->clean(kNow - hours{24}, kNow);
  EXPECT_EQ(expired, 200U);
}

TEST_F(SqliteStoreTest, AMessageThatIsNotWhatWasWrittenIsLeftOut) {
  open();
  for (std::uint64_t seq = 1; seq <= 3; ++seq) ASSERT_TRUE(keep("a", seq, "\"payload\""));
  store.reset();
  with_sql("UPDATE message SET record = zeroblob(length(record)) WHERE seq = 2");
  open();
  EXPECT_EQ(kept("a"), (Messages{"1:\"payload\"", "3:\"payload\""}));
  EXPECT_EQ(damaged, 1U);
}

// ---- files that are no store ----

TEST_F(SqliteStoreTest, SaysWhyAFileCannotBeTheStore) {
  options.path = "/nowhere/store.db";
  EXPECT_EQ(refusal(), "/nowhere/store.db cannot be opened: unable to open database file (No such file or directory)");
  options.path = directory.directory().string();
  EXPECT_NE(refusal().find("cannot be opened"), std::string::npos);

  options.path = directory.path();
  with_sql("CREATE TABLE theirs(a); PRAGMA application_id = 77");
  EXPECT_EQ(refusal(), options.path + " is a database of another program");
  std::filesystem::remove(options.path);
  open();
  store.reset();
  with_sql("PRAGMA user_version = 2");
  EXPECT_EQ(refusal(), options.path + " was written by another version of ringcast (its schema is 2, this one's is 1)");
}

TEST_F(SqliteStoreTest, TwoNodesDoNotShareAFile) {
  open();
  ASSERT_TRUE(keep("a", 1, "1"));
  auto second = SqliteStore::open(options, kNow);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error(), options.path + " cannot be read: another process has it open");
  ASSERT_TRUE(keep("a", 2, "2"));
  store.reset();
  open();
  EXPECT_EQ(kept("a"), (Messages{"1:1", "2:2"}));
}

TEST_F(SqliteStoreTest, AFileThatMakesNoSenseIsPutAside) {
  const std::string nonsense(100'000, 'n');
  directory.write("store.db", nonsense);
  open();
  EXPECT_EQ(store->opening_note(), options.path + " cannot be read: file is not a database: put aside as " +
                                       options.path + ".corrupt-1790000000, and begun anew");
  ASSERT_TRUE(keep("a", 1, "1"));
  EXPECT_EQ(kept("a"), (Messages{"1:1"}));
  EXPECT_EQ(directory.read("store.db.corrupt-1790000000"), nonsense);
}

TEST_F(SqliteStoreTest, AnEmptyFileBecomesAStore) {
  directory.write("store.db", "");
  open();
  EXPECT_EQ(store->opening_note(), "");
  ASSERT_TRUE(keep("a", 1, "1"));
}

TEST_F(SqliteStoreTest, DamageThatIsFoundLaterIsAFaultAndRepairBeginsAnew) {
  open();
  ASSERT_TRUE(store->begin());
  for (std::uint64_t seq = 1; seq <= 200; ++seq) ASSERT_TRUE(put("a", seq, std::string(500, 'x')));
  ASSERT_TRUE(store->commit(kNow));
  store.reset();
  std::string bytes = directory.read("store.db");
  ASSERT_GT(bytes.size(), 60'000U);
  std::fill(bytes.begin() + 8'192, bytes.end() - 4'096, 'z');
  directory.write("store.db", bytes);
  auto opened = SqliteStore::open(options, kNow);
  ASSERT_TRUE(opened.has_value());
  store = std::move(*opened);
  if (store->opening_note().empty()) {
    StorePage page;
    const auto read = store->read("a", Sequence{0}, WallTime{}, 1U << 20, page);
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().state, StoreState::damaged);
    const auto repaired = store->repair(kNow);
    ASSERT_TRUE(repaired.has_value()) << repaired.error().sentence;
    EXPECT_NE(repaired->find("put aside as " + options.path + ".corrupt-1790000000"), std::string::npos) << *repaired;
  }
  EXPECT_EQ(*store->find("a"), std::nullopt);
  ASSERT_TRUE(keep("a", 201, "1")) << "a channel in use goes on where it was";
  EXPECT_EQ((*store->find("a"))->next, Sequence{202});
}

// ---- a file that is taken away ----

TEST_F(SqliteStoreTest, ADeletedFileIsNoticedBeforeAnythingIsPromisedAndWrittenDownAgain) {
  open();
  ASSERT_TRUE(keep("a", 1, "1"));
  std::filesystem::remove(options.path);
  EXPECT_EQ(state_after(store->check()), "lost");
  EXPECT_EQ(state_after(keep("a", 2, "2")), "lost");
  const auto repaired = store->repair(kNow);
  ASSERT_TRUE(repaired.has_value()) << repaired.error().sentence;
  EXPECT_EQ(state_after(store->check()), "good");
  ASSERT_TRUE(keep("a", 2, "two"));
  open();
  EXPECT_EQ(kept("a"), (Messages{"1:1", "2:two"}));
  EXPECT_EQ((*store->find("a"))->epoch, kEpoch);
}

TEST_F(SqliteStoreTest, AllFilesDeletedAtOnceAreWrittenDownAgain) {
  open();
  ASSERT_TRUE(keep("a", 1, "1"));
  for (const std::string& name : directory.files()) std::filesystem::remove(directory.directory() / name);
  EXPECT_EQ(state_after(keep("a", 2, "2")), "lost");
  ASSERT_TRUE(store->repair(kNow).has_value());
  open();
  EXPECT_EQ(kept("a"), (Messages{"1:1"}));
}

TEST_F(SqliteStoreTest, ADeletedLogIsNoticedAndWrittenDownAgain) {
  open();
  ASSERT_TRUE(keep("a", 1, "1"));
  ASSERT_TRUE(std::filesystem::remove(options.path + "-wal"));
  EXPECT_EQ(state_after(keep("a", 2, "2")), "lost");
  ASSERT_TRUE(store->repair(kNow).has_value());
  ASSERT_TRUE(keep("a", 2, "two"));
  open();
  EXPECT_EQ(kept("a"), (Messages{"1:1", "2:two"}));
}

TEST_F(SqliteStoreTest, AnotherFileInItsPlaceIsLeftAloneUntilItIsTakenAway) {
  open();
  ASSERT_TRUE(keep("a", 1, "1"));
  std::filesystem::rename(options.path, options.path + ".moved");
  directory.write("store.db", "somebody else's");
  EXPECT_EQ(state_after(keep("a", 2, "2")), "lost");
  const auto repaired = store->repair(kNow);
  ASSERT_FALSE(repaired.has_value());
  EXPECT_EQ(repaired.error().sentence, "another file stands at " + options.path);
  EXPECT_EQ(directory.read("store.db"), "somebody else's");
  std::filesystem::remove(options.path);
  ASSERT_TRUE(store->repair(kNow).has_value());
  EXPECT_EQ(kept("a"), (Messages{"1:1"}));
}

// ---- no room ----

TEST_F(SqliteStoreTest, AFileThatMayNotGrowIsFullUntilMessagesAreDoneWith) {
  options.disk = 1'000'000;
  open();
  std::uint64_t seq = 0;
  Stored<void> result;
  while (result && seq < 1'000) result = keep("a", ++seq, std::string(10'000, 'x'));
  ASSERT_EQ(state_after(result), "full");
  ASSERT_GT(seq, 20U);
  EXPECT_EQ((*store->find("a"))->next, Sequence{seq}) << "the one that had no room was not kept";
  EXPECT_EQ(state_after(keep("a", seq, std::string(10'000, 'x'))), "full");
  ASSERT_TRUE(settle("a", seq - 1, seq));
  ASSERT_TRUE(keep("a", seq, std::string(10'000, 'x')));
}

TEST_F(SqliteStoreTest, AFullDiskIsAStateAndOverWhenThereIsRoomAgain) {
  FaultyVfs vfs;
  bool full = false;
  vfs.fault = [&](FaultyVfs::Operation operation, const std::string&) {
    return full && operation == FaultyVfs::Operation::write ? SQLITE_FULL : SQLITE_OK;
  };
  open(FaultyVfs::kName);
  ASSERT_TRUE(keep("a", 1, "1"));
  full = true;
  EXPECT_EQ(state_after(keep("a", 2, "2")), "full");
  EXPECT_EQ(kept("a"), (Messages{"1:1"})) << "it can be read";
  EXPECT_FALSE(store->repair(kNow).has_value());
  full = false;
  ASSERT_TRUE(store->repair(kNow).has_value());
  ASSERT_TRUE(keep("a", 2, "2"));
  open(FaultyVfs::kName);
  EXPECT_EQ(kept("a"), (Messages{"1:1", "2:2"}));
  store.reset();
}

TEST_F(SqliteStoreTest, AnyWriteOrSyncThatFailsLeavesTheStateBeforeOrAfterTheTransaction) {
  for (const int code : {SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC}) {
    for (std::uint64_t failing = 1; failing < 40; ++failing) {
      StoreDirectory fresh;
      options = fresh.options();
      options.durability = StoreDurability::power;
      FaultyVfs vfs;
      open(FaultyVfs::kName);
      ASSERT_TRUE(keep("a", 1, "1"));
      const std::uint64_t at = vfs.operations + failing;
      vfs.fault = [&](FaultyVfs::Operation operation, const std::string&) {
        const bool sync = operation == FaultyVfs::Operation::sync;
        const bool meant = code == SQLITE_IOERR_FSYNC ? sync : operation == FaultyVfs::Operation::write;
        return vfs.operations >= at && meant ? code : SQLITE_OK;
      };
      std::uint64_t kept_to = 1;
      while (kept_to < 10 && keep("a", kept_to + 1, std::to_string(kept_to + 1))) ++kept_to;
      vfs.fault = nullptr;
      ASSERT_TRUE(store->repair(kNow).has_value()) << failing;
      EXPECT_EQ((*store->find("a"))->next, Sequence{kept_to + 1}) << code << " at " << failing;
      EXPECT_EQ(kept("a").size(), kept_to);
      store.reset();
      if (kept_to == 10) break;  // nothing failed any more
    }
  }
}

}  // namespace
}  // namespace ringcast
