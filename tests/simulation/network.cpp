#include "tests/simulation/network.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/limits.hpp"
#include "tests/simulation/checkers.hpp"

namespace ringcast::simulation {
namespace {

constexpr std::size_t kReceiveBytesMax = 64 * 1'024;  // of one connection, received and not yet looked at

}  // namespace

Network::Network(Dice& dice, Trace& trace, Coverage& coverage, std::uint32_t shards)
    : dice_{dice}, trace_{trace}, coverage_{coverage}, arrivals_(shards), by_slot_(shards) {}

// ---- what a client does ----

ConnectionId Network::connect(std::uint32_t shard, std::size_t to_server_max, std::size_t to_client_max) {
  const auto id = static_cast<ConnectionId>(sockets_.size());
  Socket socket;
  socket.shard = shard;
  socket.to_server_max = to_server_max;
  socket.to_client_max = to_client_max;
  sockets_.push_back(std::move(socket));
  batch_of_.push_back(0);
  push(at(id), Arrival{.kind = Arrival::Kind::accepted, .connection = id, .bytes = {}, .result = 0});
  trace_.note("c{} connects to shard {}; socket buffers {} in, {} out", id, shard, to_server_max, to_client_max);
  return id;
}

std::size_t Network::client_writes(ConnectionId connection, Bytes bytes) {
  Socket& socket = at(connection);
  if (socket.error != 0 || socket.client_finished) return 0;
  const std::size_t room = socket.to_server_max - std::min(socket.to_server_max, socket.to_server.size());
  const std::size_t taken = std::min(room, bytes.size());
  socket.to_server.insert(socket.to_server.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
  if (socket.stage == Stage::gone && taken != 0) break_socket(socket, ECONNRESET);  // nobody is there any more
  return taken;
}

std::size_t Network::client_reads(ConnectionId connection, std::size_t most) {
  Socket& socket = at(connection);
  if (socket.error != 0) return 0;
  const std::size_t count = std::min(most, socket.to_client);
  socket.to_client -= count;
  socket.client_read += count;
  return count;
}

void Network::client_finishes(ConnectionId connection) {
  Socket& socket = at(connection);
  if (socket.client_finished || socket.error != 0) return;
  socket.client_finished = true;
  trace_.note("c{} client sends FIN", connection);
}

void Network::client_resets(ConnectionId connection, int error) {
  Socket& socket = at(connection);
  if (socket.error != 0 || socket.stage == Stage::gone) return;
  trace_.note("c{} breaks with errno {}; {} bytes to the server and {} to the client are lost", connection, error,
              socket.to_server.size(), socket.to_client);
  break_socket(socket, error);
}

void Network::client_vanishes(ConnectionId connection) {
  Socket& socket = at(connection);
  if (socket.error == 0) socket.client_vanished = true;
}

void Network::client_departs(ConnectionId connection) {
  client_finishes(connection);
  at(connection).client_departed = true;
}

bool Network::readable(ConnectionId connection) const {
  const Socket& socket = at(connection);
  return socket.error == 0 && socket.to_client != 0;
}

bool Network::at_end(ConnectionId connection) const {
  const Socket& socket = at(connection);
  return socket.error != 0 || (socket.server_finished && socket.to_client == 0);
}

bool Network::broken(ConnectionId connection) const { return at(connection).error != 0; }

std::uint64_t Network::bytes_read(ConnectionId connection) const { return at(connection).client_read; }

bool Network::lost_bytes(ConnectionId connection) const { return at(connection).lost_bytes; }

void Network::break_socket(Socket& socket, int error) {
  socket.error = error;
  socket.lost_bytes = socket.lost_bytes || socket.to_client != 0;
  socket.to_client = 0;
  socket.to_server.clear();
}

// ---- what the shell does ----

void Network::accepted(ConnectionId connection, std::optional<Handle> handle) {
  Socket& socket = at(connection);
  if (!handle) {
    trace_.note("c{} is refused: no slot", connection);
    coverage_.add(Seen::accepts_refused);
    socket.stage = Stage::gone;
    break_socket(socket, ECONNRESET);
    return;
  }
  check(handle->valid(), Checker::seam, "accept() gave c{} an invalid handle", connection);
  check(!by_slot_[socket.shard].contains(handle->slot), Checker::seam,
        "accept() gave c{} slot {}, which is in use until closed()", connection, handle->slot);
  socket.stage = Stage::open;
  socket.handle = *handle;
  by_slot_[socket.shard].emplace(handle->slot, connection);
  trace_.note("c{} is accepted by shard {} as {}:{}", connection, socket.shard, handle->slot, handle->generation);
}

ConnectionId Network::find(std::uint32_t shard, Handle handle, const char* what) const {
  const auto found = by_slot_[shard].find(handle.slot);
  check(found != by_slot_[shard].end() && at(found->second).handle == handle, Checker::seam,
        "shard {} gives {} for handle {}:{}, which names no connection", shard, what, handle.slot, handle.generation);
  return found->second;
}

std::size_t Network::taken_of(ConnectionId connection, const Socket& socket, std::size_t size) {
  const bool sealed = is_sealed(connection);
  const std::size_t room = sealed && socket.room() != 0 ? kTlsTurnBytesMax : socket.room();
  const std::size_t fits = std::min(room, size);
  if (habits.healthy || fits == 0 || !dice_.percent(habits.short_sends)) return fits;
  if (dice_.one_in(4)) return 0;
  return sealed ? fits : dice_.below(fits + 1);
}

void Network::take(ConnectionId connection, Socket& socket, const std::uint8_t* data, std::size_t size) {
  if (size == 0) return;
  socket.to_client += size;
  on_taken(connection, Bytes{data, size});
}

void Network::send(std::uint32_t shard, std::span<const SendEntry> batch, std::vector<SendReport>& reports) {
  reports.clear();
  ++batches_;
  given_.resize(std::max(given_.size(), batch.size()));
  check(batch.size() <= kSendBatchMax, Checker::seam, "a batch has {} entries", batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const SendEntry& entry = batch[i];
    const ConnectionId id = find(shard, entry.connection, "a send");
    Socket& socket = at(id);
    check(entry.size != 0 && entry.data != nullptr, Checker::seam, "c{} is sent nothing", id);
    check(entry.remainder || entry.size <= kTurnBytesMax + 2_MiB, Checker::seam, "c{} is sent {} bytes", id,
          entry.size);
    check(batch_of_[id] != batches_, Checker::seam, "c{} has two entries in one batch", id);
    check(!socket.remainder, Checker::seam, "c{} is sent something while its remainder is pending", id);
    check(!socket.finish_asked, Checker::seam, "c{} is sent something after its end was asked for", id);
    batch_of_[id] = batches_;
    given_[i].assign(entry.data, entry.data + entry.size);
    const auto index = static_cast<std::uint32_t>(i);
    if (entry.remainder) {
      trace_.note("c{} remainder of {} bytes handed over", id, entry.size);
      coverage_.add(entry.size >= kPinnedFrameBytesMin ? Seen::remainders_large : Seen::remainders);
      socket.remainder = Remainder{entry.data, entry.size, 0, given_[i]};
      continue;
    }
    if (socket.client_departed && socket.error == 0 && dice_.one_in(2)) break_socket(socket, ECONNRESET);
    if (socket.error != 0) {
      const int error = dice_.one_in(2) ? EPIPE : socket.error;
      trace_.note("c{} send of {} bytes fails with errno {}", id, entry.size, error);
      coverage_.add(Seen::sends_failed);
      reports.push_back(SendReport{index, -error});
      continue;
    }
    const std::size_t taken = taken_of(id, socket, entry.size);
    trace_.note("c{} send takes {} of {} bytes", id, taken, entry.size);
    take(id, socket, entry.data, taken);
    coverage_.add(taken == entry.size ? Seen::sends_whole : taken == 0 ? Seen::sends_again : Seen::sends_short);
    if (is_sealed(id) && taken != 0) coverage_.add(Seen::sends_sealed);
    if (taken != entry.size) {
      reports.push_back(SendReport{index, taken == 0 ? -EAGAIN : static_cast<std::int32_t>(taken)});
    }
  }
}

void Network::sends_finished(std::span<const SendEntry> batch) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    check(std::equal(given_[i].begin(), given_[i].end(), batch[i].data), Checker::seam,
          "the bytes of entry {} changed before finish_sends()", i);
  }
}

