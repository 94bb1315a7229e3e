// A configuration file: options in range that are printed as what they are, or problems that say where they are.
#include <sys/mman.h>
#include <unistd.h>

#include "engine/config/assign.hpp"
#include "engine/config/load.hpp"
#include "engine/config/print.hpp"
#include "engine/config/schema.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace ringcast {
namespace {

/// A file that never touches a disk.
class MemoryFile {
 public:
  MemoryFile() : file_{memfd_create("config", 0)}, path_{"/proc/self/fd/" + std::to_string(file_)} {}
  void hold(std::string_view text) const {
    const bool held = ftruncate(file_, 0) == 0 && pwrite(file_, text.data(), text.size(), 0) == std::ssize(text);
    fuzz::holds(held, "a file in memory can be written");
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  int file_;
  std::string path_;
};

Result<Configuration, std::vector<ConfigProblem>> load(const MemoryFile& file, std::string_view text) {
  file.hold(text);
  return load_configuration({.file = file.path(), .environment = {}, .flags = {}});
}

std::string values_of(const Configuration& configuration) {
  std::string all;
  for (const auto& row : node_keys()) all += toml_value(row, configuration.options) + '\n';
  for (const NamespaceRule& rule : configuration.options.core.namespaces) {
    for (const auto& row : namespace_keys()) all += toml_value(row, rule) + '\n';
  }
  return all;
}

}  // namespace
}  // namespace ringcast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringcast;
  static const MemoryFile file;
  const auto loaded = load(file, as_text({data, size}));
  if (!loaded) {
    fuzz::holds(!loaded.error().empty(), "what is refused has a reason");
    for (const ConfigProblem& problem : loaded.error()) {
      const std::string text = text_of(problem);
      fuzz::holds(text.starts_with(file.path()) && !problem.sentence.empty(), "a problem says where it is");
    }
    return 0;
  }
  fuzz::holds(loaded->options.core.limits.connections > 0 && !loaded->options.listen.empty(), "options are in range");
  fuzz::holds(!loaded->options.core.namespaces.empty(), "every channel has a rule");
  const auto again = load(file, print_configuration(*loaded));
  fuzz::holds(again && values_of(*again) == values_of(*loaded), "what is printed is what was loaded");
  return 0;
}
