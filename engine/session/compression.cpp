#include "engine/session/compression.hpp"

#include "codec/text/utf8.hpp"

namespace ringcast {

Result<Bytes, FrameError> Compression::unpack(const WsEvent& event) {
  const auto message = inflater_.inflate(event.payload);
  if (!message) {
    const bool too_large = message.error() == InflateError::too_large;
    stats_->add(too_large ? CounterId::inflate_refused_too_large : CounterId::inflate_refused_corrupt);
    return unexpected(too_large ? FrameError::message_too_large : FrameError::compressed_corrupt);
  }
  if (event.kind == WsEvent::Kind::text && !is_valid_utf8(*message)) {
    stats_->add(CounterId::inflate_refused_utf8);
    return unexpected(FrameError::invalid_utf8);
  }
  stats_->add(CounterId::messages_inflated);
  return Bytes{*message};
}

Bytes Compression::pack(Bytes message, std::uint8_t window_bits) {
  if (message.empty() || !fits_window(message.size(), window_bits)) return {};
  packed_.resize(message.size());
  const std::size_t bytes = deflater_.deflate(message, MutableBytes{packed_}.first(message.size() - 1));
  return Bytes{packed_}.first(bytes);
}

void Compression::done() {
  inflater_.trim();
  std::vector<std::uint8_t>{}.swap(packed_);
  const std::size_t held = inflater_.bytes_held() + deflater_.bytes_held();
  if (held == charged_) return;
  budget_->charge(Purpose::compression, held);
  budget_->release(Purpose::compression, charged_);
  charged_ = held;
}

}  // namespace ringcast
