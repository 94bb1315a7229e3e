// tests/doubles/temporary_file.hpp: a file that lives as long as the object.
//
// Owner    the test, by value.  Thread  the test's.  Failure  ensure(): a test without its file proves nothing.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "alloc/base/ensure.hpp"

namespace ringcast {

class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content) {
    const int file = ::mkstemp(path_.data());
    ensure(file >= 0, "a temporary file can be made");
    while (!content.empty()) {
      const ssize_t written = ::write(file, content.data(), content.size());
      ensure(written > 0, "a temporary file can be written");
      content.remove_prefix(static_cast<std::size_t>(written));
    }
    ensure(::close(file) == 0, "a temporary file can be closed");
  }
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/ringcast-test-XXXXXX";
};

}  // namespace ringcast
