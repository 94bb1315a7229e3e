#include "codec/dialect/encode.hpp"

#include "alloc/base/ensure.hpp"
#include "codec/dialect/binary.hpp"
#include "codec/dialect/exchange.hpp"
#include "codec/dialect/native.hpp"
#include "codec/text/json_write.hpp"

namespace ringcast {

std::size_t message_payload_size(Form form, const MessageView& message) {
  switch (plain_of(form)) {
    case Form::native_json: return native_message_size(message);
    case Form::exchange_raw: return message.data.size();
    case Form::exchange_combined: return combined_message_size(message);
    case Form::binary: return binary_message_size(message);
    case Form::plain_end:
    case Form::end: break;
  }
  ensure(false, "a message is encoded in a form that exists");
  return 0;
}

std::uint8_t* write_message_payload(Form form, const MessageView& message, std::uint8_t* out) {
  switch (plain_of(form)) {
    case Form::native_json: return write_native_message(message, out);
    case Form::exchange_raw: return write_text(message.data, out);
    case Form::exchange_combined: return write_combined_message(message, out);
    case Form::binary: return write_binary_message(message, out);
    case Form::plain_end:
    case Form::end: break;
  }
  ensure(false, "a message is encoded in a form that exists");
  return out;
}

std::size_t gap_payload_size(Form form, const GapView& gap) {
  return plain_of(form) == Form::binary ? binary_gap_size(gap) : native_gap_size(gap);
}

std::uint8_t* write_gap_payload(Form form, const GapView& gap, std::uint8_t* out) {
  return plain_of(form) == Form::binary ? write_binary_gap(gap, out) : write_native_gap(gap, out);
}

}  // namespace ringcast