void Network::act(std::uint32_t shard, const Action& action) {
  const ConnectionId id = find(shard, action.connection, "an action");
  Socket& socket = at(id);
  check(socket.stage == Stage::open, Checker::seam, "c{} gets an action after close or reset", id);
  switch (action.kind) {
    case ActionKind::pause_receive:
      trace_.note("c{} receive paused", id);
      coverage_.add(Seen::receives_paused);
      check(!socket.receive_paused, Checker::seam, "c{} is paused twice", id);
      socket.receive_paused = true;
      socket.late_bytes_allowed = !habits.healthy && dice_.one_in(2);
      break;
    case ActionKind::resume_receive:
      trace_.note("c{} receive resumed", id);
      check(socket.receive_paused, Checker::seam, "c{} is resumed without a pause", id);
      socket.receive_paused = false;
      break;
    case ActionKind::wait_writable:
      trace_.note("c{} waits to be writable", id);
      check(!socket.waits_writable, Checker::seam, "c{} waits twice to be writable", id);
      socket.waits_writable = true;
      break;
    case ActionKind::shutdown_write:
      trace_.note("c{} server sends FIN", id);
      check(!socket.finish_asked && !socket.remainder, Checker::seam, "c{} ends twice, or within a remainder", id);
      socket.finish_asked = socket.server_finished = true;
      break;
    case ActionKind::close:
      trace_.note("c{} server closes", id);
      check(!socket.remainder, Checker::seam, "c{} is closed while a remainder is pending", id);
      socket.finish_asked = true;
      socket.stage = Stage::ending;
      break;
    case ActionKind::reset:
      trace_.note("c{} server resets", id);
      coverage_.add(Seen::actions_reset);
      socket.finish_asked = true;
      socket.stage = Stage::ending;
      break_socket(socket, ECONNRESET);
      break;
  }
}

