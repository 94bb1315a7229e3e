#include "engine/node/run_node.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include "engine/node/node.hpp"
#include "engine/node/reloader.hpp"
#include "engine/time/system_clock.hpp"

namespace ringcast {

namespace {

constexpr int kSuccess = 0;  // protocol.md section 1
constexpr int kFailure = 1;
constexpr milliseconds kDeadlineGrace{1'000};  // shards end by the deadline themselves; later they are told to

LogSetup to_setup(const LogOptions& options) {
  return {.least = severity_of(options.level), .json = options.format == LogFormat::json, .file = stderr};
}

/// The signals that a node obeys, as a descriptor. Blocked in this thread and all that it starts.
class Signals {
 public:
  Signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~Signals() {
    if (fd_ >= 0) ::close(fd_);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  /// The next signal that came; nothing when there is none.
  [[nodiscard]] std::optional<int> take() const {
    signalfd_siginfo info{};
    if (::read(fd_, &info, sizeof info) != sizeof info) return std::nullopt;
    return static_cast<int>(info.ssi_signo);
  }

 private:
  int fd_ = -1;
};

void say_ready(const Node& node) {
  for (const BindAddress& address : node.addresses()) {
    const bool unix_path = address.family == BindAddress::Family::unix_path;
    const char* const scheme = unix_path ? "" : address.tls ? "wss://" : "ws://";
    std::fprintf(stderr, "listening on %s%s\n", scheme, to_text(address).c_str());
  }
  if (const auto admin = node.admin_address()) {
    std::fprintf(stderr, "admin on %s%s\n", admin->tls ? "https://" : "http://", to_text(*admin).c_str());
  }
  std::fflush(stderr);
}

AdminReload for_administrator(ReloadReport report) {
  AdminReload told{.loaded = report.taken, .changed = {}, .needs_restart = {}, .problems = std::move(report.problems)};
  for (ReloadChange& change : report.changes) {
    (change.effect == Effect::restart ? told.needs_restart : told.changed).push_back(std::move(change.key));
  }
  return told;
}

/// What the control thread does until the node has ended.
class ControlLoop {
 public:
  ControlLoop(Node& node, Reloader& reloader, Signals& signals, Clock& clock, Log& log)
      : node_{node}, reloader_{reloader}, signals_{signals}, clock_{clock}, log_{log} {}

  int run() {
    while (!ended_) {
      wait();
      for (auto signal = signals_.take(); signal && !ended_; signal = signals_.take()) obey(*signal);
      node_.quiet_event();
      node_.tick();
      if (node_.drain_wanted() && !deadline_) obey(SIGTERM);
      if (deadline_ && (node_.drained() || clock_.now().mono >= *deadline_)) ended_ = true;
    }
    node_.stop();
    return exit_code_;
  }

 private:
  void wait() const {
    std::array<pollfd, 2> fds{{{.fd = signals_.fd(), .events = POLLIN, .revents = 0},
                               {.fd = node_.event_fd(), .events = POLLIN, .revents = 0}}};
    ::poll(fds.data(), fds.size(), static_cast<int>(kNodeTick.count()));
  }

  void obey(int signal) {
    const Now now = clock_.now();
    if (signal == SIGHUP) {
      (void)reloader_.reload("SIGHUP");  // the log has the report
    } else if (!deadline_) {
      deadline_ = now.mono + node_.options().core.shutdown.deadline + kDeadlineGrace;
      node_.begin_shutdown();
    } else {
      log_.write(LogSeverity::warn, now.wall, "shutdown_forced",
                 {LogField::number("connections", node_.connections())});
      exit_code_ = kFailure;
      ended_ = true;
    }
  }

  Node& node_;
  Reloader& reloader_;
  Signals& signals_;
  Clock& clock_;
  Log& log_;
  std::optional<Instant> deadline_;  // since the first signal
  bool ended_ = false;
  int exit_code_ = kSuccess;
};

}  // namespace

int run_node(Configuration configuration, ConfigSources sources) {
  Signals signals;
  if (signals.fd() < 0) {
    std::fprintf(stderr, "ringcast: no signalfd: %s\n", std::strerror(errno));
    return kFailure;
  }
  SystemClock clock;
  Log log{to_setup(configuration.options.log)};
  auto node = Node::start(configuration.options, clock, log);
  if (!node) {
    std::fprintf(stderr, "ringcast: %s\n", node.error().c_str());
    return kFailure;
  }
  say_ready(**node);
  Reloader reloader{std::move(sources), std::move(configuration), **node, clock, log};
  reloader.add({"access", [&node](const NodeOptions&) -> Result<ReloadPart::Take, std::string> {
                  return ReloadPart::Take{[&node] { (*node)->reload_access(); }};  // what is wrong it says itself
                }});
  reloader.add({"tls", [&node](const NodeOptions& options) { return (*node)->prepare_tls(options.tls); }});
  (*node)->set_admin_reload([&reloader](const std::string& who) { return for_administrator(reloader.reload(who)); });
  return ControlLoop{**node, reloader, signals, clock, log}.run();
}

}  // namespace ringcast
