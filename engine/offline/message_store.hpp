// engine/offline/message_store.hpp: what the store service needs of whatever keeps the messages.
//
// Owner    implemented by bridge/sqlite_store and by the simulation.  Thread  the bridge's.  Memory  the implementer's.
// Failure  every call may answer a StoreFault; the transaction under way is then to be rolled back.
// Not here who asks for what, and when a transaction ends (store_service).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "alloc/base/identifiers.hpp"
#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "engine/offline/store_records.hpp"

namespace ringcast {

struct StoreFault {
  StoreState state = StoreState::failing;
  std::string sentence;  // for the log: what happened, where
};
template <class Value>
using Stored = Result<Value, StoreFault>;

struct KeptChannel {
  Epoch epoch{};
  Sequence next{1};
  Sequence done{};
};

struct KeptMessage {
  std::string_view channel;
  Epoch epoch{};
  Sequence seq{};
  Sequence done{};
  Sequence floor{};
  std::int64_t published_ns = 0;
  std::uint64_t publisher = 0;
  Bytes record;
};

struct Settlement {
  std::string_view channel;
  Epoch epoch{};
  Sequence done{};
  Sequence floor{};
};

/// Kept messages in the form of an answer: a StoreLoadedMessage and its record each.
struct StorePage {
  std::vector<std::uint8_t> bytes;
  std::uint32_t messages = 0;
  std::uint32_t damaged = 0;  // were not what was written, and are left out
  bool more = false;

  void clear() {
    bytes.clear();
    messages = damaged = 0;
    more = false;
  }
  void add(const StoreLoadedMessage& header, Bytes record) {
    const std::size_t at = bytes.size();
    bytes.resize(at + sizeof header + record.size());
    store(bytes.data() + at, header);
    if (!record.empty()) std::memcpy(bytes.data() + at + sizeof header, record.data(), record.size());
    ++messages;
  }
};

class MessageStore {
 public:
  virtual ~MessageStore() = default;

  /// What is known of a channel.
  virtual Stored<std::optional<KeptChannel>> find(std::string_view channel) = 0;
  /// Appends the channel's kept messages after `after` that were published at `oldest` or later, in order, until the
  /// page holds `bytes_max`: at least one.
  virtual Stored<void> read(std::string_view channel, Sequence after, WallTime oldest, std::size_t bytes_max,
                            StorePage& page) = 0;

  virtual Stored<void> begin() = 0;
  virtual Stored<void> put(const KeptMessage& message) = 0;
  virtual Stored<void> settle(const Settlement& settlement) = 0;
  /// All since begin() is kept from now on, whatever happens to this process.
  virtual Stored<void> commit(WallTime now) = 0;
  virtual void roll_back() = 0;

  /// Forgets, of some channels, what is older than `oldest`; says how many messages. The next call goes on with others.
  virtual Stored<std::uint64_t> clean(WallTime oldest, WallTime now) = 0;
  /// Whether the store is where it was; asked once a second.
  virtual Stored<void> check() = 0;
  /// Tries to be good again after a fault. The text, if any, says what was done for it.
  virtual Stored<std::string> repair(WallTime now) = 0;
  /// Nothing else is to be done: time for upkeep.
  virtual void rest() = 0;
};

}  // namespace ringcast
