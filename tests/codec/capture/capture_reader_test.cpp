#include "codec/capture/capture_reader.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "codec/capture/depth_continuity.hpp"
#include "tests/codec/capture/capture_file.hpp"

namespace ringcast {
namespace {

struct Reading {
  std::vector<std::string> streams;  // of messages; "book" for a snapshot
  std::vector<std::uint64_t> numbers;
  CaptureCounts counts;
  CaptureError first_corrupt;
  std::optional<CaptureError> error;
};
Reading read_all(std::string content, std::size_t chunk, CaptureLimits limits = {}) {
  CaptureReader reader{source_of(std::move(content), chunk), limits};
  Reading reading;
  while (true) {
    const auto line = reader.next();
    if (!line) {
      reading.error = line.error();
      EXPECT_FALSE(reader.next().has_value()) << "a reader that failed stays failed";
      break;
    }
    if (!*line) {
      EXPECT_FALSE(reader.next().value().has_value()) << "the end stays the end";
      break;
    }
    reading.streams.push_back((*line)->kind == CaptureKind::stream_message ? std::string{(*line)->stream} : "book");
    reading.numbers.push_back(reader.line_number());
  }
  reading.counts = reader.counts();
  reading.first_corrupt = reader.first_corrupt();
  return reading;
}

const std::string kA = R"(1 {"stream":"a","data":1})"
                       "\n";
const std::string kB = R"(2 {"stream":"b","data":{"x":2}})"
                       "\n";
const std::string kBook = R"(3 {"lastUpdateId":7,"bids":[],"asks":[]})"
                          "\n";
const std::string kOther = R"(4 {"result":null,"id":1})"
                           "\n";
const std::string kCorrupt = R"(5 {"stream":"a","data":{"a":nonsense 12}})"
                             "\n";

std::string too_long(std::size_t bytes) {
  return "6 {\"stream\":\"a\",\"data\":\"" + std::string(bytes, 'x') + "\"}\n";
}

struct ReaderRow {
  std::string_view sentence;
  std::string content;
  std::vector<std::string> streams;
  std::vector<std::uint64_t> numbers;
  std::uint64_t lines, skipped, corrupt, first_corrupt;
};
const ReaderRow kReaderRows[] = {
    {"an empty file", "", {}, {}, 0, 0, 0, 0},
    {"two messages", kA + kB, {"a", "b"}, {1, 2}, 2, 0, 0, 0},
    {"a last line without a newline", kA + kB.substr(0, kB.size() - 1), {"a", "b"}, {1, 2}, 2, 0, 0, 0},
    {"a snapshot between", kA + kBook + kB, {"a", "book", "b"}, {1, 2, 3}, 3, 0, 0, 0},
    {"lines that are neither", kA + kOther + "\n\r\n" + kB, {"a", "b"}, {1, 5}, 5, 3, 0, 0},
    {"a corrupt line", kA + kCorrupt + kB, {"a", "b"}, {1, 3}, 3, 0, 1, 2},
    {"a last line cut short", kA + kB.substr(0, 20), {"a"}, {1}, 2, 0, 1, 2},
    {"a line too long", kA + too_long(300'000) + kB, {"a", "b"}, {1, 3}, 3, 0, 1, 2},
    {"a last line too long, without a newline", kA + too_long(300'000).substr(0, 250'000), {"a"}, {1}, 2, 0, 1, 2},
    {"a line a little too long", kA + too_long(1'000) + kB, {"a", "b"}, {1, 3}, 3, 0, 1, 2},
    {"only too long lines", too_long(2'000) + too_long(300'000) + kA, {"a"}, {3}, 3, 0, 2, 1},
};

TEST(CaptureReader, CountsAndNumbersItsLinesHoweverTheFileIsCut) {
  for (const ReaderRow& row : kReaderRows) {
    for (const std::size_t chunk : {1U, 13U, 1U << 20}) {
      const Reading reading = read_all(row.content, chunk, {.line_bytes_max = 1'000});
      EXPECT_FALSE(reading.error.has_value()) << row.sentence;
      EXPECT_EQ(reading.streams, row.streams) << row.sentence << ", chunks of " << chunk;
      EXPECT_EQ(reading.numbers, row.numbers) << row.sentence << ", chunks of " << chunk;
      EXPECT_EQ(reading.counts.lines, row.lines) << row.sentence << ", chunks of " << chunk;
      EXPECT_EQ(reading.counts.skipped, row.skipped) << row.sentence << ", chunks of " << chunk;
      EXPECT_EQ(reading.counts.corrupt, row.corrupt) << row.sentence << ", chunks of " << chunk;
      EXPECT_EQ(reading.first_corrupt.line, row.first_corrupt) << row.sentence << ", chunks of " << chunk;
      EXPECT_EQ(reading.first_corrupt.sentence.empty(), row.corrupt == 0) << row.sentence;
    }
  }
}

TEST(CaptureReader, ReadsLinesUpToItsBoundAndNoLonger) {
  const std::string line = kB.substr(0, kB.size() - 1);
  EXPECT_EQ(read_all(kA + kB, 1'000, {.line_bytes_max = line.size()}).counts.messages, 2U);
  EXPECT_EQ(read_all(kA + kB, 1'000, {.line_bytes_max = line.size() - 1}).counts.messages, 1U);
  EXPECT_EQ(read_all(kA + line, 1'000, {.line_bytes_max = line.size()}).counts.messages, 2U);
  EXPECT_EQ(read_all(kA + line, 1'000, {.line_bytes_max = line.size() - 1}).counts.messages, 1U);
  EXPECT_EQ(read_all(too_long(3'000'000) + kA, 100'000).counts.messages, 2U) << "the default holds the largest book";
}

TEST(CaptureReader, SaysWhenItsSourceFails) {
  CaptureReader reader{
      [](MutableBytes) -> Result<std::size_t, std::string> { return unexpected(std::string{"no such file"}); }};
  const auto line = reader.next();
  ASSERT_FALSE(line.has_value());
  EXPECT_EQ(line.error().sentence, "no such file");
  EXPECT_EQ(line.error().line, 1U);
}

struct SliceRow {
  const char* file;
  std::uint64_t lines, snapshot_line, last_update_id;
  std::map<std::string, std::uint64_t> messages;
};
const SliceRow kSliceRows[] = {
    {"btcusdt-spot.gz",
     22'285,
     8,
     50'093'239'218,
     {{"btcusdt@bookTicker", 15'713}, {"btcusdt@trade", 4'399}, {"btcusdt@depth@100ms", 2'172}}},
    {"ethusdt-spot.gz",
     20'825,
     6,
     35'346'513'512,
     {{"ethusdt@bookTicker", 15'282}, {"ethusdt@trade", 3'373}, {"ethusdt@depth@100ms", 2'169}}},
    {"btcusdt-usdm.gz",
     12'594,
     55,
     5'123'107'852'948,
     {{"btcusdt@bookTicker", 9'683}, {"btcusdt@trade", 1'979}, {"btcusdt@depth@0ms", 931}}},
};

TEST(CaptureReader, ReadsTheRealCapturesAndTheirDepthIsContinuous) {
  for (const SliceRow& row : kSliceRows) {
    CaptureReader reader{source_of(file_content(row.file), 10'000)};
    std::map<std::string, std::uint64_t> messages;
    DepthContinuity depth;
    WallTime last{};
    while (true) {
      const auto line = reader.next();
      ASSERT_TRUE(line.has_value()) << row.file;
      if (!*line) {
        break;
      }
      EXPECT_LE(last, (*line)->received) << row.file << ", line " << reader.line_number();
      last = (*line)->received;
      if ((*line)->kind == CaptureKind::order_book_snapshot) {
        EXPECT_EQ(reader.line_number(), row.snapshot_line);
        EXPECT_EQ((*line)->last_update_id, row.last_update_id);
      } else {
        ++messages[std::string{(*line)->stream}];
        (void)depth.feed((*line)->data);
      }
    }
    EXPECT_EQ(messages, row.messages) << row.file;
    EXPECT_EQ(reader.counts().lines, row.lines) << row.file;
    EXPECT_EQ(reader.counts().snapshots, 1U) << row.file;
    EXPECT_EQ(reader.counts().corrupt + reader.counts().skipped, 0U) << row.file;
    EXPECT_GT(depth.updates(), 900U) << row.file;
    EXPECT_EQ(depth.breaks(), 0U) << row.file;
  }
}

TEST(CaptureReader, GivesEveryWholeLineBeforeATruncatedGzipAndThenSaysSo) {
  const std::string content = file_content("btcusdt-spot.gz");
  for (const std::size_t chunk : {1'000U, 1U << 20}) {
    const Reading reading = read_all(content.substr(0, content.size() / 2), chunk);
    ASSERT_TRUE(reading.error.has_value());
    EXPECT_EQ(reading.error->sentence, sentence_of(GzipError::truncated));
    EXPECT_GT(reading.counts.messages, 5'000U);
    EXPECT_EQ(reading.counts.corrupt, 0U) << "the line that was cut is the gzip's fault, not a corrupt line";
    EXPECT_EQ(reading.error->line, reading.counts.lines + 1);
  }
}

TEST(CaptureReader, SaysWhenAGzipIsCorruptOrHasATail) {
  std::string content = file_content("ethusdt-spot.gz");
  const Reading tail = read_all(content + "garbage", 1'000);
  ASSERT_TRUE(tail.error.has_value());
  EXPECT_EQ(tail.error->sentence, sentence_of(GzipError::trailing_garbage));
  EXPECT_EQ(tail.counts.lines, 20'825U);
  EXPECT_EQ(read_all(content + content, 1'000).counts.lines, 2U * 20'825U) << "two members read as one file";
  content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 0xFF);
  content[content.size() / 2 + 1] = static_cast<char>(content[content.size() / 2 + 1] ^ 0xFF);
  EXPECT_EQ(read_all(content, 1'000).error.value().sentence, sentence_of(GzipError::corrupt));
}

}  // namespace
}  // namespace ringcast
