#include "codec/deflate/gzip_reader.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

constexpr std::uint8_t kMagicFirst = 0x1f;       // RFC 1952 section 2.3.1
constexpr int kGzipWindowBits = 15 + 16;         // zlib.h, inflateInit2: the largest window, gzip and nothing else
constexpr std::size_t kStepBytesMax = 1U << 30;  // zlib counts in unsigned int

}  // namespace

std::string_view sentence_of(GzipError error) {
  switch (error) {
    case GzipError::corrupt: return "the gzip data is corrupt";
    case GzipError::truncated: return "the gzip data ends too early";
    case GzipError::trailing_garbage: return "bytes that are not gzip follow the gzip data";
    case GzipError::no_memory: return "there is no memory to unpack gzip data";
  }
  return "the gzip data is corrupt";
}

void GzipReader::InflateEnd::operator()(z_stream_s* stream) const {
  (void)inflateEnd(stream);  // frees what it has, also of a stream that failed
  delete stream;
}

bool GzipReader::begin_member() {
  state_ = State::member;
  if (stream_ != nullptr) {
    return inflateReset(stream_.get()) == Z_OK;
  }
  auto stream = std::make_unique<z_stream_s>();
  if (inflateInit2(stream.get(), kGzipWindowBits) != Z_OK) {
    return false;
  }
  stream_.reset(stream.release());
  return true;
}

Result<GzipReader::Step, GzipError> GzipReader::fail(GzipError error) {
  state_ = State::failed;
  error_ = error;
  return unexpected(error);
}

Result<GzipReader::Step, GzipError> GzipReader::read(Bytes input, MutableBytes output) {
  if (state_ == State::failed) {
    return unexpected(error_);
  }
  if (input.empty() && state_ != State::member) {
    return Step{};
  }
  if (state_ == State::start && input.front() != kMagicFirst) {
    state_ = State::plain;
  }
  if (state_ == State::plain) {
    const std::size_t bytes = std::min(input.size(), output.size());
    if (bytes > 0) {
      std::memcpy(output.data(), input.data(), bytes);
    }
    return Step{bytes, bytes};
  }
  if (state_ == State::between && input.front() != kMagicFirst) {
    return fail(GzipError::trailing_garbage);
  }
  if (state_ != State::member && !begin_member()) {
    return fail(GzipError::no_memory);
  }
  return inflate_some(input, output);
}

Result<GzipReader::Step, GzipError> GzipReader::inflate_some(Bytes input, MutableBytes output) {
  const auto in = static_cast<uInt>(std::min(input.size(), kStepBytesMax));
  const auto out = static_cast<uInt>(std::min(output.size(), kStepBytesMax));
  stream_->next_in = const_cast<Bytef*>(input.data());  // zlib reads only; its type is older than const
  stream_->avail_in = in;
  stream_->next_out = output.data();
  stream_->avail_out = out;
  const int status = inflate(stream_.get(), Z_NO_FLUSH);
  const Step step{in - stream_->avail_in, out - stream_->avail_out};
  switch (status) {
    case Z_OK:
    case Z_BUF_ERROR:  // nothing to do without more input or room
      return step;
    case Z_STREAM_END: state_ = State::between; return step;
    case Z_MEM_ERROR: return fail(GzipError::no_memory);
    default: return fail(GzipError::corrupt);
  }
}

Result<GzipReader::Step, GzipError> GzipReader::finish(MutableBytes output) {
  if (state_ == State::failed) {
    return unexpected(error_);
  }
  if (state_ != State::member) {
    return Step{};
  }
  ensure(!output.empty(), "there is room for what is left");
  const Result<Step, GzipError> step = inflate_some({}, output);
  if (step && step->produced == 0 && state_ == State::member) {
    return fail(GzipError::truncated);
  }
  return step;
}

}  // namespace ringcast
