// permessage-deflate: never more than a message may have, the same text as zlib's, and what we pack we can unpack.
#include <zlib.h>

#include "codec/deflate/gzip_reader.hpp"
#include "codec/deflate/message_deflater.hpp"
#include "codec/deflate/message_inflater.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace ringcast {
namespace {

constexpr std::uint32_t kBytesMax = 64U << 10;

/// What zlib makes of it, if it is one ordinary stream without a final block.
bool zlib_agrees(Bytes packed, Bytes message) {
  z_stream stream{};
  if (inflateInit2(&stream, -15) != Z_OK) return true;
  std::vector<std::uint8_t> out(kBytesMax + 1);
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  static constexpr std::uint8_t kTail[]{0x00, 0x00, 0xff, 0xff};
  int status = Z_OK;
  for (const Bytes piece : {packed, Bytes{kTail}}) {
    stream.next_in = const_cast<Bytef*>(piece.data());
    stream.avail_in = static_cast<uInt>(piece.size());
    if (!piece.empty() && status == Z_OK) status = ::inflate(&stream, Z_SYNC_FLUSH);
  }
  out.resize(out.size() - stream.avail_out);
  (void)inflateEnd(&stream);
  return status != Z_OK || as_text(out) == as_text(message);
}

}  // namespace
}  // namespace ringcast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringcast;
  static MessageInflater inflater{
      kBytesMax};  // as a shard has it: what one message leaves behind is nothing to the next
  static MessageDeflater deflater;
  const auto bytes = fuzz::copy_of({data, size});
  if (const auto message = inflater.inflate(bytes)) {
    fuzz::holds(message->size() <= kBytesMax, "a message has its bound");
    fuzz::holds(zlib_agrees(bytes, *message), "zlib reads the same");
  }
  fuzz::holds(inflater.bytes_held() <= kBytesMax + std::max<std::size_t>(size + 9, 64U << 10) + kInflaterBytes,
              "memory has its bound");
  inflater.trim();

  std::vector<std::uint8_t> packed(size + 64);
  const std::size_t packed_bytes = deflater.deflate(bytes, packed);
  if (packed_bytes != 0 && size <= kBytesMax) {
    const auto again = inflater.inflate(Bytes{packed}.first(packed_bytes));
    fuzz::holds(again && as_text(*again) == as_text(bytes), "what is packed is unpacked");
  }

  GzipReader reader;
  std::vector<std::uint8_t> out(512);
  Bytes input = bytes;
  for (int i = 0; i < 1'000; ++i) {
    const auto step = reader.read(input, out);
    if (!step || (step->consumed == 0 && step->produced == 0)) break;
    input = input.subspan(step->consumed);
  }
  return 0;
}
