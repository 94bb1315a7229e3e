// tools/capture_merge.hpp: several captured feeds as one, in order of receive time.
//
// Owner    replay or load, by value.  Thread  the owner's; reads files.
// Memory   one CaptureReader a file.
// Failure  open() names the file; a file that breaks off ends, is remembered in errors(), and the others go on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"
#include "codec/capture/capture_reader.hpp"

namespace ringcast {

/// Where a line is.
struct CapturePlace {
  std::size_t file = 0;   // which of the captures
  std::string_view path;  // its name
  std::uint64_t line = 0;

  [[nodiscard]] std::string text() const;  // "path:line"
};

class CaptureMerge {
 public:
  enum class Snapshots : std::uint8_t { skipped, given };

  /// Opens the files and reads each one's first message.
  [[nodiscard]] static Result<CaptureMerge, std::string> open(const std::vector<std::string>& paths,
                                                              Snapshots snapshots = Snapshots::skipped);

  /// The next stream message of all files, the earliest first, valid until the next call; nothing at the end of all.
  /// Order-book snapshots are lines like others, or counted as skipped.
  [[nodiscard]] std::optional<CaptureLine> next();

  /// Where the line is that next() gave last.
  [[nodiscard]] CapturePlace place() const {
    return {given_, sources_[given_].path, sources_[given_].reader->line_number()};
  }

  struct Totals {
    std::uint64_t lines = 0, messages = 0, skipped = 0, corrupt = 0;
  };
  [[nodiscard]] Totals totals() const;
  /// What went wrong, each with its file and line: files that broke off, and the first corrupt line of each.
  [[nodiscard]] std::vector<std::string> errors() const;
  [[nodiscard]] std::vector<std::string> corrupt_lines() const;

 private:
  struct Source {
    std::string path;
    std::unique_ptr<CaptureReader> reader;
    std::optional<CaptureLine> line;
    std::string error;
  };
  void advance(Source& source) const;

  Snapshots snapshots_ = Snapshots::skipped;
  std::vector<Source> sources_;
  std::size_t given_ = 0;  // the source whose line next() gave out last
  bool given_any_ = false;
};

}  // namespace ringcast
