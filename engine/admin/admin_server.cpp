#include "engine/admin/admin_server.hpp"

#include <fcntl.h>
#include <httplib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "codec/http/response_writer.hpp"
#include "engine/admin/client_socket.hpp"
#include "engine/reactor/placement.hpp"
#include "engine/transport/listener.hpp"

namespace ringcast {
namespace {

constexpr int kBacklog = 64;
constexpr milliseconds kStopTick{1};
constexpr milliseconds kStopPatience{500};  // for answers that are under way
constexpr milliseconds kAcceptAgainTick{100};
constexpr const char* kAnyPath = R"([\s\S]*)";  // the library never sees the client's path: routes are ours
constexpr std::string_view kJson = "application/json";

/// A request on its way through the library, which hands its handlers nothing but what it parsed. One thread serves one
/// request at a time, and the library calls the handler on the thread that gave it the request.
struct Exchange {
  AdminRequest request;
  AdminAnswer answer;
  bool answered = false;
};
thread_local Exchange* exchange_of_thread = nullptr;
/// The accepting thread turns a connection away that it has no room for.
thread_local bool turning_away = false;

/// What the library reads and writes: a head of ours, then exactly the client's body; never a byte behind it.
class RequestStream final : public httplib::Stream {
 public:
  RequestStream(ClientSocket& client, std::string head, std::uint64_t body_bytes)
      : client_{client}, head_{std::move(head)}, body_left_{body_bytes} {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* out, std::size_t bytes) override {
    if (head_at_ < head_.size()) {
      const std::size_t taken = head_.copy(out, bytes, head_at_);
      head_at_ += taken;
      return static_cast<ssize_t>(taken);
    }
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, body_left_));
    const std::size_t taken = wanted == 0 ? 0 : client_.read_some(out, wanted);
    body_left_ -= taken;
    return static_cast<ssize_t>(taken);
  }
  ssize_t write(const char* bytes, std::size_t size) override {
    if (!std::exchange(writing_, true)) client_.begin_transfer();
    return client_.write_all({bytes, size}) ? static_cast<ssize_t>(size) : -1;
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip = to_text(client_.peer());
    port = client_.peer_port();
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    ip = to_text(client_.local());
    port = 0;
  }
  socket_t socket() const override { return 0; }  // not the descriptor: the library would wait for it with select()

  [[nodiscard]] std::uint64_t body_left() const { return body_left_; }

 private:
  ClientSocket& client_;
  std::string head_;
  std::size_t head_at_ = 0;
  std::uint64_t body_left_;
  bool writing_ = false;
};

/// The threads that serve connections, and those connections that wait for one.
class Workers final : public httplib::TaskQueue {
 public:
  explicit Workers(std::atomic<std::size_t>& waiting) : waiting_{waiting} {
    for (std::size_t i = 0; i < kAdminThreads; ++i) threads_.emplace_back([this, i] { work(i); });
  }
  void enqueue(std::function<void()> serve) override {
    {
      const std::scoped_lock lock{mutex_};
      if (connections_.size() < kAdminWaitingMax) {
        connections_.push_back(std::move(serve));
        waiting_.store(connections_.size(), std::memory_order_relaxed);
        serve = nullptr;
      }
    }
    if (!serve) {
      come_.notify_one();
      return;
    }
    turning_away = true;
    serve();
    turning_away = false;
  }
  void shutdown() override {
    {
      const std::scoped_lock lock{mutex_};
      ended_ = true;
    }
    come_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void work(std::size_t number) {
    name_this_thread("admin-" + std::to_string(number));
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kAdminNice);  // on Linux: of this thread
    for (;;) {
      std::function<void()> serve;
      {
        std::unique_lock lock{mutex_};
        come_.wait(lock, [this] { return ended_ || !connections_.empty(); });
        if (connections_.empty()) return;
        serve = std::move(connections_.front());
        connections_.pop_front();
        waiting_.store(connections_.size(), std::memory_order_relaxed);
      }
      serve();
    }
  }

  std::atomic<std::size_t>& waiting_;
  std::mutex mutex_;
  std::condition_variable come_;
  std::deque<std::function<void()>> connections_;
  bool ended_ = false;
  std::vector<std::thread> threads_;
};

