// tests/tools/fake_server.hpp: a small server inside the test, for the tools to talk to; it can be told to do wrong.
//
// Owner    the test.  Thread  its own, from the constructor to the destructor; the settings are atomic or set before
// use. Memory   every message ever published: tests are short. Failure  ensure(): it serves its own tests only. Not
// here anything that a real server needs: limits, permissions, heartbeats, bounded queues.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "codec/dialect/binary.hpp"
#include "codec/dialect/exchange.hpp"
#include "codec/dialect/native.hpp"
#include "codec/websocket/message_assembler.hpp"
#include "tools/client/socket.hpp"

namespace ringcast {

/// What the server does with one message for one subscriber.
enum class Delivery : std::uint8_t { normal, drop, twice, swap_with_next, notice, close_slow };

struct FakeServerOptions {
  /// Asked for each message and subscriber; connections are numbered from 0 in the order in which they were accepted.
  std::function<Delivery(std::uint64_t connection, std::string_view channel, std::uint64_t seq)> delivery = {};
  std::function<bool(std::string_view channel, std::uint64_t nth)> refuses = {};  // the nth publish, from 1
  /// Asked for each command. What it gives is said instead of what the server would; an empty text cuts the connection.
  std::function<std::vector<std::string>(std::uint64_t connection, std::string_view command)> script = {};
  std::uint16_t answers_upgrade_with = 101;
  std::uint64_t too_busy_for = 0;        // so many connections are answered 503, with Retry-After: 1
  bool recovers = true;                  // answers resume with what was missed
  std::uint64_t history_from = 1;        // the oldest seq that a history query gets; 0: the server knows no such query
  std::uint64_t history_page_max = 100;  // messages in one answer
  bool alters = false;                   // changes a byte of every payload
  bool speaks_binary = true;             // takes ringcast.v1.bin when it is offered
  std::string unix_path = {};            // listens there instead of on a port
};

class FakeServer {
 public:
  explicit FakeServer(FakeServerOptions options = {});
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  [[nodiscard]] std::string url() const;
  /// Cuts every connection, without a close frame.
  void cut_all() { cut_.store(true); }
  /// Publishes from inside.
  void publish(std::string channel, std::string data);
  /// What the clients said, but for publishes.
  [[nodiscard]] std::vector<std::string> commands();
  /// The Authorization field of each request, in order; empty where there was none.
  [[nodiscard]] std::vector<std::string> authorizations();
  struct Message {
    std::string data{}, event{}, message_id{};
    bool snapshot = false;
    Sequence as_of{};
    bool high_priority = false;
  };
  /// What clients published, in order, whatever the channel.
  [[nodiscard]] std::vector<Message> messages();
  /// Says this to everybody, as it is.
  void say(std::string text);
  [[nodiscard]] std::uint64_t subscribers() const { return subscribers_.load(); }
  [[nodiscard]] std::uint64_t published() const { return published_.load(); }
  [[nodiscard]] std::uint64_t accepted() const { return accepted_.load(); }
  static constexpr Epoch kEpoch{0x5f3c'9a1e'07d2'b846};

 private:
  struct Peer {
    UniqueFd fd;
    std::uint64_t number = 0;
    std::string head;
    bool upgraded = false, exchange = false, combined = false, binary = false, closing = false;
    MessageAssembler assembler{Role::server};
    std::vector<std::uint8_t> output;
    std::size_t output_sent = 0;
    std::vector<std::string> channels;
    std::map<std::string, std::string, std::less<>> held_back;  // frames to be sent after the next one
  };
  struct Channel {
    std::vector<Message> messages;  // by seq - 1
    std::vector<Peer*> readers;
    std::uint32_t id = 0;
  };

  void run();
  void accept_all();
  void read(Peer& peer);
  void upgrade(Peer& peer);
  void handle(Peer& peer, std::string_view text);
  void handle_records(Peer& peer, Bytes records);
  void subscribe(Peer& peer, const Command& command);
  void take_publish(Peer& peer, const Command& command);
  void answer_history(Peer& peer, const Command& command);
  void append(const std::string& channel, Message message);
  [[nodiscard]] Channel& channel_of(const std::string& name);
  void send(Peer& peer, std::string_view payload, Opcode opcode);
  void send_message(Peer& peer, std::string_view payload);
  void deliver(Peer& peer, const std::string& channel, std::uint64_t seq);
  void send_text(Peer& peer, std::string_view text);
  void send_gap(Peer& peer, const std::string& channel, std::uint64_t seq);
  void flush(Peer& peer);
  void drop_closed();
  [[nodiscard]] static Form form_of(const Peer& peer);
  [[nodiscard]] std::string encode(Form form, const std::string& channel, std::uint64_t seq) const;

  FakeServerOptions options_;
  UniqueFd listener_, epoll_, wake_;
  std::uint16_t port_ = 0;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::map<std::string, Channel, std::less<>> channels_;
  NativeDecoder native_;
  BinaryDecoder binary_;
  ExchangeDecoder exchange_;
  std::mutex inside_mutex_;
  std::vector<std::pair<std::string, std::string>> inside_;
  std::vector<std::string> commands_, authorizations_, sayings_;  // under the same mutex, and so are
  std::vector<Message> received_;
  std::atomic<bool> stop_{false}, cut_{false};
  std::atomic<std::uint64_t> subscribers_{0}, published_{0}, accepted_{0};
  std::thread thread_;
};

}  // namespace ringcast
