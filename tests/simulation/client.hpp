// tests/simulation/client.hpp: a peer with habits: connects, publishes, subscribes, reads, misbehaves, leaves, comes
// back.
//
// Owner    the world.  Thread  one.  Memory  what it has not yet written.
// Failure  none of its own; what it is told is checked by its conversation.
// Not here what the answers must be (conversation), how bytes travel (network), broken frames (vandalism).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/websocket/frame_writer.hpp"
#include "tests/simulation/conversation.hpp"

namespace ringcast::simulation {

/// Everything that a client touches; one for all.
struct Surroundings {
  const Scenario& scenario;
  Dice& dice;
  Network& network;
  Truth& truth;
  Coverage& coverage;
  Trace& trace;
  std::vector<Delivered>& delivered;                          // one a shard
  std::vector<std::unique_ptr<Conversation>>& conversations;  // one a connection, for ever
};

class Client {
 public:
  Client(std::uint32_t index, const ClientPlan& plan, Surroundings& world)
      : index_{index}, plan_{plan}, world_{world} {}

  /// One random thing that this client might do.
  void act(Instant now);
  /// The one that it has now.
  [[nodiscard]] std::optional<ConnectionId> connection() const { return connection_; }
  /// With the network well again: writes what it has and reads what there is. False when there was nothing to do.
  bool settle();
  /// Ends what cannot heal: readers that never read, peers that vanished, what was broken on purpose.
  void give_up_if_hopeless();
  void connect(Instant now);
  void leave();

  /// The connection it has, if it has one.
  [[nodiscard]] Conversation* conversation() const;
  [[nodiscard]] bool ready() const {
    return conversation() != nullptr && opened_ && !close_sent_ && conversation()->open();
  }
  /// A small message that nothing else is like, and `filler` bytes more.
  void publish_marker(std::uint32_t channel, Instant now, std::size_t filler = 0);

  /// Whether it was ever sent a message.
  [[nodiscard]] bool has_read() const;

  bool may_connect = true;

 private:
  struct Handshake {
    Entry entry{};
    std::string target;
    std::vector<std::uint32_t> channels;  // named by the path
    std::optional<Position> since{};      // of the personal channel
  };

  [[nodiscard]] Handshake choose_handshake();
  [[nodiscard]] std::optional<Position> personal_seen() const;
  void send_handshake(const Handshake& handshake);
  void send_text(std::string_view text) { send_message(Opcode::text, text); }
  void send_message(Opcode opcode, std::string_view text);
  void send_frame(Opcode opcode, Bytes payload);
  bool write_some(bool all);
  bool read_some(bool all);
  bool react();
  void end_connection();

  void say_something(Instant now);
  void publish(Instant now);
  void publish_some(std::size_t count, Instant now);
  void add_record(const Publish& publish, std::string_view sent_data, std::uint64_t request);
  void send_records();
  std::uint64_t publish_as(Publish publish, std::string_view sent_data, std::string key, bool with_id);
  void subscribe();
  [[nodiscard]] std::string choose_options(SubscribeOptions& options);
  void unsubscribe();
  void subscribe_to_patterns();
  void unsubscribe_from_patterns();
  void ask_property();
  void ask_presence();
  void misbehave();
  void break_framing();
  void accident();
  void say_goodbye();

  [[nodiscard]] MaskKey mask();
  [[nodiscard]] std::size_t out_bytes_max() const;
  [[nodiscard]] std::string data_for(PublishId id, std::uint32_t channel, std::string& as_sent);
  [[nodiscard]] std::string dedupe_key(std::uint32_t channel, std::string_view message_id, std::string_view data) const;
  [[nodiscard]] std::vector<std::uint32_t> some_channels();
  [[nodiscard]] bool subscribed_enough() const;
  [[nodiscard]] Conversation& talk() const { return *conversation(); }

  std::uint32_t index_;
  ClientPlan plan_;
  Surroundings& world_;
  std::optional<ConnectionId> connection_;
  std::vector<std::uint8_t> out_;
  std::uint64_t written_ = 0;  // bytes that left out_, on this connection
  bool opened_ = false;        // has read the server's 101
  bool close_sent_ = false;
  bool stalled_ = false;
  bool decided_ = false;     // plain /ws: the first message is under way
  bool in_records_ = false;  // binary: what it publishes now goes into records_
  std::string records_;      // of the binary message that is being made
  bool vanished_ = false;
  bool has_read_ = false;                        // on a connection that is over
  std::map<std::uint32_t, Position> last_seen_;  // where to resume
  std::uint32_t ids_used_ = 0;
};

}  // namespace ringcast::simulation
