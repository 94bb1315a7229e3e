// Records of the binary dialect, as their client understands them: the same promises, in another form.
#include <array>

#include "codec/dialect/command.hpp"
#include "codec/dialect/ringcast_binary.h"
#include "tests/simulation/checkers.hpp"
#include "tests/simulation/conversation.hpp"

namespace ringcast::simulation {

void Conversation::on_records(Bytes message, Instant now) {
  require(welcomed_, Checker::stream, "records before welcome");
  require(!message.empty(), Checker::stream, "a binary message without a record");
  const std::uint8_t* at = message.data();
  const std::uint8_t* end = at + message.size();
  rcb_record record;
  while (at != end) {
    require(rcb_next(&at, end, &record) == RCB_OK, Checker::stream, "a record that is malformed");
    const rcb_header& header = record.header;
    const std::string_view channel{record.channel, header.channel_bytes};
    const std::string_view data = as_text(Bytes{record.data, record.data_bytes});
    const auto subscribed_as = [&] {
      for (std::uint32_t i = 0; i < subscriptions_.size(); ++i) {
        if (subscriptions_[i].position_known && subscriptions_[i].channel_id == header.channel_id) return i;
      }
      fail(Checker::replies, fmt::format("c{}: a record of kind {} of channel_id {}, which it has not subscribed to",
                                         connection_, header.kind, header.channel_id));
    };
    switch (header.kind) {
      case RCB_MESSAGE: {
        require(header.time_ns != 0 && channel.empty(), Checker::stream, "a message record with parts not its own");
        Heard heard{.channel = subscribed_as(),
                    .seq = Sequence{header.seq},
                    .data = data,
                    .event = {record.event, header.event_bytes},
                    .message_id = {record.message_id, header.message_id_bytes},
                    .snapshot = (header.flags & RCB_SNAPSHOT) != 0};
        if (const std::uint64_t as_of = rcb_get_as_of(&record); as_of != 0) heard.as_of = as_of;
        take_message(heard, now);
        coverage_.add(Seen::messages_binary);
        break;
      }
      case RCB_GAP: {
        static constexpr std::array<std::string_view, 5> kReasons{"?", "conflated", "dropped", "expired", "epoch"};
        rcb_gap gap;
        require(rcb_get_gap(&record, &gap) == 1 && gap.reason < kReasons.size(), Checker::stream,
                "a broken gap record");
        const std::uint32_t of = gap.reason == RCB_EPOCH ? channel_named(channel) : subscribed_as();
        take_gap(of, Sequence{header.seq}, Sequence{gap.to}, kReasons[gap.reason], Epoch{gap.epoch});
        if (gap.reason == RCB_EPOCH) {
          subscriptions_[of].channel_id = header.channel_id;
          truth_.numbered(of, Epoch{gap.epoch}, header.channel_id);
        }
        break;
      }
      case RCB_PUBLISHED: {
        rcb_published published;
        require(rcb_get_published(&record, &published) == 1, Checker::stream, "a broken answer to a publish");
        const std::uint32_t of = truth_.of(request(published.request, Request::Kind::publish).publish).channel;
        truth_.numbered(of, Epoch{published.epoch}, header.channel_id);
        take_published(published.request, of, Position{Epoch{published.epoch}, Sequence{header.seq}},
                       (header.flags & RCB_DUPLICATE) != 0, now);
        break;
      }
      case RCB_ERROR: {
        rcb_error error;
        require(rcb_get_error(&record, &error) == 1 && error.code != 0, Checker::stream, "a broken error record");
        const auto id = error.request == 0 ? std::nullopt : std::optional{error.request};
        take_error(id, name_of(static_cast<ErrorCode>(error.code - 1)), channel, data);
        break;
      }
      default: fail(Checker::stream, fmt::format("c{}: a record of kind {}", connection_, header.kind));
    }
  }
}

}  // namespace ringcast::simulation
