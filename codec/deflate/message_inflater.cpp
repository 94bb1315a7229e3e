#include "codec/deflate/message_inflater.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

// What is put behind a message: the four bytes that its sender left off (RFC 7692 section 7.2.2) and an empty final
// block, because libdeflate unpacks whole streams.
constexpr std::array<std::uint8_t, 9> kTail{0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff};
constexpr std::size_t kBytesMin = 4U << 10;
constexpr std::size_t kBytesKept = 64U << 10;  // trim() gives back what is larger
constexpr std::size_t kExpansion = 4;          // a first guess for JSON; what is more costs a second try

}  // namespace

void MessageInflater::Free::operator()(libdeflate_decompressor* decompressor) const {
  libdeflate_free_decompressor(decompressor);
}

/// Unpacks what lies in in_, tail included, into out_.
MessageInflater::Step MessageInflater::inflate_into(std::size_t packed_bytes, std::size_t& produced) {
  const std::size_t whole = packed_bytes + kTail.size();
  produced = 0;
  for (std::size_t at = 0; at < packed_bytes || packed_bytes == 0;) {
    std::size_t taken = 0, made = 0;
    const auto result =
        libdeflate_deflate_decompress_ex(decompressor_.get(), in_.bytes.get() + at, whole - at,
                                         out_.bytes.get() + produced, out_.capacity - produced, &taken, &made);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE) return Step::no_room;
    if (result != LIBDEFLATE_SUCCESS) return Step::corrupt;
    at += taken;
    produced += made;
    if (at == whole) return Step::done;
    // A final block of the message itself (section 7.2.3.4): what follows is a stream of its own. One that ends within
    // our tail took a part of it for its own: it was cut off.
    if (at > packed_bytes || packed_bytes == 0) return Step::corrupt;
  }
  return Step::done;
}

Result<MutableBytes, InflateError> MessageInflater::inflate(Bytes packed) {
  if (decompressor_ == nullptr) {
    decompressor_.reset(libdeflate_alloc_decompressor());
    ensure(decompressor_ != nullptr, "there is memory for one decompressor");
  }
  const auto grow = [](Buffer& buffer, std::size_t bytes) {
    if (buffer.capacity >= bytes) return;
    buffer.bytes = std::make_unique_for_overwrite<std::uint8_t[]>(bytes);
    buffer.capacity = bytes;
  };
  grow(in_, std::max(packed.size() + kTail.size(), kBytesMin));
  if (!packed.empty()) std::memcpy(in_.bytes.get(), packed.data(), packed.size());
  std::memcpy(in_.bytes.get() + packed.size(), kTail.data(), kTail.size());

  const std::size_t most = std::max<std::size_t>(bytes_max_, 1);
  grow(out_, std::min(std::max(kExpansion * packed.size(), kBytesMin), most));
  for (;;) {
    std::size_t produced = 0;
    const Step step = inflate_into(packed.size(), produced);
    if (step == Step::done && produced <= bytes_max_) return MutableBytes{out_.bytes.get(), produced};
    if (step == Step::corrupt) return unexpected(InflateError::corrupt);
    if (out_.capacity >= most) return unexpected(InflateError::too_large);
    grow(out_, std::min(2 * out_.capacity, most));
  }
}

void MessageInflater::trim() {
  for (Buffer* buffer : {&in_, &out_}) {
    if (buffer->capacity > kBytesKept) *buffer = {};
  }
}

}  // namespace ringcast
