#include "alloc/segment/process_probe.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ringcast {
namespace {

constexpr std::uint64_t kPidMax = 1U << 22;  // PID_MAX_LIMIT of linux/threads.h
constexpr int kStartTimeField = 22;          // proc(5)
constexpr int kStateField = 3;

/// The word that is field `number` of a stat line. Fields 3 and up follow the last ')': a program's name may hold any.
const char* field_of(const char* line, int number) {
  const char* at = std::strrchr(line, ')');
  if (at == nullptr) return nullptr;
  ++at;
  for (int field = kStateField;; ++field) {
    while (*at == ' ') ++at;
    if (*at == '\0') return nullptr;
    if (field == number) return at;
    while (*at != ' ' && *at != '\0') ++at;
  }
}

}  // namespace

ProcessFacts probe_process(std::uint64_t pid) noexcept {
  if (pid == 0 || pid > kPidMax) return {ProcessState::gone, 0};
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%llu/stat", static_cast<unsigned long long>(pid));
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    char line[1024];
    const ssize_t size = ::read(fd, line, sizeof line - 1);
    ::close(fd);
    if (size <= 0) return {ProcessState::gone, 0};  // it went between open and read
    line[size] = '\0';
    const char* state = field_of(line, kStateField);
    const char* start = field_of(line, kStartTimeField);
    if (state == nullptr || start == nullptr) return {};
    if (*state == 'Z' || *state == 'X') return {ProcessState::gone, 0};
    return {ProcessState::alive, std::strtoull(start, nullptr, 10)};
  }
  if (::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM) return {ProcessState::alive, 0};  // /proc hides it
  return {errno == ESRCH ? ProcessState::gone : ProcessState::unknown, 0};
}

std::uint64_t pid_namespace() noexcept {
  struct stat about{};
  return ::stat("/proc/self/ns/pid", &about) == 0 ? static_cast<std::uint64_t>(about.st_ino) : 0;
}

}  // namespace ringcast
