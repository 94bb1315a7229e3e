#include "engine/shard/rankings.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "engine/session/connection.hpp"

namespace ringcast {
namespace {

constexpr seconds kRoundInterval{1};

template <std::size_t Size>
void put_text(char (&out)[Size], std::string_view text) {
  const std::size_t bytes = std::min(text.size(), Size - 1);
  if (bytes != 0) std::memcpy(out, text.data(), bytes);
  out[bytes] = '\0';
}

std::uint64_t since_1970(WallTime time) { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }

/// "127.0.0.1:50000", "[…]:50000" or "unix". An address in full words of 16 bits: it is for people to recognize.
void put_peer(char (&out)[64], const Connection& connection) {
  const auto& a = connection.address;
  const bool mapped = std::all_of(a.begin(), a.begin() + 10, [](std::uint8_t byte) { return byte == 0; });
  if (connection.port == 0) {
    put_text(out, "unix");
  } else if (mapped && a[10] == 0xff && a[11] == 0xff) {
    std::snprintf(out, sizeof out, "%u.%u.%u.%u:%u", a[12], a[13], a[14], a[15], connection.port);
  } else {
    const auto word = [&](std::size_t i) { return static_cast<unsigned>(a[2 * i] << 8 | a[2 * i + 1]); };
    std::snprintf(out, sizeof out, "[%x:%x:%x:%x:%x:%x:%x:%x]:%u", word(0), word(1), word(2), word(3), word(4), word(5),
                  word(6), word(7), connection.port);
  }
}

}  // namespace

void Rankings::begin_round(Now now) {
  if (ranking_) {
    rcs_channel_table table{};
    table.updated_wall = since_1970(now.wall);
    table.count = channels_.write_to(table.rows);
    stats_->publish_channels(table);
    ranking_ = false;
  }
  if (now.mono - round_began_ < kRoundInterval) return;
  seconds_ = std::chrono::duration<double>(now.mono - round_began_).count();
  round_began_ = now.mono;
  now_ = now;
  channels_.clear();
  ranking_ = true;
}

void Rankings::see(HomeChannel& home, const std::array<Handle, kForms>& logs) {
  if (!ranking_) return;
  const std::uint64_t seq = value(home.last());
  const std::uint64_t lately = seq - home.ranked_seq;
  home.ranked_seq = seq;
  // Those with news first; among the silent, those that have had most.
  constexpr std::uint64_t kMost = 0xffff'ffff;
  const std::uint64_t score = (std::min(lately, kMost) << 32) | std::min(seq, kMost);
  channels_.offer(score, [&](rcs_channel& row) {
    row.messages = seq;
    row.seq = seq;
    row.bytes = home.history.position();
    row.messages_per_second = static_cast<std::uint64_t>(static_cast<double>(lately) / seconds_);
    row.epoch = value(home.epoch);
    put_text(row.channel, *home.name);
    for (const Handle handle : logs) {
      const ChannelLog* log = delivery_->find_log(handle);
      if (log == nullptr) continue;
      row.readers += log->readers.size();
      for (const std::uint32_t reader : log->readers) {
        row.lag_messages_max = std::max(row.lag_messages_max, delivery_->lag_of(reader).messages);
      }
    }
  });
}

void Rankings::see(const Connection& connection) {
  const Outbox& outbox = connection.outbox;
  std::uint64_t messages = 0;
  std::uint64_t bytes = outbox.control_bytes() + (outbox.has_remainder() ? outbox.unsent->rest_bytes : 0);
  const std::uint64_t charged = bytes;
  std::optional<Instant> oldest;
  for (std::uint32_t slot = outbox.pending_first; slot != kNoSlot; slot = delivery_->next_pending(slot)) {
    const Delivery::Lag lag = delivery_->lag_of(slot);
    messages += lag.messages;
    bytes += lag.bytes;
    if (lag.oldest && (!oldest || *lag.oldest < *oldest)) oldest = lag.oldest;
  }
  connections_.offer(bytes, [&](rcs_connection& row) {
    row.connection = connection.id;
    row.lag_messages = messages;
    row.lag_bytes = bytes;
    row.lag_ns = oldest && *oldest < now_.mono ? static_cast<std::uint64_t>((now_.mono - *oldest).count()) : 0;
    row.charged_bytes = charged;
    row.sent_bytes = outbox.bytes_sent;
    row.opened_wall = since_1970(connection.opened_at);
    row.subscriptions = outbox.subscriptions;
    put_peer(row.peer, connection);
    put_text(row.dialect, name_of(outbox.dialect));
  });
}

void Rankings::publish_connections(Now now) {
  now_ = now;
  rcs_connection_table table{};
  table.updated_wall = since_1970(now.wall);
  table.count = connections_.write_to(table.rows);
  stats_->publish_connections(table);
}

}  // namespace ringcast
