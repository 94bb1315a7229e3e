// alloc/segment/process_probe.hpp: is this process still the one that wrote?
//
// Owner    nobody.  Thread  any.  Memory  the stack.  Failure  what the kernel does not say is reported as unknown.
// Not here what follows from it (reader.cpp). Part of the reader's library: no C++ run-time library.
#pragma once

#include <cstdint>

namespace ringcast {

enum class ProcessState : std::uint8_t { gone, alive, unknown };  // a zombie is gone: it will never write again

struct ProcessFacts {
  ProcessState state = ProcessState::unknown;
  std::uint64_t start_ticks = 0;  // field 22 of /proc/<pid>/stat, in ticks since boot; 0: unknown
};

[[nodiscard]] ProcessFacts probe_process(std::uint64_t pid) noexcept;
/// Names the pid namespace of this process: a pid of another one means nothing here. 0: unknown.
[[nodiscard]] std::uint64_t pid_namespace() noexcept;

}  // namespace ringcast
