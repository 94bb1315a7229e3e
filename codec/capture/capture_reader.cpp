#include "codec/capture/capture_reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kChunkBytes = 64U << 10;  // of the file, and the least room for what it unpacks to

}  // namespace

CaptureReader::CaptureReader(Source source, CaptureLimits limits)
    : source_{std::move(source)}, limits_{limits}, input_(kChunkBytes), text_(2 * kChunkBytes) {}

void CaptureReader::fail(std::string_view sentence) {
  failed_ = CaptureError{counts_.lines + 1, std::string{sentence}};
}

void CaptureReader::note_corrupt(std::uint64_t line, std::string_view sentence) {
  if (counts_.corrupt++ == 0) {
    first_corrupt_ = CaptureError{line, std::string{sentence}};
  }
}

Result<std::optional<CaptureLine>, CaptureError> CaptureReader::next() {
  while (const std::optional<std::string_view> text = next_line()) {
    if (text->empty() || *text == "\r") {
      ++counts_.skipped;
      continue;
    }
    const Result<CaptureLine, CaptureLineError> line = parse_capture_line(*text, json_);
    if (!line) {
      note_corrupt(counts_.lines, line.error().sentence);
      continue;
    }
    switch (line->kind) {
      case CaptureKind::stream_message: ++counts_.messages; return *line;
      case CaptureKind::order_book_snapshot: ++counts_.snapshots; return *line;
      case CaptureKind::other: ++counts_.skipped; break;
    }
  }
  if (failed_) {
    return unexpected(*failed_);
  }
  return std::optional<CaptureLine>{};
}

// Nothing at the end of the file, or when failed_ is set.
std::optional<std::string_view> CaptureReader::next_line() {
  while (true) {
    const auto* newline =
        static_cast<const std::uint8_t*>(std::memchr(text_.data() + text_scanned_, '\n', text_end_ - text_scanned_));
    const bool last = newline == nullptr && ended_ && text_begin_ < text_end_;  // a last line needs no newline
    if (newline != nullptr || last) {
      const std::size_t end = last ? text_end_ : static_cast<std::size_t>(newline - text_.data());
      const std::string_view line = as_text(Bytes{text_}.subspan(text_begin_, end - text_begin_));
      text_begin_ = text_scanned_ = last ? end : end + 1;
      ++counts_.lines;
      if (std::exchange(dropping_, false)) {
        continue;  // the rest of a line that is counted as corrupt already
      }
      if (line.size() > limits_.line_bytes_max) {
        note_corrupt(counts_.lines, "a line is too long");
        continue;
      }
      return line;
    }
    if (ended_ || failed_) {
      counts_.lines += std::exchange(dropping_, false) ? 1 : 0;
      return std::nullopt;
    }
    text_scanned_ = text_end_;
    if (dropping_ || text_end_ - text_begin_ > limits_.line_bytes_max) {
      if (!std::exchange(dropping_, true)) {
        note_corrupt(counts_.lines + 1, "a line is too long");
      }
      text_begin_ = text_scanned_ = text_end_ = 0;
    }
    fill();
  }
}

// Room at the end of the text: moves what is not yet returned to the front, then grows to the longest line and a chunk.
std::size_t CaptureReader::room() {
  if (text_begin_ > 0) {
    std::memmove(text_.data(), text_.data() + text_begin_, text_end_ - text_begin_);
    text_scanned_ -= text_begin_;
    text_end_ -= text_begin_;
    text_begin_ = 0;
  }
  if (text_.size() - text_end_ < kChunkBytes) {
    text_.resize(std::min(2 * text_.size(), limits_.line_bytes_max + 2 * kChunkBytes));
  }
  return text_.size() - text_end_;
}

// Unpacks some more, or sets ended_ or failed_.
void CaptureReader::fill() {
  const std::size_t bytes = room();
  ensure(bytes > 0, "a line within its bound leaves room for more");
  const MutableBytes output = MutableBytes{text_}.subspan(text_end_, bytes);
  while (true) {
    if (input_begin_ == input_end_ && !source_ended_) {
      const Result<std::size_t, std::string> got = source_(MutableBytes{input_});
      if (!got) {
        return fail(got.error());
      }
      ensure(*got <= input_.size(), "a source fills no more than its buffer");
      input_begin_ = 0;
      input_end_ = *got;
      source_ended_ = *got == 0;
    }
    const Bytes input = Bytes{input_}.subspan(input_begin_, input_end_ - input_begin_);
    const Result<GzipReader::Step, GzipError> step =
        source_ended_ && input.empty() ? gzip_.finish(output) : gzip_.read(input, output);
    if (!step) {
      return fail(sentence_of(step.error()));
    }
    input_begin_ += step->consumed;
    text_end_ += step->produced;
    if (step->produced > 0) {
      return;
    }
    if (source_ended_ && input.empty()) {
      ended_ = true;
      return;
    }
    ensure(step->consumed > 0, "with input and room something always moves");
  }
}

}  // namespace ringcast
