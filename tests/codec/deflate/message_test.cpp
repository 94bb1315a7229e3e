// One message at a time, packed and unpacked (RFC 7692 section 7.2).
#include <gtest/gtest.h>

#include <zlib.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "codec/deflate/message_deflater.hpp"
#include "codec/deflate/message_inflater.hpp"
#include "tests/codec/guarded_bytes.hpp"

namespace ringcast {
namespace {

using namespace std::string_literals;
constexpr std::uint32_t kBytesMax = 70'000;

std::string unpacked(MessageInflater& inflater, std::string_view packed) {
  const auto message = inflater.inflate(as_bytes(packed));
  if (message) return std::string{as_text(*message)};
  return message.error() == InflateError::too_large ? "too large" : "corrupt";
}

/// As most clients do it: zlib, the flush of section 7.2.1, the last four bytes left off.
std::string packed_by_zlib(std::string_view text, int window_bits = 15, int flush = Z_SYNC_FLUSH) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, -window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, flush), flush == Z_FINISH ? Z_STREAM_END : Z_OK);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (flush == Z_FINISH) return out + '\0';
  EXPECT_TRUE(out.ends_with("\x00\x00\xff\xff"s));
  return out.substr(0, out.size() - 4);
}

std::string text_of(std::size_t bytes, unsigned seed = 7) {
  std::mt19937 random{seed};
  std::string text;
  while (text.size() < bytes) text += R"({"price":")" + std::to_string(random() % 100'000) + R"("},)";
  text.resize(bytes);
  return text;
}
std::string noise(std::size_t bytes) {
  std::mt19937 random{11};
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

struct InflateRow {
  std::string_view sentence;
  std::string packed;
  std::string message;
};
const InflateRow kInflateRows[] = {
    {"7.2.3.1 a compressed block", "\xf2\x48\xcd\xc9\xc9\x07\x00"s, "Hello"},
    {"7.2.3.3 a block without compression", "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s, "Hello"},
    {"7.2.3.4 a final block, and the empty one behind it", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s, "Hello"},
    {"7.2.3.4 a final block without the empty one", "\xf3\x48\xcd\xc9\xc9\x07\x00"s, "Hello"},
    {"7.2.3.5 two blocks", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s, "Hello"},
    {"7.2.3.6 an empty message", "\x00"s, ""},
    {"an empty message in a final block", "\x03\x00\x00"s, ""},
    {"two final blocks, each a stream of its own", "\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s,
     "HelloHello"},
    {"a dynamic block", packed_by_zlib(text_of(5'000)), text_of(5'000)},
    {"a dynamic final block", packed_by_zlib(text_of(5'000), 15, Z_FINISH), text_of(5'000)},
    {"a window of 512 bytes", packed_by_zlib(text_of(5'000), 9), text_of(5'000)},
    {"7.2.2 nothing at all is not even an empty block", "", "corrupt"},
    {"a block of the type that does not exist", "\x06"s, "corrupt"},
    {"a distance before the beginning", "\x02\x04\x00"s, "corrupt"},
    {"a length that does not match its complement", "\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00"s, "corrupt"},
    {"a message that lacks its end", "\xf2\x48\xcd\xc9"s, "corrupt"},
    {"a block without compression that lacks bytes", "\x00\x05\x00\xfa\xff\x48\x65"s, "corrupt"},
    {"garbage behind a final block", "\xf3\x48\xcd\xc9\xc9\x07\x00\x07"s, "corrupt"},
    {"gzip", "\x1f\x8b\x08\x00"s, "corrupt"},
    {"plain text that claims to be compressed", "{\"type\":\"ping\"}", "corrupt"},
    {"as much as may be", packed_by_zlib(text_of(kBytesMax)), text_of(kBytesMax)},
    {"one byte more", packed_by_zlib(text_of(kBytesMax + 1)), "too large"},
    {"a bomb: 20 MB of one letter in 20 KB", packed_by_zlib(std::string(20'000'000, 'a')), "too large"},
    {"a bomb in a final block", packed_by_zlib(std::string(20'000'000, 'a'), 15, Z_FINISH), "too large"},
    {"a bomb that is corrupt at its end", packed_by_zlib(std::string(20'000'000, 'a')) + "\x06", "too large"},
};

TEST(MessageInflater, EachRowIsUnpackedOrRefused) {
  MessageInflater shared{kBytesMax};  // what a message leaves behind is nothing to the next one
  GuardedBytes pages{100'000};
  for (const InflateRow& row : kInflateRows) {
    EXPECT_EQ(unpacked(shared, row.packed), row.message) << row.sentence;
    MessageInflater fresh{kBytesMax};
    EXPECT_EQ(unpacked(fresh, as_text(pages.place(as_bytes(row.packed)))), row.message) << row.sentence;
    EXPECT_LE(fresh.bytes_held(), kBytesMax + std::max<std::size_t>(row.packed.size() + 9, 4'096) + kInflaterBytes)
        << row.sentence;
  }
}

TEST(MessageInflater, AMessageThatIsCutAnywhereIsCorrupt) {
  MessageInflater inflater{kBytesMax};
  for (const std::string& whole : {"\xf2\x48\xcd\xc9\xc9\x07\x00"s, packed_by_zlib(text_of(300))}) {
    ASSERT_NE(unpacked(inflater, whole), "corrupt");
    for (std::size_t bytes = 0; bytes + 1 < whole.size(); ++bytes) {  // the last byte may be no more than padding
      EXPECT_EQ(unpacked(inflater, whole.substr(0, bytes)), "corrupt") << bytes;
    }
  }
}

TEST(MessageInflater, ALargeBufferIsGivenBackAndASmallOneKept) {
  MessageInflater inflater{1U << 20};
  EXPECT_EQ(inflater.bytes_held(), 0U);
  EXPECT_EQ(unpacked(inflater, packed_by_zlib(text_of(2'000))), text_of(2'000));
  inflater.trim();
  const std::size_t small = inflater.bytes_held();
  EXPECT_LE(small, kInflaterBytes + 2 * 8'192);
  EXPECT_EQ(unpacked(inflater, packed_by_zlib(text_of(1'000'000))), text_of(1'000'000));
  EXPECT_GE(inflater.bytes_held(), 1'000'000U);
  inflater.trim();
  EXPECT_LE(inflater.bytes_held(), kInflaterBytes + 2 * (64U << 10));
  EXPECT_EQ(unpacked(inflater, packed_by_zlib(text_of(3'000))), text_of(3'000));
}

TEST(MessageDeflater, WhatItPacksIsUnpackedByOursAndByZlib) {
  MessageDeflater deflater;
  EXPECT_EQ(deflater.bytes_held(), 0U);
  MessageInflater inflater{4U << 20};
  GuardedBytes pages{2U << 20};
  for (const std::size_t bytes : {64U, 100U, 1'023U, 1'024U, 1'025U, 4'096U, 32'768U, 65'535U, 65'536U, 1'048'576U}) {
    const std::string message = text_of(bytes, static_cast<unsigned>(bytes));
    std::string packed(bytes, '\0');
    const std::size_t size =
        deflater.deflate(pages.place(as_bytes(message)), {reinterpret_cast<std::uint8_t*>(packed.data()), bytes});
    ASSERT_NE(size, 0U) << bytes;
    ASSERT_LT(size, bytes) << bytes;
    packed.resize(size);
    EXPECT_EQ(unpacked(inflater, packed), message) << bytes;
  }
  EXPECT_GT(deflater.bytes_held(), 0U);
}

TEST(MessageDeflater, WhatDoesNotFitIsNotPacked) {
  MessageDeflater deflater;
  std::vector<std::uint8_t> out(100'000);
  const std::string random = noise(2'000);
  EXPECT_EQ(deflater.deflate(as_bytes(random), MutableBytes{out}.first(random.size() - 1)), 0U);
  EXPECT_EQ(deflater.deflate(as_bytes("abc"), MutableBytes{out}.first(2)), 0U);
  EXPECT_EQ(deflater.deflate(as_bytes("abc"), MutableBytes{out}.first(0)), 0U);
  const std::string message = text_of(5'000);
  const std::size_t size = deflater.deflate(as_bytes(message), out);
  ASSERT_NE(size, 0U);
  GuardedBytes pages{10'000};
  for (std::size_t room = 0; room < size + 64; ++room) {  // libdeflate wants a few bytes more than it writes
    const std::size_t fitted = deflater.deflate(as_bytes(message), pages.place(Bytes{out}.first(room)));
    if (room < size || fitted != 0) {
      EXPECT_EQ(fitted, room < size ? 0 : size) << room;
    }
    if (room == size + 16) {
      EXPECT_EQ(fitted, size);
    }
  }
}

TEST(MessageDeflater, TheSameMessageIsPackedToTheSameBytes) {
  MessageDeflater deflater;
  const std::string message = text_of(3'000);
  std::vector<std::uint8_t> first(3'000), second(3'000), between(3'000);
  const std::size_t size = deflater.deflate(as_bytes(message), first);
  (void)deflater.deflate(as_bytes(text_of(2'900, 99)), between);
  EXPECT_EQ(deflater.deflate(as_bytes(message), second), size);
  EXPECT_EQ(first, second);
}

TEST(MessageDeflater, AMessageNeverNeedsAWindowLargerThanItself) {
  EXPECT_TRUE(fits_window(256, 8));
  EXPECT_FALSE(fits_window(257, 8));
  EXPECT_TRUE(fits_window(32'768, 15));
  EXPECT_FALSE(fits_window(32'769, 15));
}

}  // namespace
}  // namespace ringcast
