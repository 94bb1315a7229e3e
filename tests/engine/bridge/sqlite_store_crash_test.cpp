// The store after its process, or its machine, ended in the middle of a write: every point, one after the other.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "engine/bridge/sqlite_store.hpp"
#include "tests/doubles/faulty_vfs.hpp"
#include "tests/doubles/store_directory.hpp"

namespace ringcast {
namespace {

constexpr WallTime kNow{seconds{1'790'000'000}};
constexpr std::uint32_t kTransactions = 8;

/// What a channel consists of: its messages by seq, what is done with, what comes next.
struct ChannelState {
  std::map<std::uint64_t, std::string> messages;
  std::uint64_t done = 0;
  std::uint64_t next = 1;
  bool operator==(const ChannelState&) const = default;
};
using StoreContent = std::map<std::string, ChannelState>;

std::string payload(std::uint32_t transaction, std::uint64_t seq) {
  // Some are larger than a page of the file.
  return std::string(transaction % 3 == 0 ? 6'000 : 80, static_cast<char>('a' + seq % 26)) + std::to_string(seq);
}

/// Plays transaction `number` (from 1) on a store, or on the model of one.
template <class Put, class Settle>
void play(std::uint32_t number, StoreContent& content, Put&& put, Settle&& settle) {
  for (int i = 0; i < 3; ++i) {
    const std::string name = "c" + std::to_string((number + static_cast<std::uint32_t>(i)) % 4);
    ChannelState& channel = content[name];
    for (int message = 0; message < 2; ++message) {
      const std::uint64_t seq = channel.next++;
      channel.messages[seq] = payload(number, seq);
      put(name, seq, channel);
    }
  }
  if (number % 2 == 0) {
    const std::string name = "c" + std::to_string(number % 4);
    ChannelState& channel = content[name];
    channel.done = channel.next - 2;
    channel.messages.erase(channel.messages.begin(), channel.messages.lower_bound(channel.done + 1));
    settle(name, channel);
  }
}

/// The content after each transaction, from none on.
std::vector<StoreContent> all_contents() {
  std::vector<StoreContent> contents(1);
  for (std::uint32_t number = 1; number <= kTransactions; ++number) {
    StoreContent next = contents.back();
    play(
        number, next, [](auto&&...) {}, [](auto&&...) {});
    contents.push_back(std::move(next));
  }
  return contents;
}

/// The life of a store that is killed: tells through the pipe which transactions it has committed.
[[noreturn]] void live(const OfflineOptions& options, int acknowledge) {
  StoreContent content;
  std::unique_ptr<SqliteStore> store;
  for (std::uint32_t number = 1; number <= kTransactions; ++number) {
    if (store == nullptr || number == kTransactions / 2) {  // in the middle it is closed: the log goes into the file
      store.reset();
      auto opened = SqliteStore::open(options, kNow, FaultyVfs::kName);
      if (!opened) ::_exit(1);
      store = std::move(*opened);
    }
    bool good = store->begin().has_value();
    play(
        number, content,
        [&](const std::string& name, std::uint64_t seq, const ChannelState& channel) {
          const auto record = record_of(channel.messages.at(seq), kNow);
          good = good && store->put({.channel = name,
                                     .epoch = Epoch{77},
                                     .seq = Sequence{seq},
                                     .done = Sequence{channel.done},
                                     .floor = Sequence{channel.done + 1},
                                     .published_ns = kNow.time_since_epoch().count(),
                                     .publisher = 1,
                                     .record = record});
        },
        [&](const std::string& name, const ChannelState& channel) {
          good = good && store->settle({.channel = name,
                                        .epoch = Epoch{77},
                                        .done = Sequence{channel.done},
                                        .floor = Sequence{channel.done + 1}});
        });
    good = good && store->commit(kNow);
    if (!good || ::write(acknowledge, &number, sizeof number) != sizeof number) ::_exit(2);
  }
  store.reset();
  ::_exit(0);
}

StoreContent read_all(SqliteStore& store) {
  StoreContent content;
  for (int i = 0; i < 4; ++i) {
    const std::string name = "c" + std::to_string(i);
    const auto known = store.find(name);
    if (!known || !*known) continue;
    ChannelState& channel = content[name];
    channel.done = value((*known)->done);
    channel.next = value((*known)->next);
    EXPECT_EQ((*known)->epoch, Epoch{77});
    StorePage page;
    EXPECT_TRUE(store.read(name, Sequence{0}, WallTime{}, 1U << 24, page));
    EXPECT_EQ(page.damaged, 0U);
    for (const std::string& message : messages_of(page)) {
      const std::size_t colon = message.find(':');
      channel.messages[std::stoull(message.substr(0, colon))] = message.substr(colon + 1);
    }
  }
  return content;
}

struct Death {
  StoreDurability durability = StoreDurability::process;
  bool power = false;              // the machine dies, not only the process
  std::uint64_t kept_of_lost = 0;  // of the writes that were not synced, so many reached the disk
  std::uint64_t step = 1;          // every operation, or every second...
};

/// Kills a store at each of its operations, and looks at what is left. Returns how many operations there are.
std::uint64_t kill_everywhere(const Death& death) {
  const std::vector<StoreContent> contents = all_contents();
  for (std::uint64_t kill_at = 1; kill_at < 2'000; kill_at += death.step) {
    StoreDirectory directory;
    OfflineOptions options = directory.options();
    options.durability = death.durability;
    int pipe_ends[2];
    EXPECT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe_ends[0]);
      FaultyVfs vfs;
      vfs.kill_at = kill_at;
      vfs.power = death.power;
      vfs.kept_of_lost = death.kept_of_lost;
      live(options, pipe_ends[1]);
    }
    ::close(pipe_ends[1]);
    std::uint32_t acknowledged = 0;
    for (std::uint32_t number = 0; ::read(pipe_ends[0], &number, sizeof number) == sizeof number;) {
      acknowledged = number;
    }
    ::close(pipe_ends[0]);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    const int exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    EXPECT_TRUE(exit_code == 0 || exit_code == FaultyVfs::kKilled) << "it ended with " << exit_code;

    auto store = SqliteStore::open(options, kNow);
    EXPECT_TRUE(store.has_value()) << "killed at operation " << kill_at << ": " << (store ? "" : store.error());
    if (!store) return kill_at;
    EXPECT_EQ((*store)->opening_note(), "") << "killed at operation " << kill_at;
    const StoreContent content = read_all(**store);
    const auto found = std::ranges::find(contents, content);
    EXPECT_NE(found, contents.end()) << "killed at operation " << kill_at << ": half a transaction";
    if (found == contents.end()) return kill_at;
    const auto transactions = static_cast<std::uint32_t>(found - contents.begin());
    EXPECT_LE(transactions, acknowledged + 1) << "killed at operation " << kill_at;
    if (!death.power || death.durability == StoreDurability::power) {
      EXPECT_GE(transactions, acknowledged) << "killed at operation " << kill_at << ": an acknowledged one is missing";
    }
    if (exit_code == 0) return kill_at;
    if (::testing::Test::HasFailure()) return kill_at;
  }
  return 0;
}

TEST(SqliteStoreCrash, AProcessKilledAtAnyWriteLeavesEveryAcknowledgedTransactionAndNoHalfOne) {
  EXPECT_GT(kill_everywhere({.durability = StoreDurability::process}), 50U);
}

TEST(SqliteStoreCrash, TheSameWhereTransactionsAreSynced) {
  EXPECT_GT(kill_everywhere({.durability = StoreDurability::power, .step = 3}), 50U);
}

TEST(SqliteStoreCrash, AMachineThatLosesPowerLosesNoAcknowledgedTransactionIfTheyAreSynced) {
  EXPECT_GT(kill_everywhere({.durability = StoreDurability::power, .power = true}), 50U);
}

TEST(SqliteStoreCrash, TheSameWhereTheFirstOfTheLostWritesReachedTheDisk) {
  for (const std::uint64_t kept : {1U, 2U, 5U}) {
    EXPECT_GT(kill_everywhere({.durability = StoreDurability::power, .power = true, .kept_of_lost = kept, .step = 5}),
              50U);
  }
}

TEST(SqliteStoreCrash, WithoutSyncingPowerLossLosesTheLastTransactionsAndNeverHalfOfOne) {
  EXPECT_GT(kill_everywhere({.durability = StoreDurability::process, .power = true, .step = 2}), 50U);
}

}  // namespace
}  // namespace ringcast
