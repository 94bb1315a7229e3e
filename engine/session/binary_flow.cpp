// Records of the binary dialect: what a client publishes with, and how it is answered.
#include <utility>

#include "codec/text/json.hpp"
#include "engine/session/sessions.hpp"

namespace ringcast {
namespace {

constexpr Refusal kNotJson{.code = ErrorCode::invalid_message,
                           .sentence = "the payload of this channel must be one JSON value"};

std::string_view without_white_space(std::string_view text) {
  constexpr std::string_view kWhite = " \t\r\n";  // RFC 8259 section 2
  const std::size_t first = text.find_first_not_of(kWhite);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhite) - first + 1);
}

}  // namespace

/// One binary message: its records in their order.
void Sessions::on_records(Connection& connection, Bytes records, Now now) {
  const std::size_t used = take_records(connection, records, now);
  if (used != records.size()) park_records(connection, std::string{as_text(records.subspan(used))}, 0);
}

/// The rest of one that could not go on; if it cannot yet, it stays in the same memory.
void Sessions::resume_records(Connection& connection, std::string parked, std::size_t begin, Now now) {
  const std::size_t used = take_records(connection, as_bytes(parked).subspan(begin), now);
  if (begin + used != parked.size()) park_records(connection, std::move(parked), begin + used);
}

/// returns  how many bytes are done with: less than all only if the connection is held back.
std::size_t Sessions::take_records(Connection& connection, Bytes records, Now now) {
  using Phase = Connection::Phase;
  ensure(records_.empty(), "answers go out before the next message is read");
  std::size_t used = 0;
  do {
    const auto decoded = binary_.decode(records.subspan(used));
    if (!decoded) {  // where the next record begins is not known
      const CommandError& error = decoded.error();
      send_error(connection, error.id, error.code, error.sentence, error.channel, now);
      return records.size();
    }
    stats_->add(CounterId::records_received);
    dispatch(connection, decoded->command, {}, now);
    retrying_ = false;  // only the first of those that were parked has been counted
    if ((connection.stall & kStallRoom) != 0) break;  // this one, and all behind it
    used += decoded->bytes;
    if (records_.size() >= kReplyBytesMax / 2) send_records(connection, now);
  } while (used != records.size() && connection.stall == 0 && connection.phase == Phase::open);
  send_records(connection, now);
  return connection.phase == Phase::open ? used : records.size();
}

void Sessions::park_records(Connection& connection, std::string bytes, std::size_t begin) {
  if (connection.inbox == nullptr) connection.inbox = std::make_unique<Inbox>();
  Inbox& inbox = *connection.inbox;
  inbox.parked = std::move(bytes);
  inbox.parked_begin = begin;
  inbox.parked_records = true;
  inbox.has_parked = true;
  budget_->charge(Purpose::inboxes, inbox.parked.size());
}

void Sessions::append_record_error(const BinaryRequest& request, ErrorCode code, std::string_view sentence,
                                   std::string_view channel) {
  append_binary_error(
      records_,
      {.request = request.number,
       .code = code,
       .message = sentence,
       .channel = channel,
       .retry_after = code == ErrorCode::overloaded ? std::optional<milliseconds>{milliseconds{1'000}} : std::nullopt});
}

void Sessions::send_records(Connection& connection, Now now) {
  if (records_.empty()) return;
  send_frame(connection, {.opcode = Opcode::binary}, as_bytes(records_), now);
  records_.clear();
}

/// A record's payload: bytes where the namespace says so; elsewhere it must be what every dialect can be given.
std::optional<Refusal> Sessions::check_payload(const Command& command, std::string_view& data, bool& opaque) const {
  opaque = channels_->payload_of(command.channel) == PayloadKind::binary;
  if (opaque) return std::nullopt;
  data = without_white_space(command.data);
  if (!validate_json(data, kPayloadDepthMax)) return kNotJson;
  return std::nullopt;
}

}  // namespace ringcast
