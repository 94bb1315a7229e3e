// tests/doubles/delivery_harness.hpp: logs, readers and the rolling send of a shard, and a kernel that the test plays.
//
// Owner    the test.  Thread  one.  Memory  the test's.
// Failure  ensure(): bytes that are no whole frames, a send that breaks the rules of the seam.
// Not here sessions and the mesh (core_harness.hpp).
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "codec/websocket/frame_parser.hpp"
#include "codec/websocket/frame_writer.hpp"
#include "engine/delivery/delivery.hpp"
#include "engine/delivery/rolling_send.hpp"
#include "engine/stats/shard_block.hpp"

namespace ringcast {

/// A server's text frame.
[[nodiscard]] inline std::string text_frame(std::string_view payload) {
  std::string frame(frame_header_bytes(payload.size()), '\0');
  write_frame_header(MutableBytes{reinterpret_cast<std::uint8_t*>(frame.data()), frame.size()},
                     FrameStart{.opcode = Opcode::text}, payload.size());
  return frame.append(payload);
}

/// The payloads of the frames that a stream consists of; a rest that is no whole frame is the last one, as "(broken)".
[[nodiscard]] inline std::vector<std::string> payloads_of(std::string_view stream) {
  std::vector<std::string> payloads;
  while (!stream.empty()) {
    const auto header = decode_frame_header(as_bytes(stream), Role::client);
    ensure(header.has_value(), "what a server sends are frames");
    if (!*header || stream.size() < (*header)->header_bytes + (*header)->payload_bytes) {
      payloads.emplace_back("(broken)");
      break;
    }
    payloads.emplace_back(stream.substr((*header)->header_bytes, (*header)->payload_bytes));
    stream.remove_prefix((*header)->header_bytes + (*header)->payload_bytes);
  }
  return payloads;
}

class DeliveryHarness {
 public:
  struct Reader {
    Outbox outbox;
    std::string stream;      // what the kernel took
    std::size_t sends = 0;
  };
  /// What the kernel does with a send: how many bytes it takes, or -errno.
  using Kernel = std::function<std::int64_t(const Reader&, const SendEntry&)>;
  static std::int64_t take_all(const Reader&, const SendEntry& entry) { return entry.size; }

  DeliveryHarness() = default;
  ~DeliveryHarness() {
    for (const auto& reader : readers) leave(*reader);
  }

  // ---- channels ----

  NamespaceRule& rule(std::uint32_t channel) { return *rules_.at(channel); }

  /// A live log of a new channel.
  std::uint32_t open(std::string name, NamespaceRule with = {}, Form form = Form::native_json) {
    names_.push_back(std::move(name));
    rules_.push_back(std::make_unique<NamespaceRule>(std::move(with)));
    return open_form(static_cast<std::uint32_t>(names_.size() - 1), form, Sequence{1});
  }
  /// Another form's log of the same channel, beginning at `next`.
  std::uint32_t open_form(std::uint32_t channel, Form form, Sequence next,
                          ChannelLog::State state = ChannelLog::State::live) {
    const Handle handle =
        delivery.open_log(*rules_[channel], names_[channel], channel, form, next, Epoch{1}, state);
    ensure(handle.valid(), "the harness has room for its logs");
    return handle.slot;
  }
  FrameLog& log(std::uint32_t slot) { return delivery.log(slot).log; }

  /// One message, the same in all these logs: at its home every form is fed in one go.
  void append(std::initializer_list<std::uint32_t> slots, std::string_view payload) {
    const std::string frame = text_frame(payload);
    for (const std::uint32_t slot : slots) log(slot).append(as_bytes(frame), now.mono);
    for (const std::uint32_t slot : slots) delivery.appended(slot, 1);
    for (const std::uint32_t slot : slots) delivery.settle_moves(slot, now.mono);
  }
  void append(std::uint32_t slot, std::string_view payload) { append({slot}, payload); }
  /// `name:seq`, filled up to `bytes` of payload.
  std::string payload_of(std::uint32_t slot, Sequence seq, std::size_t bytes = 0) {
    std::string text = *delivery.log(slot).name + ":" + std::to_string(value(seq));
    if (text.size() < bytes) text.append(bytes - text.size(), '.');
    return text;
  }
  /// So many numbered messages.
  void feed(std::uint32_t slot, std::uint64_t count, std::size_t bytes = 0) {
    for (std::uint64_t i = 0; i < count; ++i) append(slot, payload_of(slot, log(slot).next(), bytes));
  }
  /// A run of messages that this shard will never get.
  void lose(std::uint32_t slot, std::uint64_t count) {
    log(slot).skip_to(Sequence{value(log(slot).next()) + count});
    delivery.appended(slot, count);
    delivery.settle_moves(slot, now.mono);
  }

  // ---- readers ----

