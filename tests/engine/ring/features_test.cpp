#include "engine/ring/features.hpp"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>

#include "engine/ring/ring.hpp"
#include "engine/ring/send_self_test.hpp"

namespace ringcast {
namespace {

struct FailureRow {
  const char* sentence;
  int error;
  int sysctl;
  std::string_view says;
};
constexpr FailureRow kFailureRows[] = {
    {"a kernel without io_uring", ENOSYS, -1, "CONFIG_IO_URING"},
    {"disabled for everybody", EPERM, 2, "sysctl -w kernel.io_uring_disabled=0"},
    {"disabled for the unprivileged", EPERM, 1, "kernel.io_uring_group"},
    {"forbidden although the sysctl allows it", EPERM, 0, "seccomp"},
    {"forbidden, and no such sysctl", EACCES, -1, "seccomp"},
    {"a kernel before 6.1", EINVAL, -1, "Linux 6.1"},
    {"no memory", ENOMEM, 0, "ulimit -l"},
    {"no descriptor", EMFILE, 0, "ulimit -n"},
    {"anything else", EIO, 0, "io_uring_setup failed"},
};

TEST(RingFailure, IsExplainedWithWhatToDo) {
  for (const FailureRow& row : kFailureRows) {
    const std::string text = explain_ring_failure(row.error, row.sysctl);
    EXPECT_NE(text.find(row.says), std::string::npos) << row.sentence << ": " << text;
    EXPECT_EQ(text.find("io_uring is not available"), 0U) << row.sentence << ": " << text;
  }
}

/// What probe_ring_features() says in a child whose seccomp filter answers io_uring_setup with `error`.
std::string probe_under_seccomp(int error) {
  std::array<int, 2> pipe_fds{};
  if (pipe(pipe_fds.data()) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    std::array<sock_filter, 4> code{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    sock_fprog program{.len = code.size(), .filter = code.data()};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
      _exit(77);
    const auto found = probe_ring_features();
    const std::string text = found ? "found" : found.error();
    const auto written = write(pipe_fds[1], text.data(), text.size());
    _exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  close(pipe_fds[1]);
  std::string text;
  std::array<char, 512> chunk{};
  for (ssize_t got = 0; (got = read(pipe_fds[0], chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  close(pipe_fds[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return "no seccomp here";
  return text;
}

TEST(RingFeatures, AHiddenIoUringIsAClearError) {
  const std::string hidden = probe_under_seccomp(ENOSYS);
  if (hidden == "no seccomp here") GTEST_SKIP() << hidden;
  EXPECT_NE(hidden.find("a seccomp profile hides it"), std::string::npos) << hidden;
  const std::string forbidden = probe_under_seccomp(EPERM);
  EXPECT_NE(forbidden.find("allow io_uring_setup"), std::string::npos) << forbidden;
}

TEST(RingFeatures, AreFoundOnThisKernelAndWrittenAsText) {
  const auto found = probe_ring_features();
  ASSERT_TRUE(found) << found.error();
  for (const std::string_view key : {"kernel", "io_uring_features", "io_uring_sends", "io_uring_msg_ring"}) {
    bool there = false;
    for (const RingFinding& finding : found->findings) there = there || (finding.key == key && !finding.value.empty());
    EXPECT_TRUE(there) << key;
  }
}

TEST(SendSelfTest, BothShapesReportShortCountsAndAgain) {
  EXPECT_EQ(try_send_shape({}, SendShape::silent), "");
  EXPECT_EQ(try_send_shape({}, SendShape::reported), "");
}

TEST(SendSelfTest, FailsForAShapeThatDoesNotReportAtOnce) {
  // A remainder waits for the reader: nothing comes back from the submit, as with the flags that hide short counts.
  EXPECT_NE(try_send_shape({}, SendShape::remainder), "");
}

}  // namespace
}  // namespace ringcast
