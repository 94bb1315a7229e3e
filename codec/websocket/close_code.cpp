#include "codec/websocket/close_code.hpp"

#include <algorithm>

#include "alloc/base/ensure.hpp"
#include "codec/text/utf8.hpp"
#include "codec/websocket/frame_error.hpp"

namespace ringcast {

Result<ClosePayload, FrameError> parse_close_payload(Bytes payload) {
  if (payload.empty()) return ClosePayload{};
  if (payload.size() < 2) return unexpected(FrameError::close_payload_too_short);
  const auto code = load_big_endian<std::uint16_t>(payload.data());
  if (!is_sendable_close_code(code)) return unexpected(FrameError::close_code_invalid);
  const Bytes reason = payload.subspan(2);
  if (!is_valid_utf8(reason)) return unexpected(FrameError::close_reason_invalid_utf8);
  return ClosePayload{CloseCode{code}, as_text(reason)};
}

std::size_t write_close_payload(MutableBytes out, CloseCode code, std::string_view reason) {
  if (code == CloseCode::no_status || code == CloseCode::abnormal) return 0;
  ensure(is_sendable_close_code(value(code)), "only codes that may stand in a close frame are sent");
  const std::string_view cut = utf8_prefix(reason, kCloseReasonBytesMax);
  ensure(out.size() >= 2 + cut.size(), "the close payload fits its buffer");
  store_big_endian(out.data(), value(code));
  std::copy(cut.begin(), cut.end(), out.data() + 2);
  return 2 + cut.size();
}

}  // namespace ringcast