  Reader& reader(Dialect dialect = Dialect::native, Form form = Form::native_json) {
    readers.push_back(std::make_unique<Reader>());
    Outbox& outbox = readers.back()->outbox;
    outbox.connection = Handle{.slot = static_cast<std::uint32_t>(readers.size() - 1), .generation = 1};
    outbox.dialect = dialect;
    outbox.form = form;
    return *readers.back();
  }
  /// Reads from the head on; or from `next`.
  std::uint32_t subscribe(Reader& reader, std::uint32_t slot, Sequence next = Sequence{}) {
    const Handle handle = delivery.create_subscription(reader.outbox, delivery.log(slot).channel);
    ensure(handle.valid(), "the harness has room for its subscriptions");
    delivery.start_reading(handle.slot, slot, next == Sequence{} ? log(slot).next() : next, now.mono);
    delivery.release_messages(handle.slot, now.mono);
    return handle.slot;
  }
  void control(Reader& reader, std::string_view payload) {
    sends.send_control(reader.outbox, text_frame(payload), now);
  }
  /// The connection has ended.
  void leave(Reader& reader) {
    while (reader.outbox.subscription_first != kNoSlot) {
      delivery.end_subscription(reader.outbox.subscription_first, now.mono);
    }
    reader.outbox.failed = true;
    sends.release(reader.outbox);
    std::erase_if(in_flight, [&](const SendEntry& entry) { return entry.connection == reader.outbox.connection; });
  }
  Reader& reader_of(Handle connection) { return *readers.at(connection.slot); }

  // ---- sending ----

  /// One batch. Returns its entries; remainders stay in `in_flight` until they are completed.
  std::vector<SendEntry> batch(const Kernel& kernel = take_all) {
    const auto entries = sends.prepare(now);
    std::vector<SendEntry> copy(entries.begin(), entries.end());
    std::vector<SendReport> reports;
    std::vector<Handle> seen;
    for (std::uint32_t i = 0; i < copy.size(); ++i) {
      const SendEntry& entry = copy[i];
      ensure(entry.size != 0, "a send carries something");
      ensure(std::ranges::find(seen, entry.connection) == seen.end(), "one send a connection a batch");
      seen.push_back(entry.connection);
      ensure(std::ranges::none_of(in_flight,
                                  [&](const SendEntry& other) { return other.connection == entry.connection; }),
             "nothing goes out while a remainder is under way");
      Reader& to = reader_of(entry.connection);
      ++to.sends;
      if (entry.remainder) {
        in_flight.push_back(entry);
        continue;
      }
      const std::int64_t result = kernel(to, entry);
      ensure(result <= entry.size, "a kernel takes at most what it is given");
      if (result > 0) to.stream.append(reinterpret_cast<const char*>(entry.data), static_cast<std::size_t>(result));
      if (result != entry.size) reports.push_back({.entry = i, .result = static_cast<std::int32_t>(result)});
    }
    if (!copy.empty()) sends.finish(reports, now);
    take_events();
    delivery.validate();
    return copy;
  }
  /// The kernel takes what remainders are under way, whole.
  void complete_remainders() {
    const auto entries = std::exchange(in_flight, {});
    for (const SendEntry& entry : entries) {
      Reader& to = reader_of(entry.connection);
      to.stream.append(reinterpret_cast<const char*>(entry.data), entry.size);
      sends.remainder_sent(to.outbox, static_cast<std::int32_t>(entry.size), now);
    }
    take_events();
    delivery.validate();
  }
  /// Sockets take bytes again, everywhere.
  void unblock() {
    for (const auto& reader : readers) {
      if (reader->outbox.blocked) sends.writable(reader->outbox, now);
    }
    take_events();
  }
  /// Until nothing is left to send.
  void run(const Kernel& kernel = take_all) {
    for (int i = 0; i < 100'000; ++i) {
      const bool sent = !batch(kernel).empty();
      complete_remainders();
      unblock();
      if (!sent && !delivery.has_dirty() && delivery.queued_connections() == 0) return;
    }
    ensure(false, "sending comes to an end");
  }
  void take_events() {
    for (const OutboxEvent& event : sends.take_events()) events.push_back(event);
  }
  [[nodiscard]] std::size_t count(OutboxEvent::Kind kind) const {
    return static_cast<std::size_t>(std::ranges::count(events, kind, &OutboxEvent::kind));
  }
  [[nodiscard]] std::uint64_t count(CounterId id) const { return stats.get(id); }
  [[nodiscard]] Ledger ledger() {
    const Ledger ledger = delivery.ledger();
    ensure(ledger.closed(), "the ledger is closed at every moment");
    if (const auto news = delivery.ledger_news()) ledger_told_ = *news;
    ensure(ledger == ledger_told_, "what ledger_news() does not tell has not changed");
    return ledger;
  }

  std::unique_ptr<ShardBlock> block = std::make_unique<ShardBlock>();
  ShardStats stats{*block};
  Budget budget;
  Now now{.mono = Instant{seconds{1'000}}, .wall = WallTime{seconds{1'790'000'000}}};

 private:
  std::deque<std::string> names_;  // stay where they are: logs keep references
  std::vector<std::unique_ptr<NamespaceRule>> rules_;
  Ledger ledger_told_;  // by ledger_news()

 public:
  Delivery delivery{10'000, 100'000, budget, stats};
  RollingSend sends{delivery, budget, stats};
  std::vector<std::unique_ptr<Reader>> readers;
  std::vector<SendEntry> in_flight;
  std::vector<OutboxEvent> events;
};

}  // namespace ringcast
