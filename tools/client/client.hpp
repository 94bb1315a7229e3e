// tools/client/client.hpp: one WebSocket connection for programs that wait: pub, sub, replay.
//
// Owner    the command, by value.  Thread  the command's; open(), wait() and close() block it, with a deadline each.
// Memory   one receive buffer of kReceiveBytes, a message of at most message_bytes_max, and what is queued.
// Failure  open() gives a ClientError; later trouble is an Event of kind closed, and nothing follows it.
// Not here reconnecting (sub), what messages mean (server_message.hpp), many connections (tools/load).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "codec/deflate/message_inflater.hpp"
#include "codec/websocket/message_assembler.hpp"
#include "tools/client/endpoint.hpp"
#include "tools/client/frame_output.hpp"
#include "tools/client/random.hpp"
#include "tools/client/socket.hpp"
#include "tools/client/stream.hpp"

namespace ringcast {

inline constexpr std::size_t kReceiveBytes = 256U << 10;

struct ClientError {
  enum class Kind : std::uint8_t {
    unreachable,  // no address, refused, timed out: worth another try
    refused,      // an HTTP answer other than 101, or one that breaks the handshake
    interrupted,  // `also_readable` became readable first
  };
  Kind kind = Kind::unreachable;
  std::uint16_t status = 0;  // refused: the HTTP status
  std::string sentence;
  seconds retry_after{0};  // refused: what the server asks to wait before the next attempt
};

struct ClientOptions {
  milliseconds connect_timeout{5'000};
  std::uint32_t message_bytes_max = 64U << 20;  // a server's limit may be above the default of 1 MiB
  int also_readable = -1;                       // a descriptor that ends the wait in open(): the stop signal
  bool offers_deflate = false;                  // what the server compresses is unpacked
  bool takes_binary = false;                    // gives binary messages as text; otherwise one ends the connection
};

class Client {
 public:
  [[nodiscard]] static Result<Client, ClientError> open(const Endpoint& endpoint, const ClientOptions& options);

  struct Event {
    enum class Kind : std::uint8_t { text, timeout, other_readable, closed };
    Kind kind = Kind::timeout;
    std::string_view text;                 // text: valid until the next call
    bool binary = false;                   // text: it came as a binary message
    CloseCode code = CloseCode::abnormal;  // closed: what the server said, or abnormal
    std::string reason;                    // closed: a sentence
  };

  /// Queues one text message; wait() sends it.
  void queue_text(std::string_view text) { queue_text(std::span{&text, 1}); }
  /// The same, given in pieces.
  void queue_text(std::span<const std::string_view> pieces) { output_.append_text(pieces, random_); }
  /// One message of the kind that `opcode` says, text or binary.
  void queue_message(Opcode opcode, std::span<const std::string_view> pieces) {
    output_.append_message(opcode, pieces, random_);
  }
  [[nodiscard]] std::size_t queued_bytes() const { return output_.pending_bytes(); }

  /// Sends what is queued and receives, until something happens. Answers pings by itself.
  ///
  /// deadline       in the past: looks once without waiting.
  /// also_readable  descriptors to watch; other_readable when one is readable and no message is at hand.
  [[nodiscard]] Event wait(Instant deadline, std::span<const int> also_readable = {});

  /// Sends what the socket takes, without waiting or receiving; a failure shows in the next wait().
  void flush() { (void)output_.flush(stream_); }

  /// Queues a ping frame; the pong shows only in heard_at().
  void queue_ping() { output_.append_control(Opcode::ping, {}, random_); }
  /// When bytes of any kind last arrived.
  [[nodiscard]] Instant heard_at() const { return heard_at_; }
  /// Which of the endpoint's addresses answered.
  [[nodiscard]] SocketAddress peer() const;

  /// Sends a close frame and waits for the server's, at most until `deadline`; messages on the way are dropped.
  void close(Instant deadline);

 private:
  Client(Stream stream, const ClientOptions& options);

  [[nodiscard]] bool next_buffered(Event& event);
  [[nodiscard]] bool receive(Event& event);
  [[nodiscard]] bool take_message(const WsEvent& message, Event& event);
  Event broken(CloseCode code, const std::string& reason);
  Event ended(CloseCode code, std::string reason);

  Stream stream_;
  Prng random_;
  FrameOutput output_;
  MessageAssembler assembler_;
  MessageInflater inflater_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  MutableBytes input_;  // received and not yet consumed, in buffer_
  Instant heard_at_{};
  bool takes_binary_ = false;
  bool over_ = false;
};

}  // namespace ringcast
