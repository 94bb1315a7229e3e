#include "engine/ring/features.hpp"

#include <liburing.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "alloc/memory/mapped_region.hpp"
#include "engine/ring/kernel_constants.hpp"
#include "engine/ring/ring.hpp"
#include "engine/ring/send_self_test.hpp"

namespace ringcast {

namespace {

std::string yes_no(bool value) { return value ? "yes" : "no"; }

struct OperationRow {
  int opcode;
  std::string_view name;
};
// What the shard's loop cannot do without.
constexpr std::array kNeeded{
    OperationRow{IORING_OP_ACCEPT, "accept"},       OperationRow{IORING_OP_RECV, "recv"},
    OperationRow{IORING_OP_SEND, "send"},           OperationRow{IORING_OP_POLL_ADD, "poll"},
    OperationRow{IORING_OP_ASYNC_CANCEL, "cancel"}, OperationRow{IORING_OP_READ, "read"},
};

struct FeatureRow {
  std::uint32_t bit;
  std::string_view name;
};
constexpr std::array kFeatureNames{
    FeatureRow{IORING_FEAT_NODROP, "nodrop"},
    FeatureRow{IORING_FEAT_FAST_POLL, "fast_poll"},
    FeatureRow{IORING_FEAT_EXT_ARG, "ext_arg"},
    FeatureRow{IORING_FEAT_NATIVE_WORKERS, "native_workers"},
    FeatureRow{IORING_FEAT_CQE_SKIP, "cqe_skip"},
    FeatureRow{IORING_FEAT_LINKED_FILE, "linked_file"},
    FeatureRow{kFeatureRegisterRegisteredRing, "reg_reg_ring"},
    FeatureRow{kFeatureSendReceiveBundle, "recvsend_bundle"},
    FeatureRow{kFeatureMinimumTimeout, "min_timeout"},
};

/// A small ring as a shard would have it, for asking.
class ProbeRing {
 public:
  explicit ProbeRing(std::uint32_t extra_flags) {
    params_.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL | extra_flags;
    result_ = io_uring_queue_init_params(8, &ring_, &params_);
  }
  ~ProbeRing() {
    if (result_ == 0) io_uring_queue_exit(&ring_);
  }
  ProbeRing(const ProbeRing&) = delete;
  ProbeRing& operator=(const ProbeRing&) = delete;

  [[nodiscard]] int result() const { return result_; }
  [[nodiscard]] std::uint32_t features() const { return params_.features; }
  io_uring* get() { return &ring_; }

