// tests/doubles/memory_store.hpp: a message store in memory, which outlives the node that uses it, and fails on demand.
//
// Owner    the test, or the simulation's world.  Thread  one.  Memory  the test's.
// Failure  whatever `fault` says.
// Not here files (bridge/sqlite_store), transactions' size (offline/store_service).
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "engine/offline/message_store.hpp"

namespace ringcast {

class MemoryStore final : public MessageStore {
 public:
  enum class Operation : std::uint8_t { read, write, commit, check, repair };
  struct Message {
    std::int64_t published_ns = 0;
    std::uint64_t publisher = 0;
    std::vector<std::uint8_t> record;
  };
  struct Channel {
    Epoch epoch{};
    Sequence next{1};
    Sequence done{};
    std::map<std::uint64_t, Message> messages;
  };
  using Channels = std::map<std::string, Channel, std::less<>>;

  /// What goes wrong, and what that leaves the store in; nothing: all is well.
  std::function<std::optional<StoreState>(Operation)> fault;

  [[nodiscard]] const Channels& channels() const { return committed_; }
  [[nodiscard]] std::size_t messages() const {
    std::size_t count = 0;
    for (const auto& [name, channel] : committed_) count += channel.messages.size();
    return count;
  }
  /// The process that wrote has died.
  void crash() {
    changed_.clear();
    in_transaction_ = false;
  }
  /// Everything is gone, as after damage.
  void lose_everything() {
    crash();
    committed_.clear();
  }
  std::uint64_t commits = 0;

  Stored<std::optional<KeptChannel>> find(std::string_view name) override {
    if (auto wrong = ask(Operation::read)) return unexpected(*wrong);
    const Channel* channel = look(name);
    if (channel == nullptr) return std::nullopt;
    return KeptChannel{.epoch = channel->epoch, .next = channel->next, .done = channel->done};
  }
  Stored<void> read(std::string_view name, Sequence after, WallTime oldest, std::size_t bytes_max,
                    StorePage& page) override {
    if (auto wrong = ask(Operation::read)) return unexpected(*wrong);
    const Channel* channel = look(name);
    if (channel == nullptr) return {};
    for (auto at = channel->messages.upper_bound(value(after)); at != channel->messages.end(); ++at) {
      const Message& message = at->second;
      if (message.published_ns < oldest.time_since_epoch().count()) continue;
      if (page.messages != 0 && page.bytes.size() + sizeof(StoreLoadedMessage) + message.record.size() > bytes_max) {
        page.more = true;
        return {};
      }
      page.add({.seq = Sequence{at->first},
                .published_ns = message.published_ns,
                .publisher = message.publisher,
                .record_bytes = static_cast<std::uint32_t>(message.record.size())},
               message.record);
    }
    return {};
  }

  Stored<void> begin() override {
    ensure(!in_transaction_, "one transaction at a time");
    if (auto wrong = ask(Operation::write)) return unexpected(*wrong);
    in_transaction_ = true;
    return {};
  }
  Stored<void> put(const KeptMessage& message) override {
    ensure(in_transaction_, "messages are put in a transaction");
    if (auto wrong = ask(Operation::write)) return unexpected(*wrong);
    Channel& channel = change(message.channel);
    if (channel.epoch != message.epoch) {
      channel = Channel{.epoch = message.epoch, .next = message.seq, .done = {}, .messages = {}};
    }
    ensure(message.seq == channel.next, "messages are put in the order of their numbers");
    channel.next = next(message.seq);
    channel.done = std::max(channel.done, message.done);
    channel.messages[value(message.seq)] = {.published_ns = message.published_ns,
                                            .publisher = message.publisher,
                                            .record = {message.record.begin(), message.record.end()}};
    drop_before(channel, message.floor);
    return {};
  }
  Stored<void> settle(const Settlement& settlement) override {
    ensure(in_transaction_, "messages are settled in a transaction");
    if (auto wrong = ask(Operation::write)) return unexpected(*wrong);
    if (look(settlement.channel) == nullptr) return {};
    Channel& channel = change(settlement.channel);
    if (channel.epoch != settlement.epoch) return {};
    channel.done = std::max(channel.done, settlement.done);
    drop_before(channel, settlement.floor);
    return {};
  }
  Stored<void> commit(WallTime) override {
    ensure(in_transaction_, "a transaction is committed once");
    if (auto wrong = ask(Operation::commit)) return unexpected(*wrong);
    for (auto& [name, channel] : changed_) committed_[name] = std::move(channel);
    changed_.clear();
    in_transaction_ = false;
    ++commits;
    return {};
  }
  void roll_back() override { crash(); }

  Stored<std::uint64_t> clean(WallTime oldest, WallTime) override {
    std::uint64_t gone = 0;
    for (auto& [name, channel] : committed_) {
      gone += std::erase_if(channel.messages, [&](const auto& message) {
        return message.second.published_ns < oldest.time_since_epoch().count();
      });
    }
    return gone;
  }
  Stored<void> check() override {
    if (auto wrong = ask(Operation::check)) return unexpected(*wrong);
    return {};
  }
  Stored<std::string> repair(WallTime) override {
    if (auto wrong = ask(Operation::repair)) return unexpected(*wrong);
    return "it is well again";
  }
  void rest() override {}

 private:
  std::optional<StoreFault> ask(Operation operation) const {
    const auto state = fault ? fault(operation) : std::nullopt;
    if (!state) return std::nullopt;
    return StoreFault{.state = *state, .sentence = "the test says so"};
  }
  [[nodiscard]] const Channel* look(std::string_view name) const {
    if (const auto at = changed_.find(name); at != changed_.end()) return &at->second;
    const auto at = committed_.find(name);
    return at == committed_.end() ? nullptr : &at->second;
  }
  Channel& change(std::string_view name) {
    const auto at = changed_.find(name);
    if (at != changed_.end()) return at->second;
    const auto kept = committed_.find(name);
    Channel copy = kept == committed_.end() ? Channel{} : kept->second;
    return changed_.emplace(std::string{name}, std::move(copy)).first->second;
  }
  static void drop_before(Channel& channel, Sequence floor) {
    channel.messages.erase(channel.messages.begin(), channel.messages.lower_bound(value(floor)));
  }

  Channels committed_;
  Channels changed_;
  bool in_transaction_ = false;
};

}  // namespace ringcast
