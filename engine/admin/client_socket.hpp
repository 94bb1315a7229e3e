// engine/admin/client_socket.hpp: the bytes of one client of the admin port, in the clear or over TLS, within bounds.
//
// Owner    the thread that serves the client, on its stack.  Thread  that one; abort() from any.
// Memory   at most one request head and what came with it; over TLS a session and one record (tls_stream.hpp).
// Failure  every wait has an end: a client that is slow, silent or gone is told so, or left. What breaks TLS is told by
//          an alert, and tls() says how.
// Not here what a request means (admin_server), who may come in (admin_gate), TLS itself (transport/tls_stream).
//
// A head is read and judged here, by the same strict reader as on the data port, before the HTTP library sees anything
// of it. That library reads lines without a bound, takes any number of fields, unpacks bodies, and waits with select(),
// which cannot name descriptors from 1,024 on.
//
// TLS is a layer between the head and the socket. A handshake has the time of the head that follows it, and no more:
// nobody holds a thread by shaking hands slowly. A client that ends its TCP connection without saying so in TLS has
// ended, as everywhere; but within a record it was cut off, and nothing is answered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "codec/http/request_head.hpp"
#include "codec/text/ip_address.hpp"
#include "engine/transport/tls_context.hpp"
#include "engine/transport/tls_stream.hpp"

namespace ringcast {

inline constexpr std::size_t kAdminRequestHeadBytesMax = 16'384;  // a token of 8 KiB, and room; as on the data port
inline constexpr milliseconds kAdminHeadTime{5'000};              // from the first byte, TLS's too, to the head's end
inline constexpr milliseconds kAdminIdleTime{5'000};              // from one request to the next
inline constexpr milliseconds kAdminCrowdedTime{500};             // for either, while others wait for a thread
inline constexpr milliseconds kAdminTransferTime{10'000};  // a body, or an answer, from its first byte to its last

class ClientSocket {
 public:
  /// Takes the descriptor over.
  /// tls  what its client has to speak TLS by; null: it speaks in the clear.
  explicit ClientSocket(int fd, std::shared_ptr<const TlsContext> tls = nullptr);
  /// Over TLS the client is told that this is the end.
  ~ClientSocket();
  ClientSocket(const ClientSocket&) = delete;
  ClientSocket& operator=(const ClientSocket&) = delete;

  enum class Ended : std::uint8_t { gone, idle, late, unreadable, tls_failed };
  struct NoHead {
    Ended why{};
    HeadError error{};  // unreadable
  };
  /// Reads the next head; its views are valid until the next call of any function here.
  /// crowded  asked now and then: while it says so, a client has kAdminCrowdedTime and no more.
  /// Over TLS the first call shakes hands. Who does not get so far is idle: it cannot be told anything.
  [[nodiscard]] Result<void, NoHead> read_head(RequestHead& head, const std::function<bool()>& crowded);
  /// Steps over the head that was read: body bytes come next.
  void take_head(const RequestHead& head);

  /// Body bytes: those that came with the head first. 0: the client has ended, or the transfer's time is over.
  [[nodiscard]] std::size_t read_some(char* out, std::size_t bytes);
  /// False: it does not take them.
  bool write_all(std::string_view bytes);
  /// A body or an answer begins.
  void begin_transfer();
  /// Says that there is no more, and lets the client have what it was sent although it may still be sending.
  void linger();
  /// From another thread: whatever it waits for fails from now on.
  void abort();

  struct TlsReport {
    bool open = false;  // the handshake was completed
    bool resumed = false;
    std::optional<TlsFailure> failure{};
    std::string_view detail{};  // OpenSSL's words for it
  };
  /// How TLS has gone so far; empty: in the clear.
  [[nodiscard]] std::optional<TlsReport> tls() const;

  [[nodiscard]] const IpAddress& peer() const { return peer_; }
  [[nodiscard]] std::uint16_t peer_port() const { return peer_port_; }
  [[nodiscard]] std::string peer_text() const;
  [[nodiscard]] const IpAddress& local() const { return local_; }

 private:
  struct Tls;

  /// False: not within that time.
  [[nodiscard]] bool wait(short events, milliseconds time) const;
  /// The same for input, some of which may have been taken from the socket already.
  [[nodiscard]] bool wait_for_input(milliseconds time) const;
  /// Takes what is there, at most `bytes`. 0: the end; empty: nothing yet.
  [[nodiscard]] std::optional<std::size_t> receive(char* out, std::size_t bytes);
  [[nodiscard]] std::optional<std::size_t> receive_tls(char* out, std::size_t bytes);
  [[nodiscard]] bool send_all(std::string_view bytes) const;
  [[nodiscard]] bool push();
  void fail(TlsFailure failure, std::string_view detail);
  void say_end();
  [[nodiscard]] Ended lateness() const;
  [[nodiscard]] milliseconds transfer_left() const;

  int fd_;
  std::unique_ptr<Tls> tls_;  // null: in the clear
  IpAddress peer_{}, local_{};
  std::uint16_t peer_port_ = 0;
  std::string in_;        // what has come and was not used
  std::size_t seen_ = 0;  // of in_: looked at for the end of a head
  bool heard_ = false;    // something came while a head was waited for, if only a handshake's
  Instant transfer_end_{};
};

}  // namespace ringcast
