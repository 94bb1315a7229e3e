// Both JSON dialects: a text is a command or an error in words; what is taken from it is valid, and what is made of it
// can be read again.
#include "codec/dialect/detect.hpp"
#include "codec/dialect/encode.hpp"
#include "codec/dialect/exchange.hpp"
#include "codec/dialect/native.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/json.hpp"
#include "codec/text/utf8.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace ringcast {
namespace {

template <class Decoder>
void decode(std::string_view text) {
  static Decoder decoder;  // as a shard has it: one for all
  const auto command = decoder.decode(text);
  if (!command) {
    fuzz::holds(!command.error().sentence.empty(), "an error says what is wrong");
    return;
  }
  for (const SubscribeItem& item : command->items) {
    fuzz::holds(!item.channel.empty() && item.channel.size() <= kChannelNameBytesMax, "a channel has a name");
  }
  if (command->kind != CommandKind::publish) return;
  fuzz::holds(is_valid_json(command->data), "what is published is JSON");
  fuzz::holds(is_valid_utf8(as_bytes(command->event)) && is_valid_utf8(as_bytes(command->message_id)), "and UTF-8");
  const MessageView message{.channel = command->channel,
                            .epoch = Epoch{1},
                            .seq = Sequence{1},
                            .published_at = WallTime{},
                            .event = command->event,
                            .message_id = command->message_id,
                            .data = unwrap_combined(command->channel, command->data),
                            .snapshot = command->snapshot};
  for (const Form form : {Form::native_json, Form::exchange_raw, Form::exchange_combined}) {
    std::vector<std::uint8_t> out(message_payload_size(form, message));
    fuzz::holds(write_message_payload(form, message, out.data()) == out.data() + out.size(), "a size is kept");
    fuzz::holds(is_valid_json(as_text(out)), "what a subscriber gets is JSON");
  }
}

}  // namespace
}  // namespace ringcast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringcast;
  const auto bytes = fuzz::copy_of({data, size});
  const std::string_view text = as_text(bytes);
  if (!is_valid_utf8(bytes)) return 0;  // the framer's part
  (void)detect_dialect(text);
  decode<NativeDecoder>(text);
  decode<ExchangeDecoder>(text);
  static ExchangeDecoder streams;
  (void)streams.decode_streams(text);
  return 0;
}
