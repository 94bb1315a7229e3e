#include "codec/dialect/binary.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/utf8.hpp"

namespace ringcast {
namespace {

constexpr char kAnswerWanted = 1;  // the first byte of an id; JSON text begins with none of the two
constexpr char kAnswerNotWanted = 2;

constexpr std::uint16_t kPublishFlags = RCB_SNAPSHOT | RCB_ANSWER | RCB_HIGH;
constexpr std::uint8_t kAsOfBytes = 8;

std::string_view text_of(const char* text, std::size_t bytes) { return {text, bytes}; }

/// Why rcb_next() did not take it.
std::string_view malformed(const rcb_record& record, std::size_t bytes) {
  if (bytes < RCB_HEADER_BYTES) return "a record begins with a header of 32 bytes";
  if (record.header.version != RCB_VERSION) return "the record is of a version that is not spoken here";
  if (record.header.payload_bytes > bytes - RCB_HEADER_BYTES) return "the message ends within a record";
  return "the parts of the record are larger than its payload";
}

/// What is wrong with a publish whose parts are all there; empty: nothing.
std::string_view publish_fault(const rcb_record& record) {
  const rcb_header& header = record.header;
  if ((header.flags & ~kPublishFlags) != 0) return "the record has a flag that means nothing in a publish";
  if (header.channel_id != 0 || header.time_ns != 0) return "channel_id and time_ns of a publish must be 0";
  if (header.extra_bytes != 0 && header.extra_bytes != kAsOfBytes) {
    return "the extra of a publish is its as_of_seq, 8 bytes, or nothing";
  }
  if (header.extra_bytes != 0 && (header.flags & RCB_SNAPSHOT) == 0) {
    return "as_of_seq goes with the flag for a snapshot";
  }
  const ChannelNameFault fault = check_channel_name(text_of(record.channel, header.channel_bytes));
  if (fault != ChannelNameFault::none) return sentence_of(fault);
  if (!is_valid_utf8(text_of(record.event, header.event_bytes))) return "event must be UTF-8";
  if (!is_valid_utf8(text_of(record.message_id, header.message_id_bytes))) return "message_id must be UTF-8";
  return {};
}

}  // namespace

BinaryId binary_id_of(const BinaryRequest& request) {
  BinaryId id;
  id[0] = request.wants_answer ? kAnswerWanted : kAnswerNotWanted;
  store(id.data() + 1, request.number);
  return id;
}

std::optional<BinaryRequest> read_binary_id(std::string_view id) {
  if (id.size() != kBinaryIdBytes || (id[0] != kAnswerWanted && id[0] != kAnswerNotWanted)) return std::nullopt;
  return BinaryRequest{.number = load<std::uint64_t>(id.data() + 1), .wants_answer = id[0] == kAnswerWanted};
}

Result<BinaryDecoder::Decoded, CommandError> BinaryDecoder::decode(Bytes records) {
  rcb_record record;
  const std::uint8_t* at = records.data();
  const bool whole = rcb_next(&at, records.data() + records.size(), &record) == RCB_OK;
  const rcb_header& header = record.header;
  id_ = binary_id_of(
      {.number = header.version == RCB_VERSION ? header.seq : 0, .wants_answer = (header.flags & RCB_ANSWER) != 0});
  CommandError error;
  error.id = {id_.data(), id_.size()};
  if (!whole) {
    error.sentence = malformed(record, records.size());
    const bool other_version = records.size() >= RCB_HEADER_BYTES && header.version != RCB_VERSION;
    if (other_version) error.code = ErrorCode::not_supported;
    return unexpected(error);
  }
  if (header.kind != RCB_PUBLISH) {
    error.sentence = "a client sends records of kind publish";
    return unexpected(error);
  }
  error.sentence = publish_fault(record);
  if (!error.sentence.empty()) {
    const std::string_view channel = text_of(record.channel, header.channel_bytes);
    if (is_valid_channel_name(channel)) error.channel = channel;
    return unexpected(error);
  }

  Decoded decoded{.command = {}, .bytes = static_cast<std::size_t>(at - records.data())};
  Command& command = decoded.command;
  command.kind = CommandKind::publish;
  command.id = error.id;
  command.channel = text_of(record.channel, header.channel_bytes);
  command.event = text_of(record.event, header.event_bytes);
  command.message_id = text_of(record.message_id, header.message_id_bytes);
  command.data = as_text(Bytes{record.data, record.data_bytes});
  command.unchecked = true;
  command.high_priority = (header.flags & RCB_HIGH) != 0;
  command.snapshot = (header.flags & RCB_SNAPSHOT) != 0;
  command.has_as_of = header.extra_bytes != 0;
  if (command.has_as_of) command.as_of = Sequence{load<std::uint64_t>(record.extra)};
  return decoded;
}

}  // namespace ringcast