/// A request that was let in, and how the client wants to be answered.
struct Admitted {
  AdminRequest request;
  bool takes_gzip = false;
  bool expects_continue = false;
};
struct Refused {
  AdminError error{};
  std::string_view sentence{};
  std::string allow{};
};

bool is_json(const RequestHead& head) {
  if (head.fields.occurrences("Content-Type") != 1) return false;
  const std::string_view value = *head.fields.find("Content-Type");
  return equals_ignoring_case(trimmed(value.substr(0, value.find(';'))), kJson) &&
         head.fields.occurrences("Content-Encoding") == 0;
}

std::string head_for_library(const RequestHead& head, const Admitted& admitted, bool keeps) {
  std::string text{head.method};
  text += " / HTTP/1.1\r\nHost: admin\r\nContent-Length: ";
  text += std::to_string(head.content_length.value_or(0));
  text += keeps ? "\r\nConnection: keep-alive\r\n" : "\r\nConnection: close\r\n";
  if (head.method == "POST") text += "Content-Type: application/json\r\n";
  if (admitted.takes_gzip) text += "Accept-Encoding: gzip\r\n";
  return text += "\r\n";
}

}  // namespace

class AdminServer::Library final : public httplib::Server {
 public:
  Library(AdminServerSetup setup, Listener listener)
      : setup_{std::move(setup)},
        listener_{std::move(listener)},
        access_{std::make_shared<const AccessOptions>(setup_.access)},
        tls_{std::move(setup_.tls)} {
    new_task_queue = [this] { return new Workers{waiting_}; };
    set_payload_max_length(setup_.body_bytes_max);
    set_keep_alive_max_count(kAdminRequestsMax);  // these two are what it tells clients; the waiting is ours
    set_keep_alive_timeout(std::chrono::duration_cast<seconds>(kAdminIdleTime).count());
    set_default_headers({{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}});
    const Handler handler = [this](const httplib::Request& request, httplib::Response& response) {
      Exchange& exchange = *exchange_of_thread;
      exchange.request.body = request.body;
      exchange.answer = setup_.answers.answer(exchange.request);
      exchange.answered = true;
      put(exchange.answer, response);
    };
    Get(kAnyPath, handler);
    Post(kAnyPath, handler);
    set_error_handler(Handler{[](const httplib::Request&, httplib::Response& response) {
      Exchange& exchange = *exchange_of_thread;
      if (exchange.answered) return;
      exchange.answer = refusal(AdminError::request_timeout, "the body did not come, or not in time");
      exchange.answered = true;
      put(exchange.answer, response);
    }});
    set_exception_handler([](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
      Exchange& exchange = *exchange_of_thread;
      exchange.answer = refusal(AdminError::internal_error, sentence_of(AdminError::internal_error));
      exchange.answered = true;
      put(exchange.answer, response);
    });
  }
  ~Library() override { end(); }