void Network::forget_handle(ConnectionId connection) {
  Socket& socket = at(connection);
  by_slot_[socket.shard].erase(socket.handle->slot);
  socket.handle.reset();
}

std::optional<Handle> Network::handle_of(ConnectionId connection) const { return at(connection).handle; }

// ---- the kernel and the wire ----

void Network::push(Socket& socket, Arrival arrival) { arrivals_[socket.shard].push_back(std::move(arrival)); }

bool Network::deliver_input(ConnectionId connection, Socket& socket) {
  if (socket.end_reported) return false;
  const bool late = socket.receive_paused && socket.late_bytes_allowed;
  if (socket.receive_paused && !late) return false;
  if (socket.error != 0) {
    if (socket.receive_paused) return false;  // nothing listens: a send will notice, or the resumed receive
    socket.end_reported = true;
    push(socket, Arrival{Arrival::Kind::ended, connection, {}, socket.error});
    return true;
  }
  if (!socket.to_server.empty() && socket.on_the_way >= kReceiveBytesMax) return false;  // its buffers are all in use
  if (!socket.to_server.empty()) {
    const std::size_t most = std::min<std::size_t>(socket.to_server.size(), 16'384);
    const std::size_t count = dice_.one_in(2) ? most : dice_.size(1, most);
    const auto end = socket.to_server.begin() + static_cast<std::ptrdiff_t>(count);
    push(socket, Arrival{Arrival::Kind::bytes, connection, {socket.to_server.begin(), end}, 0});
    socket.to_server.erase(socket.to_server.begin(), end);
    socket.on_the_way += count;
    if (late) {
      coverage_.add(Seen::late_bytes_after_pause);
      socket.late_bytes_allowed = dice_.one_in(3);
    }
    return true;
  }
  if (socket.client_finished && !socket.receive_paused && !socket.client_vanished) {
    socket.end_reported = true;
    push(socket, Arrival{Arrival::Kind::ended, connection, {}, 0});
    return true;
  }
  return false;
}

void Network::end_remainder(ConnectionId connection, Socket& socket, std::int32_t error) {
  const Remainder& remainder = *socket.remainder;
  check(std::equal(remainder.as_given.begin(), remainder.as_given.end(), remainder.data), Checker::seam,
        "the bytes of c{}'s remainder changed while they were being sent", connection);
  const std::int32_t result = remainder.taken != 0 ? static_cast<std::int32_t>(remainder.taken) : error;
  if (remainder.taken != remainder.size) coverage_.add(Seen::remainders_cut);
  trace_.note("c{} remainder ends: {} of {}", connection, result, remainder.size);
  push(socket, Arrival{Arrival::Kind::remainder, connection, {}, result});
  socket.remainder.reset();
}

bool Network::move_remainder(ConnectionId connection, Socket& socket) {
  if (!socket.remainder) return false;
  if (socket.stage == Stage::ending) {  // the shell cancels it
    end_remainder(connection, socket, -ECANCELED);
    return true;
  }
  if (socket.error != 0) {
    end_remainder(connection, socket, -socket.error);
    return true;
  }
  Remainder& remainder = *socket.remainder;
  const std::size_t room = std::min<std::size_t>(socket.room(), remainder.size - remainder.taken);
  if (room == 0) return false;
  const std::size_t count = habits.healthy || dice_.one_in(2) ? room : dice_.between(1, room);
  check(std::equal(remainder.data + remainder.taken, remainder.data + remainder.taken + count,
                   remainder.as_given.begin() + remainder.taken),
        Checker::seam, "the bytes of c{}'s remainder changed while they were being sent", connection);
  take(connection, socket, remainder.data + remainder.taken, count);
  remainder.taken += static_cast<std::uint32_t>(count);
  if (remainder.taken == remainder.size) end_remainder(connection, socket, 0);
  return true;
}

bool Network::finish_descriptor(ConnectionId connection, Socket& socket) {
  if (socket.stage != Stage::ending || socket.remainder) return false;
  if (!habits.healthy && dice_.one_in(2)) return false;  // the last completion takes its time
  socket.stage = Stage::gone;
  socket.server_finished = true;
  // A descriptor closed with input unread sends RST, which destroys what the client has not read.
  if (!socket.to_server.empty() && socket.error == 0 && dice_.one_in(2)) break_socket(socket, ECONNRESET);
  push(socket, Arrival{Arrival::Kind::closed, connection, {}, 0});
  return true;
}

bool Network::step(ConnectionId connection) {
  Socket& socket = at(connection);
  if (socket.stage == Stage::gone || socket.stage == Stage::arriving) return false;
  if (socket.stage == Stage::ending) {
    if (dice_.one_in(4) && deliver_input(connection, socket)) return true;
    return move_remainder(connection, socket) || finish_descriptor(connection, socket);
  }
  if (socket.client_departed && socket.error == 0 && socket.to_client != 0 && (habits.healthy || dice_.one_in(8))) {
    trace_.note("c{} nobody is there: RST", connection);
    break_socket(socket, ECONNRESET);
    return true;
  }
  const bool input_first = dice_.one_in(2);
  if (input_first && deliver_input(connection, socket)) return true;
  if (move_remainder(connection, socket)) return true;
  if (socket.waits_writable && (socket.error != 0 || socket.room() != 0)) {
    socket.waits_writable = false;
    push(socket, Arrival{Arrival::Kind::writable, connection, {}, 0});
    return true;
  }
  return !input_first && deliver_input(connection, socket);
}

std::uint32_t Network::held_by(std::uint32_t shard) const { return static_cast<std::uint32_t>(by_slot_[shard].size()); }

std::uint32_t Network::remainders_pending(std::uint32_t shard) const {
  return static_cast<std::uint32_t>(std::ranges::count_if(
      sockets_, [&](const Socket& socket) { return socket.shard == shard && socket.remainder.has_value(); }));
}

}  // namespace ringcast::simulation
