// bench/system/limit/send_path.hpp: hands bytes to sockets, one by one or sixty-four at a time.
//
// Owner    the sender.  Thread  its.  Memory  a ring of 128 entries.
// Failure  io_uring_send_path() gives a sentence; a socket that fails is told by take_broken().
//
// A socket that does not take everything at once is waited for, so that its stream stays whole.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "alloc/base/result.hpp"

namespace ringcast {

class SendPath {
 public:
  static constexpr std::uint32_t kBatchMax = 64;

  SendPath() = default;
  SendPath(const SendPath&) = delete;
  SendPath& operator=(const SendPath&) = delete;
  virtual ~SendPath() = default;

  /// Sends to a socket, now or with the next flush(); once a socket between two flushes. The bytes stay in place until
  /// then.
  virtual void send(int fd, const std::uint8_t* data, std::uint32_t bytes) = 0;
  /// Returns when everything has been taken by the kernel.
  virtual void flush() = 0;

  [[nodiscard]] std::uint64_t short_sends() const { return short_sends_; }
  /// Sockets that failed since the last call.
  [[nodiscard]] std::vector<int> take_broken() { return std::exchange(broken_, {}); }

 protected:
  /// Waits for the socket until it has taken the rest.
  void finish(int fd, const std::uint8_t* data, std::uint32_t bytes);

  std::uint64_t short_sends_ = 0;
  std::vector<int> broken_;
};

/// send(2), at once.
[[nodiscard]] std::unique_ptr<SendPath> plain_send_path();
/// IORING_OP_SEND with MSG_DONTWAIT | MSG_WAITALL, no completion for success: one io_uring_enter for kBatchMax sends.
[[nodiscard]] Result<std::unique_ptr<SendPath>, std::string> io_uring_send_path();

}  // namespace ringcast
