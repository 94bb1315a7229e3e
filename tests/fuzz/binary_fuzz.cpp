// Binary records, both ways: a publish that is taken is exactly what its client wrote, and what a subscriber is sent
// can be read with the public header, which itself reads anything.
#include "codec/dialect/binary.hpp"
#include "codec/dialect/ringcast_binary.h"
#include "codec/text/channel_name.hpp"
#include "codec/text/utf8.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace ringcast {
namespace {

std::string_view text_of(const char* text, std::size_t bytes) { return {text, bytes}; }

/// The header's own reader, as a client has it.
void read_as_client(Bytes bytes) {
  const std::uint8_t* at = bytes.data();
  const std::uint8_t* const end = at + bytes.size();
  for (;;) {
    const std::uint8_t* const before = at;
    rcb_record record;
    if (rcb_next(&at, end, &record) != RCB_OK) {
      fuzz::holds(at == before, "what cannot be read is not passed over");
      return;
    }
    fuzz::holds(at >= before + RCB_HEADER_BYTES && at <= end, "a record lies in what came");
    fuzz::holds(record.data + record.data_bytes == at, "its parts are the whole of it");
    rcb_gap gap;
    rcb_published published;
    rcb_error error;
    const int kinds =
        rcb_get_gap(&record, &gap) + rcb_get_published(&record, &published) + rcb_get_error(&record, &error);
    fuzz::holds(kinds <= 1, "a record is of one kind");
    (void)rcb_get_as_of(&record);
  }
}

/// Reads the one record that was made.
rcb_record read_back(Bytes bytes) {
  rcb_record record;
  const std::uint8_t* at = bytes.data();
  fuzz::holds(rcb_next(&at, bytes.data() + bytes.size(), &record) == RCB_OK, "what is sent can be read");
  fuzz::holds(at == bytes.data() + bytes.size(), "and is one record");
  return record;
}

void check_publish(const Command& command, Bytes record) {
  fuzz::holds(command.kind == CommandKind::publish && command.unchecked, "a publish of bytes");
  fuzz::holds(is_valid_channel_name(command.channel), "to a channel");
  fuzz::holds(is_valid_utf8(command.event) && is_valid_utf8(command.message_id), "with texts that are UTF-8");
  const auto request = read_binary_id(command.id);
  fuzz::holds(request.has_value(), "with an id that is a record's");

  rcb_publication said{};
  said.channel = command.channel.data();
  said.channel_bytes = static_cast<std::uint8_t>(command.channel.size());
  said.event = command.event.data();
  said.event_bytes = static_cast<std::uint8_t>(command.event.size());
  said.message_id = command.message_id.data();
  said.message_id_bytes = static_cast<std::uint8_t>(command.message_id.size());
  said.data = command.data.data();
  said.data_bytes = static_cast<std::uint32_t>(command.data.size());
  said.has_as_of = command.has_as_of ? 1 : 0;
  said.as_of_seq = value(command.as_of);
  said.request = request->number;
  said.flags =
      static_cast<std::uint16_t>((command.snapshot ? RCB_SNAPSHOT : 0) | (request->wants_answer ? RCB_ANSWER : 0) |
                                 (command.high_priority ? RCB_HIGH : 0));
  std::vector<std::uint8_t> again(rcb_publish_bytes(&said));
  fuzz::holds(rcb_write_publish(again.data(), &said) == again.data() + again.size(), "a size is kept");
  fuzz::holds(as_text(again) == as_text(record), "what was taken is what was written");
}

void check_message(const Command& command) {
  const MessageView message{.channel = command.channel,
                            .epoch = Epoch{1},
                            .seq = Sequence{9},
                            .published_at = WallTime{seconds{1}},
                            .event = command.event,
                            .message_id = command.message_id,
                            .data = command.data,
                            .snapshot = command.snapshot,
                            .as_of = command.as_of,
                            .channel_id = 7};
  std::vector<std::uint8_t> out(binary_message_size(message));
  fuzz::holds(write_binary_message(message, out.data()) == out.data() + out.size(), "a size is kept");
  const rcb_record read = read_back(out);
  fuzz::holds(read.header.kind == RCB_MESSAGE && read.header.seq == 9 && read.header.channel_id == 7, "a message");
  fuzz::holds(text_of(read.event, read.header.event_bytes) == command.event, "with its event");
  fuzz::holds(text_of(read.message_id, read.header.message_id_bytes) == command.message_id, "its id");
  fuzz::holds(as_text(Bytes{read.data, read.data_bytes}) == command.data, "and its data");
  fuzz::holds(rcb_get_as_of(&read) == (command.snapshot ? value(command.as_of) : 0), "as of what it says");
}

void check_gap(const Command& command) {
  const GapView gap{.channel = command.channel,
                    .from = Sequence{2},
                    .to = Sequence{5},
                    .reason = command.snapshot ? GapReason::epoch : GapReason::dropped,
                    .epoch = Epoch{3},
                    .channel_id = 7};
  std::vector<std::uint8_t> out(binary_gap_size(gap));
  fuzz::holds(write_binary_gap(gap, out.data()) == out.data() + out.size(), "a size is kept");
  const rcb_record read = read_back(out);
  rcb_gap said;
  fuzz::holds(rcb_get_gap(&read, &said) == 1 && read.header.seq == 2 && said.to == 5,
              "a gap from its first to its last");
  const std::string_view named = text_of(read.channel, read.header.channel_bytes);
  fuzz::holds(named == (command.snapshot ? command.channel : std::string_view{}), "with a name where the id is new");
}

void check_refusal(const CommandError& refusal) {
  fuzz::holds(!refusal.sentence.empty(), "an error says what is wrong");
  fuzz::holds(refusal.channel.empty() || is_valid_channel_name(refusal.channel), "a channel that is blamed is one");
  const auto request = read_binary_id(refusal.id);
  fuzz::holds(request.has_value(), "an error names its request");
  std::string out;
  append_binary_error(
      out, {.request = request->number, .code = refusal.code, .message = refusal.sentence, .channel = refusal.channel});
  const rcb_record read = read_back(as_bytes(out));
  rcb_error said;
  fuzz::holds(rcb_get_error(&read, &said) == 1 && said.request == request->number, "a refusal is answered");
  fuzz::holds(is_valid_utf8(as_text(Bytes{read.data, read.data_bytes})), "in words");
}

}  // namespace
}  // namespace ringcast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringcast;
  static BinaryDecoder decoder;  // as a shard has it: one for all
  const auto bytes = fuzz::copy_of({data, size});
  read_as_client(bytes);
  Bytes left{bytes};
  while (!left.empty()) {
    const auto decoded = decoder.decode(left);
    if (!decoded) {
      check_refusal(decoded.error());
      break;
    }
    fuzz::holds(decoded->bytes >= RCB_HEADER_BYTES && decoded->bytes <= left.size(), "a record lies in what is left");
    check_publish(decoded->command, left.first(decoded->bytes));
    check_message(decoded->command);
    check_gap(decoded->command);
    left = left.subspan(decoded->bytes);
  }
  return 0;
}
