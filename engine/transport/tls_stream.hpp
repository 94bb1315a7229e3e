// engine/transport/tls_stream.hpp: one connection's TLS: bytes of the wire in, plaintext and bytes for the wire out.
//
// Owner    tls_path, one a TLS connection; the admin port, one a client (admin/client_socket).  Thread  its owner's.
// Memory   OpenSSL's session: kTlsHandshakeBytes until the handshake is done, then kTlsSessionBytes; a record buffer
//          (kTlsRecordBytes) only while a record is incomplete. Nothing is buffered here.
// Failure  a TlsFailure, with the alert that says so among the bytes for the wire; nothing is taken after it.
// Not here sockets and what is still to be sent (tls_path), certificates (tls_context).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "engine/transport/tls_context.hpp"

struct bio_st;

namespace ringcast {

inline constexpr std::size_t kTlsRecordPlainMax = 16'384;                        // RFC 8446 section 5.1
inline constexpr std::size_t kTlsRecordBytesMax = kTlsRecordPlainMax + 256 + 5;  // section 5.2, and the record's header
// Measured by tests/engine/transport/tls_memory_test, OpenSSL 3.0; docs/memory.md.
inline constexpr std::size_t kTlsHandshakeBytes = 84U << 10;  // at its peak, within a step
inline constexpr std::size_t kTlsSessionBytes = 15U << 10;
inline constexpr std::size_t kTlsRecordBytes = 20U << 10;

/// What somebody's browser, or a health check, that speaks plain HTTP is told in the clear: words that it understands.
inline constexpr std::string_view kSpeakTls =
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: 21\r\n\r\nthis port speaks TLS\n";
inline constexpr std::size_t kTlsAnswersBytesMax = 64U << 10;  // decision: of a peer that asks and does not read

enum class TlsFailure : std::uint8_t {
  not_tls,        // the first bytes are no TLS record: garbage, or plain HTTP
  version,        // nothing above TLS 1.1
  parameters,     // no cipher, group or signature in common
  alpn,           // protocols were offered, and http/1.1 is not among them
  certificate,    // the client's is missing or not signed by whom it must be
  record,         // a record that cannot be opened, or breaks the rules
  renegotiation,  // asked for
  refused,        // the peer sent an alert: it does not want us
  truncated,      // the connection ended within a record (the stream's owner sees it)
  flood,          // more than is waited with: input of a handshake that is put off, or answers left unread (owners)
  slow,           // a handshake that took a second, while others waited to begin theirs (tls_path)
  end,
};
[[nodiscard]] std::string_view sentence_of(TlsFailure failure);

/// What a stream reads from and writes to while it is at work; those of a thread may share one.
struct TlsWire {
  Bytes in{};
  std::vector<std::uint8_t>* out = nullptr;
};

class TlsStream {
 public:
  enum class State : std::uint8_t { handshaking, open, ended, failed };  // ended: the peer has said close_notify

  TlsStream(std::shared_ptr<const TlsContext> context, TlsWire& wire);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  /// Begins with bytes that came from the wire; step() until it wants more. Answers are appended to `out`.
  void begin(Bytes in, std::vector<std::uint8_t>& out);
  /// Goes on to the next plaintext, at most `plain.size()` bytes of it.
  /// returns  how many; 0: all input is used up, or the state is ended or failed.
  [[nodiscard]] std::size_t step(MutableBytes plain);

  /// Encrypts the front of `plain` as one record, appended to `out`. Only after the handshake.
  /// returns  how many bytes of it: at most kTlsRecordPlainMax; 0 when it fails.
  [[nodiscard]] std::size_t write(Bytes plain, std::vector<std::uint8_t>& out);
  /// Appends close_notify: nothing is written after it.
  void shut_down(std::vector<std::uint8_t>& out);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] TlsFailure failure() const { return failure_; }
  [[nodiscard]] std::string_view detail() const { return detail_; }  // OpenSSL's words for it, a literal of its
  /// Failed: the first bytes were a request of plain HTTP.
  [[nodiscard]] bool is_plain_http() const { return detail_ == "http request"; }  // SSL_R_HTTP_REQUEST
  /// The part of a record is held, until the rest comes.
  [[nodiscard]] bool mid_record() const;
  [[nodiscard]] bool resumed() const;
  [[nodiscard]] std::string_view version() const;
  /// What the client called us; empty: it did not.
  [[nodiscard]] std::string_view server_name() const;

 private:
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  struct Callbacks;

  void fail(int result);
  [[nodiscard]] TlsFailure failure_of(unsigned long error) const;

  std::shared_ptr<const TlsContext> context_;
  TlsWire* wire_;
  std::unique_ptr<ssl_st, Free> ssl_;
  std::string_view detail_;
  State state_ = State::handshaking;
  TlsFailure failure_{};
  bool hello_seen_ = false;  // it is TLS: what is wrong from here on is a broken record
  bool refuses_renegotiation_ = false;
};

}  // namespace ringcast
