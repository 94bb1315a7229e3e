// tools/client/socket.hpp: descriptors that close themselves, name resolution, and connecting without blocking.
//
// Owner    UniqueFd owns its descriptor.  Thread  any; resolve() may block.  Memory  none to speak of.
// Failure  a sentence with the system's reason.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "tools/client/endpoint.hpp"

namespace ringcast {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_{fd} {}
  UniqueFd(UniqueFd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  UniqueFd& operator=(UniqueFd other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd() { reset(); }

  void reset();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;
};

struct SocketOptions {
  int receive_buffer_bytes = 0;  // 0: the system's choice
};

/// Every address of the endpoint, in the resolver's order; at least one.
[[nodiscard]] Result<std::vector<SocketAddress>, std::string> resolve(const Endpoint& endpoint);

/// Begins to connect: a non-blocking socket that becomes writable when it is connected or has failed.
[[nodiscard]] Result<UniqueFd, std::string> start_connect(const SocketAddress& address, const SocketOptions& options);

/// Once writable: 0, or the errno with which the connect failed.
[[nodiscard]] int connect_error(int fd);

/// The system's words for an errno.
[[nodiscard]] std::string system_sentence(int error);

/// CLOCK_MONOTONIC, CLOCK_REALTIME.
[[nodiscard]] Instant monotonic_now();
[[nodiscard]] WallTime wall_now();
/// Returns at once if that is over. Blocks.
void sleep_until(Instant until);

}  // namespace ringcast
