#include "codec/dialect/exchange.hpp"

#include <utility>

#include "codec/dialect/json_layout.hpp"

namespace ringcast {
namespace {

auto combined_layout(const MessageView& message) {
  return [&message](auto& sink) {
    sink.text(R"({"stream":")");
    sink.escaped(message.channel);
    sink.text(R"(","data":)");
    sink.text(message.data);
    sink.text("}");
  };
}

void append_error(std::string& out, std::string_view id, ExchangeCode code, std::string_view sentence) {
  append_layout(out, [&](auto& sink) {
    sink.text(R"({"error":{"code":)");
    sink.decimal(std::to_underlying(code));
    sink.text(R"(,"msg":")");
    sink.escaped(sentence);
    sink.text(R"("},"id":)");
    sink.text(id.empty() ? "null" : id);
    sink.text("}");
  });
}

void append_result(std::string& out, std::string_view id, std::string_view result) {
  append_layout(out, [&](auto& sink) {
    sink.text(R"({"result":)");
    sink.text(result);
    sink.text(R"(,"id":)");
    sink.text(id.empty() ? "null" : id);
    sink.text("}");
  });
}

}  // namespace

void append_exchange_done(std::string& out, std::string_view id) { append_result(out, id, "null"); }
void append_exchange_property(std::string& out, std::string_view id, bool value) {
  append_result(out, id, value ? "true" : "false");
}

ExchangeList::ExchangeList(std::string& out, std::string_view id) : out_{out}, id_{id} { out_ += R"({"result":[)"; }
void ExchangeList::add(std::string_view channel) {
  out_ += first_ ? "" : ",";
  append_json_string(out_, channel);
  first_ = false;
}
void ExchangeList::finish() {
  out_ += R"(],"id":)";
  out_ += id_.empty() ? "null" : id_;
  out_ += "}";
}

void append_exchange_error(std::string& out, const ExchangeError& error) {
  append_error(out, error.id, error.code, error.sentence);
}
void append_exchange_refusal(std::string& out, std::string_view id, ErrorCode code, std::string_view sentence) {
  std::string words{name_of(code)};
  words += ": ";
  words += sentence;
  append_error(out, id, ExchangeCode::invalid_request, words);
}

std::size_t combined_message_size(const MessageView& message) { return layout_size(combined_layout(message)); }
std::uint8_t* write_combined_message(const MessageView& message, std::uint8_t* out) {
  return write_layout(combined_layout(message), out);
}

std::string_view unwrap_combined(std::string_view channel, std::string_view payload) {
  std::string_view data;
  bool named = false;
  for (ObjectWalk walk{payload}; const std::optional<JsonMember> member = walk.next();) {
    if (!named && escaped_equals(member->name, "stream")) {
      if (member->value.kind != JsonKind::string || !escaped_equals(member->value.inside_quotes(), channel)) {
        return payload;
      }
      named = true;
    } else if (data.empty() && escaped_equals(member->name, "data")) {
      data = member->value.text;
    } else {
      return payload;  // a third member, or one of the two twice
    }
  }
  return named && !data.empty() ? data : payload;
}

}  // namespace ringcast