  void begin() {
    accepting_ = std::thread{[this] {
      name_this_thread("admin-accept");
      ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kAdminNice);
      accept_until_stopped();
      ended_ = true;
    }};
  }
  void end() {
    if (!accepting_.joinable()) return;
    stopping_ = true;
    for (milliseconds waited{0}; !ended_; waited += kStopTick) {
      if (is_running() && svr_sock_ != INVALID_SOCKET) stop();  // heard only while it listens, and taken once
      if (waited >= kStopPatience) abort_clients();
      std::this_thread::sleep_for(kStopTick);
    }
    accepting_.join();
  }
  [[nodiscard]] std::uint16_t port() const { return listener_.address().port; }
  void use_access(AccessOptions access) {
    auto fresh = std::make_shared<const AccessOptions>(std::move(access));
    const std::scoped_lock lock{given_mutex_};
    access_ = std::move(fresh);
  }
  void use_tls(std::shared_ptr<const TlsContext> tls) {
    const std::scoped_lock lock{given_mutex_};
    ensure(tls_ != nullptr && tls != nullptr, "whether a port speaks TLS is settled when it opens");
    tls_.swap(tls);  // the one before goes when its last connection does, and not under the lock
  }

 private:
  static void put(const AdminAnswer& answer, httplib::Response& response) {
    response.status = answer.status;
    response.set_content(answer.body, std::string{answer.content_type});
    if (answer.retry_after != 0) response.set_header("Retry-After", std::to_string(answer.retry_after));
  }

  /// A client that is being served can be broken off from outside.
  struct Registration {
    Registration(Library& in, ClientSocket& client) : library{in}, socket{client} {
      const std::scoped_lock lock{library.clients_mutex_};
      library.clients_.insert(&socket);
    }
    ~Registration() {
      const std::scoped_lock lock{library.clients_mutex_};
      library.clients_.erase(&socket);
    }
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;

    Library& library;
    ClientSocket& socket;
  };
  void abort_clients() {
    const std::scoped_lock lock{clients_mutex_};
    for (ClientSocket* client : clients_) client->abort();
  }

  /// The library gives up listening for good at the first accept() that fails, and closes what it listened on: it gets
  /// a duplicate, and then another one.
  void accept_until_stopped() {
    while (!stopping_) {
      const int fd = ::fcntl(listener_.fd(), F_DUPFD_CLOEXEC, 0);
      if (fd >= 0) {
        svr_sock_ = fd;
        listen_after_bind();
      }
      if (!stopping_) std::this_thread::sleep_for(kAcceptAgainTick);
    }
  }

  bool process_and_close_socket(socket_t socket) override {
    const std::shared_ptr<const TlsContext> context = tls();
    if (turning_away) {
      turn_away(socket, context == nullptr);
      return false;
    }
    ClientSocket client{socket, context};
    const Registration here{*this, client};
    client.begin_transfer();
    for (int served = 0; served < kAdminRequestsMax; ++served) {
      if (!serve(client, served)) break;
    }
    note_tls_failure(client);
    return true;
  }

  /// By the thread that accepts: it has no time to shake hands with those that there is no room for.
  void turn_away(socket_t socket, bool in_the_clear) {
    ClientSocket client{socket};
    client.begin_transfer();
    note_refusal(client, AdminError::busy, {});
    if (!in_the_clear) return;
    write_refusal(client, {.error = AdminError::busy, .sentence = sentence_of(AdminError::busy)}, true, false);
  }

  /// One request. False: the connection ends.
  bool serve(ClientSocket& client, int served) {
    RequestHead head;
    const auto read =
        client.read_head(head, [this] { return stopping_ || waiting_.load(std::memory_order_relaxed) != 0; });
    if (served == 0) note_handshake(client);
    if (!read) {
      refuse_unread(client, read.error());
      return false;
    }
    setup_.counts.requests.fetch_add(1, std::memory_order_relaxed);
    client.begin_transfer();
    const bool keeps = head.keep_alive() && !stopping_ && served + 1 < kAdminRequestsMax;
    const bool head_only = head.method == "HEAD";
    auto admitted = judge(head, client);
    if (!admitted) {
      const bool closes = !keeps || head.has_body();
      note_refusal(client, admitted.error().error, std::string{head.path});
      client.take_head(head);
      write_refusal(client, admitted.error(), closes, head_only);
      if (closes) client.linger();
      return !closes;
    }
    RequestStream stream{client, head_for_library(head, *admitted, keeps), head.content_length.value_or(0)};
    client.take_head(head);
    if (admitted->expects_continue && stream.body_left() != 0) client.write_all("HTTP/1.1 100 Continue\r\n\r\n");
    Exchange exchange{.request = std::move(admitted->request), .answer = {}};
    exchange_of_thread = &exchange;
    bool closed = false;
    const bool written = process_request(stream, !keeps, closed, nullptr);
    exchange_of_thread = nullptr;
    note(exchange);
    if (stream.body_left() != 0) client.linger();
    return written && keeps && !closed && stream.body_left() == 0;
  }

  Result<Admitted, Refused> judge(const RequestHead& head, ClientSocket& client) {
    const auto refused = [](AdminError error, std::string_view sentence = {}, std::string allow = {}) {
      return unexpected(Refused{error, sentence.empty() ? sentence_of(error) : sentence, std::move(allow)});
    };
    if (head.target.size() > kAdminTargetBytesMax) return refused(AdminError::target_too_long);
    if (head.chunked) return refused(AdminError::length_required);
    if (head.content_length.value_or(0) > setup_.body_bytes_max) return refused(AdminError::body_too_large);
    const auto match = find_route(head.method, head.path);
    Admitted admitted;
    if (const auto refusal =
            check_visitor(head, client, match ? match->row->role : AdminRole::administrator, admitted.request)) {
      return refused(*refusal);
    }
    if (!match) return refused(match.error().error, {}, match.error().allow);
    if (match->row->method == "POST") {
      if (!is_json(head)) return refused(AdminError::unsupported_media_type);
    } else if (head.has_body()) {
      return refused(AdminError::malformed_request, "a GET has no body");
    }
    admitted.request.match = *match;
    admitted.request.query = head.query;
    admitted.takes_gzip = head.fields.has_token("Accept-Encoding", "gzip");
    admitted.expects_continue = head.fields.has_token("Expect", "100-continue");
    return admitted;
  }

  /// request  is told who it is: the token's user, or where it comes from.
  std::optional<AdminError> check_visitor(const RequestHead& head, const ClientSocket& client, AdminRole wanted,
                                          AdminRequest& request) {
    const bool authenticates = setup_.host_of_node.authenticates();
    const std::string token{authenticates ? bearer_token(head.fields) : std::string_view{}};
    std::optional<Result<Grant, TokenError>> grant;
    if (!token.empty()) {
      grant = setup_.calls.call([host = &setup_.host_of_node, token] { return host->verify(token); });
      if (!grant) return AdminError::busy;
    }
    if (grant && grant->has_value()) request.user = (*grant)->user;
    request.actor = request.user.empty() ? client.peer_text() : request.user;
    const std::string local = to_text(client.local());
    return refusal_of(*access(),
                      {.host = head.host,
                       .origin = head.fields.find("Origin"),
                       .forwarded = is_forwarded(head.fields),
                       .loopback = is_loopback(client.peer()),
                       .local_address = local,
                       .authenticates = authenticates,
                       .token = grant ? &*grant : nullptr},
                      wanted);
  }

  // ---- refusals, and what is told of them ----

  void refuse_unread(ClientSocket& client, const ClientSocket::NoHead& why) {
    using Ended = ClientSocket::Ended;
    if (why.why == Ended::gone || why.why == Ended::idle) return;
    if (why.why == Ended::tls_failed) {  // its alert is to arrive
      client.linger();
      return;
    }
    Refused refused{.error = AdminError::request_timeout, .sentence = sentence_of(AdminError::request_timeout)};
    if (why.why == Ended::unreadable) {
      setup_.counts.requests.fetch_add(1, std::memory_order_relaxed);
      const std::uint16_t status = status_of(why.error);
      refused.error = status == row_of(AdminError::head_too_large).status ? AdminError::head_too_large
                      : status == row_of(AdminError::http_version).status ? AdminError::http_version
                                                                          : AdminError::malformed_request;
      refused.sentence = sentence_of(why.error);
    }
    client.begin_transfer();
    note_refusal(client, refused.error, {});
    write_refusal(client, refused, true, false);
    client.linger();
  }

  static void write_refusal(ClientSocket& client, const Refused& refused, bool closes, bool head_only) {
    const AdminAnswer answer = refusal(refused.error, refused.sentence);
    std::string out;
    ResponseWriter writer{out, answer.status};
    writer.field("Cache-Control", "no-store").field("X-Content-Type-Options", "nosniff");
    writer.field("Connection", closes ? "close" : "keep-alive");
    if (!refused.allow.empty()) writer.field("Allow", refused.allow);
    if (answer.status == row_of(AdminError::auth_required).status) writer.field("WWW-Authenticate", "Bearer");
    if (answer.retry_after != 0) writer.field("Retry-After", answer.retry_after);
    if (head_only) {
      writer.field("Content-Type", kJson).field("Content-Length", answer.body.size()).end_head();
    } else {
      writer.end_with_body(kJson, answer.body);
    }
    client.write_all(out);
  }

  void count(AdminError error) {
    setup_.counts.refused[std::to_underlying(error)].fetch_add(1, std::memory_order_relaxed);
  }
  void record(EventCode code, std::uint16_t status, std::string text) {
    setup_.calls.post(
        [host = &setup_.host_of_node, code, status, text = std::move(text)] { host->record(code, status, text); });
  }
  /// Who was turned away, and from where: an administrator who looks for the reason finds it in the event log.
  void note_refusal(const ClientSocket& client, AdminError error, const std::string& path) {
    count(error);
    const AdminErrorRow& row = row_of(error);
    record(EventCode::admin_refused, row.status, std::string{row.code} + " " + client.peer_text() + " " + path);
  }
  void note_handshake(const ClientSocket& client) {
    const auto tls = client.tls();
    if (!tls) return;
    AdminCounts& counts = setup_.counts;
    if (tls->open) counts.tls_handshakes.fetch_add(1, std::memory_order_relaxed);
    if (tls->resumed) counts.tls_resumed.fetch_add(1, std::memory_order_relaxed);
    if (!tls->open && !tls->failure) counts.tls_unfinished.fetch_add(1, std::memory_order_relaxed);
  }
  void note_tls_failure(const ClientSocket& client) {
    const auto tls = client.tls();
    if (!tls || !tls->failure) return;
    const auto reason = std::to_underlying(*tls->failure);
    setup_.counts.tls_failed[reason].fetch_add(1, std::memory_order_relaxed);
    const std::string_view words = tls->detail.empty() ? sentence_of(*tls->failure) : tls->detail;
    record(EventCode::tls_failed, reason, "admin port, " + client.peer_text() + ": " + std::string{words});
  }
  void note(const Exchange& exchange) {
    if (exchange.answer.error) count(*exchange.answer.error);
    const AdminRouteRow& row = *exchange.request.match.row;
    if (row.action.empty() || !exchange.answered) return;
    if (!exchange.answer.error) setup_.counts.actions.fetch_add(1, std::memory_order_relaxed);
    std::string text = exchange.request.actor + ": " + std::string{row.action};
    if (!exchange.request.match.argument.empty()) text += " " + exchange.request.match.argument;
    record(EventCode::admin_action, exchange.answer.status, std::move(text));
  }

  [[nodiscard]] std::shared_ptr<const AccessOptions> access() {
    const std::scoped_lock lock{given_mutex_};
    return access_;
  }
  /// Null: the port speaks in the clear.
  [[nodiscard]] std::shared_ptr<const TlsContext> tls() {
    const std::scoped_lock lock{given_mutex_};
    return tls_;
  }

  AdminServerSetup setup_;
  Listener listener_;
  std::mutex given_mutex_;                       // for what the control thread gives while requests are served
  std::shared_ptr<const AccessOptions> access_;  // never null
  std::shared_ptr<const TlsContext> tls_;
  std::thread accepting_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> ended_{false};
  std::mutex clients_mutex_;
  std::set<ClientSocket*> clients_;
  std::atomic<std::size_t> waiting_{0};  // connections that no thread has taken yet
};

AdminServer::AdminServer(std::unique_ptr<Library> library) : library_{std::move(library)} {}
AdminServer::~AdminServer() = default;
void AdminServer::start() { library_->begin(); }
void AdminServer::use_access(AccessOptions access) { library_->use_access(std::move(access)); }
void AdminServer::use_tls(std::shared_ptr<const TlsContext> tls) { library_->use_tls(std::move(tls)); }
void AdminServer::stop() { library_->end(); }
std::uint16_t AdminServer::port() const { return library_->port(); }

Result<std::unique_ptr<AdminServer>, std::string> AdminServer::open(AdminServerSetup setup) {
  // Opened as the data port's are: the library would share a port that another node has, and say nothing.
  auto listeners = open_listeners({.family = setup.ipv6 ? BindAddress::Family::ipv6 : BindAddress::Family::ipv4,
                                   .host = setup.host,
                                   .port = setup.port,
                                   .path = {}},
                                  1, {.backlog = kBacklog});
  if (!listeners) return unexpected("admin: " + listeners.error());
  auto library = std::make_unique<Library>(std::move(setup), std::move(listeners->front()));
  return std::unique_ptr<AdminServer>{new AdminServer{std::move(library)}};
}

}  // namespace ringcast
