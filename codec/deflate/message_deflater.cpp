#include "codec/deflate/message_deflater.hpp"

#include <libdeflate.h>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

// As fast as zlib's first level and smaller than its sixth (bench/micro/deflate_bench; docs/benchmarks.md).
constexpr int kLevel = 6;

}  // namespace

void MessageDeflater::Free::operator()(libdeflate_compressor* compressor) const {
  libdeflate_free_compressor(compressor);
}

std::size_t MessageDeflater::deflate(Bytes message, MutableBytes out) {
  if (out.empty()) return 0;
  if (compressor_ == nullptr) {
    compressor_.reset(libdeflate_alloc_compressor(kLevel));
    ensure(compressor_ != nullptr, "there is memory for one compressor");
  }
  const std::size_t size =
      libdeflate_deflate_compress(compressor_.get(), message.data(), message.size(), out.data(), out.size() - 1);
  if (size == 0) return 0;
  // The stream ends with a final block, so the empty block whose last four bytes are left off begins with a byte of its
  // own (RFC 7692 section 7.2.3.4).
  out[size] = 0;
  return size + 1;
}

}  // namespace ringcast
