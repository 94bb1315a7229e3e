// codec/capture/capture_reader.hpp: the lines of a captured feed, gzip or plain, one at a time.
//
// Owner    a tool.  Thread  the owner's.
// Memory   one input chunk, and one line buffer of at most line_bytes_max plus a chunk.
// Failure  a line that is wrong is counted, the first remembered by number, and skipped; a source that fails or a gzip
//          that is corrupt or truncated ends the reading with a CaptureError, after every whole line before it.
// Not here opening files: the source is a function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "alloc/base/result.hpp"
#include "codec/capture/capture_line.hpp"
#include "codec/deflate/gzip_reader.hpp"

namespace ringcast {

struct CaptureLimits {
  std::size_t line_bytes_max = 4U << 20;  // the largest REST book (5,000 levels a side) is under 1 MiB
};

struct CaptureError {
  std::uint64_t line = 0;  // the line that could not be read to its end; the first is 1
  std::string sentence;
};

struct CaptureCounts {
  std::uint64_t lines = 0;      // every line, also empty ones
  std::uint64_t messages = 0;   // stream messages
  std::uint64_t snapshots = 0;  // order-book snapshots
  std::uint64_t skipped = 0;    // valid, but neither
  std::uint64_t corrupt = 0;    // not a capture line, or too long
};

class CaptureReader {
 public:
  /// Fills the buffer with the file's next bytes and says how many; 0 at its end; an error in words.
  using Source = std::move_only_function<Result<std::size_t, std::string>(MutableBytes)>;

  explicit CaptureReader(Source source, CaptureLimits limits = {});

  /// The next stream message or snapshot, valid until the next call; nothing at the end of the file.
  [[nodiscard]] Result<std::optional<CaptureLine>, CaptureError> next();

  [[nodiscard]] const CaptureCounts& counts() const { return counts_; }
  /// The number of the line that next() returned last; the first is 1.
  [[nodiscard]] std::uint64_t line_number() const { return counts_.lines; }

  /// What was wrong with the first corrupt line; its line is 0 if there was none.
  [[nodiscard]] const CaptureError& first_corrupt() const { return first_corrupt_; }

 private:
  [[nodiscard]] std::optional<std::string_view> next_line();
  void fill();
  [[nodiscard]] std::size_t room();
  void fail(std::string_view sentence);
  void note_corrupt(std::uint64_t line, std::string_view sentence);

  Source source_;
  CaptureLimits limits_;
  GzipReader gzip_;
  JsonReader json_;
  CaptureCounts counts_;
  CaptureError first_corrupt_;
  std::optional<CaptureError> failed_;  // the end of all reading
  std::vector<std::uint8_t> input_;
  std::size_t input_begin_ = 0, input_end_ = 0;
  std::vector<std::uint8_t> text_;  // unpacked bytes; [text_begin_, text_end_) not yet returned
  std::size_t text_begin_ = 0, text_end_ = 0, text_scanned_ = 0;
  bool source_ended_ = false;
  bool ended_ = false;
  bool dropping_ = false;  // inside a line that was too long
};

}  // namespace ringcast
