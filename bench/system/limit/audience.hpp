// bench/system/limit/audience.hpp: the readers: who connected, for which channel.
//
// Owner    main.  Thread  main; gather() and say_goodbye() block, with a deadline each.
// Memory   a descriptor and a number a reader.
// Failure  a sentence.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alloc/base/result.hpp"
#include "bench/system/limit/options.hpp"
#include "tools/client/socket.hpp"

namespace ringcast {

struct Reader {
  UniqueFd fd;
  std::uint32_t channel = 0;
};

/// Listens, and returns when everybody has asked for /sub/<channel> and been answered. Ends at a signal.
[[nodiscard]] Result<std::vector<Reader>, std::string> gather(const LimitOptions& options, int stop_fd);

/// The channel that /sub/<name> means: the number at its end.
[[nodiscard]] Result<std::uint32_t, std::string> channel_of_path(std::string_view path, std::uint32_t channels);

/// A text message that all bytes of are sent, waiting if need be. False: the connection is broken.
[[nodiscard]] bool say(const Reader& reader, const std::string& text);

/// Waits until the readers have left, at most until the deadline.
void await_departure(std::vector<Reader>& readers, Instant deadline);

}  // namespace ringcast
