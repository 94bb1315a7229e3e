#include "codec/deflate/gzip_reader.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace ringcast {
namespace {

using namespace std::string_literals;

std::string packed(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct Outcome {
  std::string text;
  std::optional<GzipError> error;
};

// Reads a whole file in pieces of `chunk` bytes through an output of `room` bytes.
Outcome unpack(std::string_view file, std::size_t chunk, std::size_t room) {
  GzipReader reader;
  Outcome outcome;
  std::vector<std::uint8_t> output(room);
  const auto take = [&](const GzipReader::Step& step) {
    outcome.text.append(reinterpret_cast<const char*>(output.data()), step.produced);
  };
  while (!file.empty()) {
    std::string piece{file.substr(0, chunk)};  // its own memory: a read past the piece is seen by the sanitizer
    piece.shrink_to_fit();
    file.remove_prefix(piece.size());
    Bytes input = as_bytes(piece);
    while (true) {
      const auto step = reader.read(input, output);
      if (!step) {
        outcome.error = step.error();
        EXPECT_EQ(reader.read(input, output).error(), step.error()) << "a reader that failed stays failed";
        return outcome;
      }
      take(*step);
      input = input.subspan(step->consumed);
      if (step->consumed == 0 && step->produced == 0) {
        break;
      }
    }
    EXPECT_TRUE(input.empty());
  }
  while (true) {
    const auto step = reader.finish(output);
    if (!step) {
      outcome.error = step.error();
      return outcome;
    }
    if (step->produced == 0) {
      return outcome;
    }
    take(*step);
  }
}

std::string flipped(std::string file, std::size_t place) {
  file[place] = static_cast<char>(file[place] ^ 0x55);
  return file;
}

std::string noise(std::size_t bytes) {
  std::mt19937 random{5};
  std::string text(bytes, '\0');
  std::ranges::generate(text, [&random] { return static_cast<char>('a' + random() % 16); });
  return text;
}

struct GzipRow {
  std::string_view sentence;
  std::string file, text;
  std::optional<GzipError> error;
};
std::vector<GzipRow> gzip_rows() {
  const std::string text = noise(3'000) + std::string(5'000, 'x') + "\n";
  const std::string file = packed(text);
  return {
      {"one member", file, text, {}},
      {"two members", file + packed("tail"), text + "tail", {}},
      {"an empty member among others", file + packed("") + packed("z"), text + "z", {}},
      {"an empty gzip file", packed(""), "", {}},
      {"an empty file", "", "", {}},
      {"a plain file", "plain text\n", "plain text\n", {}},
      {"a plain file of one byte", "1", "1", {}},
      {"a member without its last byte", file.substr(0, file.size() - 1), text, GzipError::truncated},
      {"a member without its trailer", file.substr(0, file.size() - 8), text, GzipError::truncated},
      {"a member cut in its header", file.substr(0, 5), "", GzipError::truncated},
      {"the first byte only", file.substr(0, 1), "", GzipError::truncated},
      {"a second member cut in its header", file + file.substr(0, 4), text, GzipError::truncated},
      {"text after the member", file + "garbage", text, GzipError::trailing_garbage},
      {"zeros after the member", file + "\0\0"s, text, GzipError::trailing_garbage},
      {"a wrong second byte", flipped(file, 1), "", GzipError::corrupt},
      {"an unknown method", flipped(file, 2), "", GzipError::corrupt},
      {"a wrong check sum", flipped(file, file.size() - 8), text, GzipError::corrupt},
      {"a wrong length", flipped(file, file.size() - 1), text, GzipError::corrupt},
      {"text after the first byte of gzip", "\x1fplain text, long enough", "", GzipError::corrupt},
  };
}

TEST(GzipReader, GivesTheSameTextOrErrorHoweverTheFileIsCut) {
  for (const GzipRow& row : gzip_rows()) {
    for (const std::size_t chunk : {1U, 7U, 4'096U, 1U << 20}) {
      for (const std::size_t room : {1U, 100U, 1U << 16}) {
        const Outcome outcome = unpack(row.file, chunk, room);
        EXPECT_EQ(outcome.error, row.error) << row.sentence << ", chunks of " << chunk << ", room for " << room;
        if (row.error == GzipError::truncated || !row.error) {
          EXPECT_EQ(outcome.text, row.text) << row.sentence << ", chunks of " << chunk << ", room for " << room;
        }
      }
    }
  }
}

TEST(GzipReader, NeverTakesADamagedFileForAWholeOne) {
  const std::string text = noise(2'000);
  const std::string file = packed(text);
  constexpr std::size_t kHeaderBytes = 10;  // its time, flags and system may change without harm
  for (std::size_t place = kHeaderBytes; place < file.size(); ++place) {
    const Outcome outcome = unpack(flipped(file, place), 512, 512);
    EXPECT_TRUE(outcome.error.has_value()) << place;
  }
  for (std::size_t bytes = 1; bytes < file.size(); ++bytes) {
    EXPECT_EQ(unpack(std::string_view{file}.substr(0, bytes), 512, 512).error, GzipError::truncated) << bytes;
  }
}

TEST(GzipReader, UnpacksWithinTheRoomItIsGiven) {
  const std::string file = packed(std::string(10'000'000, 'x'));  // 10 MB from 10 kB
  GzipReader reader;
  std::vector<std::uint8_t> output(1'000);
  Bytes input = as_bytes(file);
  std::size_t total = 0;
  while (true) {
    const auto step = reader.read(input, output);
    ASSERT_TRUE(step.has_value());
    ASSERT_LE(step->produced, output.size());
    total += step->produced;
    input = input.subspan(step->consumed);
    if (step->produced == 0) {
      break;
    }
  }
  EXPECT_EQ(total, 10'000'000U);
  EXPECT_TRUE(reader.is_gzip());
  for (const GzipError error :
       {GzipError::corrupt, GzipError::truncated, GzipError::trailing_garbage, GzipError::no_memory}) {
    EXPECT_FALSE(sentence_of(error).empty());
  }
}

}  // namespace
}  // namespace ringcast
