// tests/system/conformance/echo_peer.cpp: the codec as an echo server, with blocking sockets and no engine.
//
// Takes the arguments that run.py gives `ringcast`: serve --listen 127.0.0.1:PORT … [--fault NAME]. One thread a
// connection, as many as the suite opens. A fault makes it break one rule on purpose, to prove that the suite notices.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "codec/deflate/message_deflater.hpp"
#include "codec/deflate/message_inflater.hpp"
#include "codec/http/request_head.hpp"
#include "codec/text/utf8.hpp"
#include "codec/websocket/frame_error.hpp"
#include "codec/websocket/frame_writer.hpp"
#include "codec/websocket/handshake.hpp"
#include "codec/websocket/message_assembler.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kReadBytes = 16'384;

struct Faults {
  bool masks_answers = false;      // a server's frame is never masked
  bool forgets_pipelined = false;  // bytes behind the handshake are data
  bool answers_no_ping = false;
  bool answers_pongs = false;  // unsolicited pongs are ignored
  bool shortens_pongs = false;
  bool closes_with_1000 = false;  // whatever went wrong
  bool keeps_connection = false;  // after the close frames
  bool closes_without_frame = false;
  bool echoes_as_binary = false;
  bool waits_for_frames = false;  // sees a frame only when it has arrived whole: no fail-fast
  bool takes_any_offer = false;   // of permessage-deflate, whatever stands in it
  bool exceeds_window = false;    // packs what may be too large for the agreed window
  bool marks_all_packed = false;  // RSV1 on what it did not pack
  bool forgets_the_limit = false;  // of what it unpacks
  bool allows_one_byte_more = false;
  bool accepts_http_10 = false;
};
struct FaultRow {
  std::string_view name;
  bool Faults::*flag;
};
constexpr std::array kFaults{
    FaultRow{"masks_answers", &Faults::masks_answers},
    FaultRow{"forgets_pipelined", &Faults::forgets_pipelined},
    FaultRow{"answers_no_ping", &Faults::answers_no_ping},
    FaultRow{"answers_pongs", &Faults::answers_pongs},
    FaultRow{"shortens_pongs", &Faults::shortens_pongs},
    FaultRow{"closes_with_1000", &Faults::closes_with_1000},
    FaultRow{"keeps_connection", &Faults::keeps_connection},
    FaultRow{"closes_without_frame", &Faults::closes_without_frame},
    FaultRow{"echoes_as_binary", &Faults::echoes_as_binary},
    FaultRow{"waits_for_frames", &Faults::waits_for_frames},
    FaultRow{"takes_any_offer", &Faults::takes_any_offer},
    FaultRow{"exceeds_window", &Faults::exceeds_window},
    FaultRow{"marks_all_packed", &Faults::marks_all_packed},
    FaultRow{"forgets_the_limit", &Faults::forgets_the_limit},
    FaultRow{"allows_one_byte_more", &Faults::allows_one_byte_more},
    FaultRow{"accepts_http_10", &Faults::accepts_http_10},
};

std::atomic<bool> stopping{false};

class Connection {
 public:
  Connection(int socket, Faults faults)
      : socket_{socket},
        faults_{faults},
        assembler_{Role::server, {.message_bytes_max = (1U << 20) + (faults.allows_one_byte_more ? 1U : 0U)}},
        inflater_{faults.forgets_the_limit ? 1U << 30 : 1U << 20} {}
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void run() {
    if (shake_hands()) echo();
    if (faults_.keeps_connection) {
      while (fill()) held_.clear();
      return;
    }
    ::shutdown(socket_, SHUT_WR);
    for (held_.clear(); fill();) held_.clear();  // until the peer ends too: an early close would reset what we sent
  }

 private:
  bool fill() {
    const std::size_t before = held_.size();
    held_.resize(before + kReadBytes);
    ssize_t got = 0;
    while ((got = ::recv(socket_, held_.data() + before, kReadBytes, 0)) < 0 && errno == EAGAIN && !stopping) {}
    held_.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
    return got > 0;
  }

  void send(Bytes bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
  }

