// A configuration file: options that are in range, or problems that say where they are.
#include <sys/mman.h>
#include <unistd.h>

#include "engine/config/load.hpp"
#include "engine/config/print.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringcast;
  static const int file = memfd_create("config", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) return 0;
  const auto loaded = load_configuration({.file = path, .environment = {}, .flags = {}});
  if (!loaded) {
    fuzz::holds(!loaded.error().empty(), "what is refused has a reason");
    for (const ConfigProblem& problem : loaded.error()) {
      const std::string text = text_of(problem);
      fuzz::holds(text.starts_with(path) && !problem.sentence.empty(), "a problem says where it is");
    }
    return 0;
  }
  fuzz::holds(loaded->options.core.limits.connections > 0 && !loaded->options.listen.empty(), "options are in range");
  fuzz::holds(!loaded->options.core.namespaces.empty(), "every channel has a rule");
  return 0;
}
