// engine/admin/admin_server.hpp: HTTP of the admin port: a listener, a few threads, and what a request has to be like.
//
// Owner    admin_port.  Thread  start, stop: the control thread; everything else: its own threads, of low priority.
// Memory   kAdminThreads requests at a time, each at most limits.message_bytes, and TLS of as many; kAdminWaitingMax
//          sockets that wait.
// Failure  open() says why it cannot listen. A client's mistake is an answer with an AdminError, a counter, an event;
//          one in TLS an alert, the counter and the event that the data port has for it.
// Not here what is answered (answers), who may come in (admin_gate), reading heads and TLS (client_socket).
//
// cpp-httplib accepts, gives connections to threads and writes responses. What it is given to read is a request that
// was read, judged and written anew here, of a few fields that we chose: there is nothing left in it that two readers
// could understand in two ways.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "alloc/base/result.hpp"
#include "engine/admin/admin_error.hpp"
#include "engine/admin/admin_host.hpp"
#include "engine/admin/answers.hpp"
#include "engine/admin/control_calls.hpp"
#include "engine/limits.hpp"
#include "engine/transport/tls_context.hpp"

namespace ringcast {

inline constexpr std::size_t kAdminThreads = 4;      // a monitor, an operator, and two who are slow
inline constexpr std::size_t kAdminWaitingMax = 64;  // connections; further ones get 503
inline constexpr int kAdminNice = 10;                // shards come first, where they share a core
inline constexpr std::size_t kAdminTargetBytesMax = 2'048;
inline constexpr int kAdminRequestsMax = 1'000;  // of one connection

/// Counted by the server's threads, copied into the node's block by the control thread.
struct AdminCounts {
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> actions{0};
  std::array<std::atomic<std::uint64_t>, kAdminErrorCounters> refused{};
  std::atomic<std::uint64_t> tls_handshakes{0};
  std::atomic<std::uint64_t> tls_resumed{0};
  std::atomic<std::uint64_t> tls_unfinished{0};
  std::array<std::atomic<std::uint64_t>, kTlsFailures> tls_failed{};
};

struct AdminServerSetup {
  std::string host;        // numeric
  std::uint16_t port = 0;  // 0: the kernel chooses
  bool ipv6 = false;
  AccessOptions access;
  std::size_t body_bytes_max = 1U << 20;
  AdminAnswers& answers;
  ControlCalls& calls;
  AdminHost& host_of_node;
  AdminCounts& counts;
  std::shared_ptr<const TlsContext> tls{};  // null: in the clear, for the server's life
};

class AdminServer {
 public:
  /// Listens; nobody is answered before start().
  [[nodiscard]] static Result<std::unique_ptr<AdminServer>, std::string> open(AdminServerSetup setup);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  void start();
  /// Who may come in from the next request on. Any thread.
  void use_access(AccessOptions access);
  /// What connections begin with from now on. Any thread; only of a server that speaks TLS.
  void use_tls(std::shared_ptr<const TlsContext> tls);
  /// Answers nobody any more, and waits for its threads.
  void stop();
  [[nodiscard]] std::uint16_t port() const;

 private:
  class Library;
  explicit AdminServer(std::unique_ptr<Library> library);
  std::unique_ptr<Library> library_;
};

}  // namespace ringcast
