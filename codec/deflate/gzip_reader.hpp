// codec/deflate/gzip_reader.hpp: the bytes inside a gzip file, or of a plain one, chunk by chunk.
//
// Owner    who reads the file.  Thread  the owner's.
// Memory   zlib's inflate state (about 40 KiB); output goes to the caller's buffer, which bounds it.
// Failure  GzipError; after one the reader stays failed. A file of several members reads as one.
// Not here files: the caller feeds chunks. Lines (codec/capture).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "alloc/base/bytes.hpp"
#include "alloc/base/result.hpp"

struct z_stream_s;

namespace ringcast {

enum class GzipError : std::uint8_t { corrupt, truncated, trailing_garbage, no_memory };
[[nodiscard]] std::string_view sentence_of(GzipError error);

class GzipReader {
 public:
  struct Step {
    std::size_t consumed = 0;  // of the input
    std::size_t produced = 0;  // in the output
  };
  /// Takes what it can from `input` and writes what it can to `output`. Call again with the rest of the input as long
  /// as something was consumed or produced. The first byte decides: 0x1f, which no text has, is gzip; else plain.
  [[nodiscard]] Result<Step, GzipError> read(Bytes input, MutableBytes output);

  /// Call when there is no more input, until it produces nothing: drains what is left; truncated if a member is
  /// incomplete.
  [[nodiscard]] Result<Step, GzipError> finish(MutableBytes output);

  [[nodiscard]] bool is_gzip() const { return state_ == State::member || state_ == State::between; }

 private:
  enum class State : std::uint8_t { start, plain, member, between, failed };
  struct InflateEnd {
    void operator()(z_stream_s* stream) const;
  };

  [[nodiscard]] bool begin_member();
  [[nodiscard]] Result<Step, GzipError> inflate_some(Bytes input, MutableBytes output);
  [[nodiscard]] Result<Step, GzipError> fail(GzipError error);

  std::unique_ptr<z_stream_s, InflateEnd> stream_;
  State state_ = State::start;
  GzipError error_{};
};

}  // namespace ringcast