 private:
  io_uring_params params_{};
  io_uring ring_{};
  int result_ = 0;
};

bool try_incremental_buffers() {
  ProbeRing ring{0};
  auto entries = MappedRegion::map(4'096);
  if (ring.result() != 0 || !entries) return false;
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(entries->bytes().data());
  registration.ring_entries = 8;
  registration.pad = kBufferRingIncremental;
  if (io_uring_register_buf_ring(ring.get(), &registration, 0) != 0) return false;
  io_uring_unregister_buf_ring(ring.get(), 0);
  return true;
}

/// Sends a message from one ring to another and looks whether it arrived.
bool try_message_ring(bool supported, const RingFeatures& features) {
  if (!supported) return false;
  auto from = Ring::open({.demand = {}, .features = features});
  auto to = Ring::open({.demand = {}, .features = features});
  if (!from || !to) return false;
  const Tag delivered{Operation::doorbell, {.slot = 1, .generation = 2}};
  (*from)->message({Operation::probe, {.slot = 0, .generation = 0}}, (*to)->ring_fd(), delivered);
  (*from)->submit_and_reap();
  (*to)->wait(seconds{1});
  const auto arrived = (*to)->take_completions();
  (*from)->submit_and_reap();
  return arrived.size() == 1 && arrived[0].user_data == pack(delivered) && (*from)->take_completions().empty();
}

std::string feature_text(std::uint32_t bits) {
  std::string text;
  for (const FeatureRow& row : kFeatureNames) {
    if ((bits & row.bit) != 0) text.append(text.empty() ? "" : " ").append(row.name);
  }
  return text;
}

}  // namespace

int read_ring_disabled_sysctl() {
  std::FILE* file = std::fopen("/proc/sys/kernel/io_uring_disabled", "re");
  if (file == nullptr) return -1;
  int value = -1;
  if (std::fscanf(file, "%d", &value) != 1) value = -1;
  std::fclose(file);
  return value;
}

std::string explain_ring_failure(int error, int disabled_sysctl) {
  const std::string cause = std::string{"io_uring is not available ("} + std::strerror(error) + "): ";
  switch (error) {
    case ENOSYS:
      return cause +
             "this kernel was built without it, or a seccomp profile hides it. ringcast needs Linux 6.1 or later "
             "with CONFIG_IO_URING; in a container allow io_uring_setup, io_uring_enter and io_uring_register";
    case EPERM:
    case EACCES:
      if (disabled_sysctl == 2) {
        return cause + "it is disabled for everybody; enable it with `sysctl -w kernel.io_uring_disabled=0`";
      }
      if (disabled_sysctl == 1) {
        return cause +
               "it is disabled for unprivileged processes; enable it with `sysctl -w kernel.io_uring_disabled=0`, "
               "or run as a member of the group in kernel.io_uring_group";
      }
      return cause +
             "a seccomp profile or security module forbids it; allow io_uring_setup, io_uring_enter and "
             "io_uring_register (Docker: --security-opt seccomp=<profile that allows them>)";
    case EINVAL: return cause + "this kernel lacks SINGLE_ISSUER with DEFER_TASKRUN; ringcast needs Linux 6.1 or later";
    case ENOMEM: return cause + "no memory for the queues, or the limit on locked memory is too low (`ulimit -l`)";
    case EMFILE:
    case ENFILE: return cause + "no file descriptor is left; raise the limit (`ulimit -n`)";
    default: return cause + "io_uring_setup failed";
  }
}

Result<RingFeatures, std::string> probe_ring_features() {
  RingFeatures found;
  utsname system{};
  if (uname(&system) == 0) found.findings.push_back({"kernel", system.release});

  std::uint32_t feature_bits = 0;
  bool message_supported = false;
  {
    ProbeRing ring{0};
    if (ring.result() < 0) return unexpected(explain_ring_failure(-ring.result(), read_ring_disabled_sysctl()));
    feature_bits = ring.features();
    const std::unique_ptr<io_uring_probe, decltype(&io_uring_free_probe)> probe{io_uring_get_probe_ring(ring.get()),
                                                                                &io_uring_free_probe};
    if (probe == nullptr) return unexpected(std::string{"io_uring does not say which operations it has"});
    for (const OperationRow& row : kNeeded) {
      if (io_uring_opcode_supported(probe.get(), row.opcode) == 0) {
        return unexpected("this kernel's io_uring has no operation '" + std::string{row.name} +
                          "'; ringcast needs Linux 6.1 or later");
      }
    }
    message_supported = io_uring_opcode_supported(probe.get(), IORING_OP_MSG_RING) != 0;
  }
  found.taskrun_flag = ProbeRing{IORING_SETUP_TASKRUN_FLAG}.result() == 0;
  found.incremental_buffers = try_incremental_buffers();
  found.message_ring = try_message_ring(message_supported, found);
  const SendSelfTest sends = run_send_self_test(found);
  if (sends.broken) return unexpected("the start-up test of io_uring's SEND failed: " + sends.verdict);
  found.silent_sends = sends.silent;

  found.findings.push_back({"io_uring_features", feature_text(feature_bits)});
  found.findings.push_back({"io_uring_sends", sends.verdict});
  found.findings.push_back({"io_uring_msg_ring", found.message_ring ? "yes" : "no: shards wake each other by eventfd"});
  found.findings.push_back({"io_uring_taskrun_flag", yes_no(found.taskrun_flag)});
  found.findings.push_back({"io_uring_incremental_buffers", yes_no(found.incremental_buffers)});
  return found;
}

}  // namespace ringcast
