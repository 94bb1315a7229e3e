#include "tools/terminal.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

constexpr milliseconds kProgressInterval{250};

// A signal handler has no other place to reach: these two belong to the one StopSignals.
std::atomic<bool> stop_requested{false};
int stop_descriptor = -1;

void on_stop_signal(int) {
  const int error = errno;
  stop_requested.store(true, std::memory_order_relaxed);
  const std::uint64_t one = 1;
  (void)!::write(stop_descriptor, &one, sizeof one);
  errno = error;
}

void write_to_stderr(std::string_view text) { (void)!::write(STDERR_FILENO, text.data(), text.size()); }

}  // namespace

bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }

bool stderr_takes_colours() { return stderr_is_terminal() && std::getenv("NO_COLOR") == nullptr; }

void complain(std::string_view command, std::string_view sentence) {
  const bool colours = stderr_takes_colours();
  write_to_stderr(
      fmt::format("{}ringcast {}:{} {}\n", colours ? "\x1b[31m" : "", command, colours ? "\x1b[0m" : "", sentence));
}

void remark(std::string_view command, std::string_view sentence) {
  write_to_stderr(fmt::format("ringcast {}: {}\n", command, sentence));
}

StopSignals::StopSignals() {
  ensure(stop_descriptor < 0, "a process has one StopSignals");
  stop_requested.store(false, std::memory_order_relaxed);
  stop_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  ensure(stop_descriptor >= 0, "the process has a descriptor to spare when it starts");
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second one kills; no SA_RESTART: a blocked write gives up
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

StopSignals::~StopSignals() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  ::close(stop_descriptor);
  stop_descriptor = -1;
}

int StopSignals::fd() const { return stop_descriptor; }

bool StopSignals::requested() { return stop_requested.load(std::memory_order_relaxed); }

bool Output::flush() {
  std::string_view rest = pending_;
  while (!rest.empty() && !failed_) {
    const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR || StopSignals::requested()) {
      failed_ = true;
    }
  }
  pending_.clear();
  return !failed_;
}

void ProgressLine::draw(std::string_view text, Instant now) {
  if (!shown_) return;
  winsize window{};
  const std::size_t columns =
      ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1 ? window.ws_col - 1U : 79U;
  write_to_stderr(fmt::format("\r\x1b[K{}", text.substr(0, columns)));
  drawn_ = true;
  next_ = now + kProgressInterval;
}

void ProgressLine::clear() {
  if (drawn_) write_to_stderr("\r\x1b[K");
  drawn_ = false;
}

}  // namespace ringcast