  bool shake_hands() {
    RequestHead head;
    std::size_t seen = 0;
    std::string answer;
    bool accepted = false;
    while (answer.empty()) {
      if (!fill()) return false;
      const auto parsed = parse_request_head(held_, head, {}, seen);
      seen = held_.size();
      if (parsed && !*parsed) continue;
      if (!parsed) {
        append_refusal(answer, refusal_of(parsed.error()));
        break;
      }
      if (faults_.accepts_http_10) head.version_minor = 1;
      auto upgrade =
          head.path == "/echo" ? check_upgrade(head) : HandshakeResult{unexpected(HandshakeRefusal{404, "not here"})};
      accepted = upgrade.has_value();
      if (accepted) {
        if (faults_.takes_any_offer && head.fields.find("Sec-WebSocket-Extensions")) upgrade->deflate.emplace();
        append_upgrade_response(answer, *upgrade);
        if (upgrade->deflate) {
          window_bits_ = upgrade->deflate->server_window_bits;
          assembler_.negotiate({.deflate = true});
        }
      } else {
        append_refusal(answer, upgrade.error());
      }
      held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(head.head_bytes));
      if (faults_.forgets_pipelined) held_.clear();
    }
    send(as_bytes(answer));
    return accepted;
  }

  void echo() {
    do {
      if (faults_.waits_for_frames && !holds_whole_frame()) continue;
      MutableBytes input{held_};
      while (const auto event = assembler_.next(input)) answer(*event);
      send_pending();
      held_.clear();
      if (assembler_.finished()) return;
      if (stopping) {
        close_with(CloseCode::going_away, "stopping");
        send_pending();
        return;
      }
    } while (fill() || stopping);
  }

  bool holds_whole_frame() const {
    const auto header = decode_frame_header(held_, Role::server);
    return !header || (*header && held_.size() >= (*header)->header_bytes + (*header)->payload_bytes);
  }

  void answer(const WsEvent& event) {
    switch (event.kind) {
      case WsEvent::Kind::text:
      case WsEvent::Kind::binary: return echo(event);
      case WsEvent::Kind::ping:
        if (!faults_.answers_no_ping) {
          write(Opcode::pong,
                event.payload.first(event.payload.size() - (faults_.shortens_pongs && !event.payload.empty() ? 1 : 0)));
        }
        break;
      case WsEvent::Kind::pong:
        if (faults_.answers_pongs) write(Opcode::pong, event.payload);
        break;
      case WsEvent::Kind::close: close_with(close_reply_code(event.code), event.what); break;
      case WsEvent::Kind::error: close_with(event.code, event.what); break;
    }
  }

  void echo(const WsEvent& event) {
    const bool text = event.kind == WsEvent::Kind::text;
    Bytes message = event.payload;
    if (event.compressed) {
      const auto unpacked = inflater_.inflate(event.payload);
      const FrameError error =
          unpacked ? FrameError::invalid_utf8
                   : (unpacked.error() == InflateError::corrupt ? FrameError::compressed_corrupt
                                                                : FrameError::message_too_large);
      if (!unpacked || (text && !is_valid_utf8(*unpacked))) {
        close_with(close_code_of(error), sentence_of(error));
        assembler_.release();
        return;
      }
      message = *unpacked;
    }
    std::vector<std::uint8_t> packed(message.size() + 1'024);
    std::size_t packed_bytes = 0;
    if (window_bits_ != 0 && (fits_window(message.size(), window_bits_) || faults_.exceeds_window)) {
      packed_bytes = deflater_.deflate(message, packed);
    }
    const Opcode opcode = text && !faults_.echoes_as_binary ? Opcode::text : Opcode::binary;
    const bool marked = packed_bytes != 0 || (faults_.marks_all_packed && window_bits_ != 0);
    write({.opcode = opcode, .compressed = marked}, packed_bytes != 0 ? Bytes{packed}.first(packed_bytes) : message);
  }

  void close_with(CloseCode code, std::string_view reason) {
    if (faults_.closes_without_frame) return;
    std::array<std::uint8_t, kControlPayloadBytesMax> payload;
    write(Opcode::close, Bytes{payload}.first(write_close_payload(
                             payload, faults_.closes_with_1000 ? CloseCode::normal : code, reason)));
  }

  void write(Opcode opcode, Bytes payload) { write({.opcode = opcode}, payload); }
  void write(FrameStart start, Bytes payload) {
    if (faults_.masks_answers) {
      append_frame(pending_, start, payload, {1, 2, 3, 4});
    } else {
      append_frame(pending_, start, payload);
    }
  }

  void send_pending() {
    send(pending_);
    pending_.clear();
  }

  int socket_;
  Faults faults_;
  MessageAssembler assembler_;
  MessageInflater inflater_;
  MessageDeflater deflater_;
  std::uint8_t window_bits_ = 0;  // 0: no permessage-deflate
  std::vector<std::uint8_t> held_;
  std::vector<std::uint8_t> pending_;
};

int listen_on(std::string_view address) {
  const int port = std::atoi(std::string{address.substr(address.rfind(':') + 1)}.c_str());
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<std::uint16_t>(port));
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0 || ::listen(listener, 512) != 0)
    return -1;
  return listener;
}

void serve(int listener, Faults faults) {
  std::atomic<int> open{0};
  const timeval patience{.tv_sec = 0, .tv_usec = 200'000};  // how often a waiting thread looks at `stopping`
  ::setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  while (!stopping) {
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;  // nobody came
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ++open;
    std::thread{[socket, faults, &open] {
      Connection{socket, faults}.run();
      --open;
    }}.detach();
  }
  for (int i = 0; i < 100 && open > 0; ++i) ::usleep(50'000);
}

}  // namespace
}  // namespace ringcast

int main(int argc, char** argv) {
  using namespace ringcast;
  std::string_view address;
  Faults faults;
  for (int i = 1; i + 1 < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--listen") address = argv[i + 1];
    if (name != "--fault") continue;
    for (const FaultRow& row : kFaults) faults.*row.flag = faults.*row.flag || row.name == argv[i + 1];
  }
  if (argc == 2 && std::string_view{argv[1]} == "--faults") {
    for (const FaultRow& row : kFaults) std::printf("%s\n", std::string{row.name}.c_str());
    return 0;
  }
  struct sigaction on_term {};
  on_term.sa_handler = [](int) { stopping = true; };
  ::sigaction(SIGTERM, &on_term, nullptr);
  const int listener = listen_on(address);
  if (listener < 0) {
    std::perror("echo_peer: cannot listen");
    return 1;
  }
  serve(listener, faults);
  return 0;
}
