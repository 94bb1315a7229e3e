#include "codec/dialect/json_layout.hpp"
#include "codec/dialect/native.hpp"

namespace ringcast {
namespace {

auto message_layout(const MessageView& message) {
  return [&message](auto& sink) {
    sink.text(R"({"type":"message","channel":")");
    sink.escaped(message.channel);
    sink.text(R"(","seq":)");
    sink.decimal(value(message.seq));
    if (!message.event.empty()) {
      sink.text(R"(,"event":")");
      sink.escaped(message.event);
      sink.text(R"(")");
    }
    sink.text(R"(,"timestamp":")");
    sink.timestamp(message.published_at);
    sink.text(R"(")");
    if (!message.message_id.empty()) {
      sink.text(R"(,"message_id":")");
      sink.escaped(message.message_id);
      sink.text(R"(")");
    }
    if (message.snapshot) {
      sink.text(R"(,"state":"snapshot")");
      if (value(message.as_of) != 0) {
        sink.text(R"(,"as_of_seq":)");
        sink.decimal(value(message.as_of));
      }
    }
    if (message.stored) {
      sink.text(R"(,"stored":true)");
    }
    sink.text(R"(,"data":)");
    sink.text(message.data);
    sink.text("}");
  };
}

auto gap_layout(const GapView& gap) {
  return [&gap](auto& sink) {
    sink.text(R"({"type":"gap","channel":")");
    sink.escaped(gap.channel);
    sink.text(R"(","from":)");
    sink.decimal(value(gap.from));
    sink.text(R"(,"to":)");
    sink.decimal(value(gap.to));
    sink.text(R"(,"reason":")");
    sink.text(name_of(gap.reason));
    sink.text(R"(")");
    if (gap.reason == GapReason::epoch) {
      sink.text(R"(,"epoch":")");
      sink.epoch(gap.epoch);
      sink.text(R"(")");
    }
    sink.text("}");
  };
}

}  // namespace

std::size_t native_message_size(const MessageView& message) { return layout_size(message_layout(message)); }
std::uint8_t* write_native_message(const MessageView& message, std::uint8_t* out) {
  return write_layout(message_layout(message), out);
}

std::size_t native_gap_size(const GapView& gap) { return layout_size(gap_layout(gap)); }
std::uint8_t* write_native_gap(const GapView& gap, std::uint8_t* out) { return write_layout(gap_layout(gap), out); }

}  // namespace ringcast
