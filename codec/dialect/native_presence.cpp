#include "codec/dialect/native_presence.hpp"

#include "codec/dialect/json_layout.hpp"

namespace ringcast {
namespace {

template <class Sink>
void put_string(Sink& sink, std::string_view name_with_colon, std::string_view string) {
  sink.text(name_with_colon);
  sink.text(R"(")");
  sink.escaped(string);
  sink.text(R"(")");
}

template <class Sink>
void put_number(Sink& sink, std::string_view name_with_colon, std::uint64_t number) {
  sink.text(name_with_colon);
  sink.decimal(number);
}

template <class Sink>
void begin(Sink& sink, std::string_view id) {
  sink.text(R"({"type":"presence")");
  if (!id.empty()) {
    sink.text(R"(,"id":)");
    sink.text(id);
  }
}

/// The list, and where the next page begins.
template <class Sink>
void end_with_page(Sink& sink, std::string_view name_with_colon, std::span<const std::string> page, bool more) {
  sink.text(name_with_colon);
  sink.text("[");
  bool first = true;
  for (const std::string& name : page) {
    put_string(sink, first ? "" : ",", name);
    first = false;
  }
  sink.text("]");
  if (more && !page.empty()) put_string(sink, R"(,"next":)", page.back());
  sink.text("}");
}

}  // namespace

void append_native_presence(std::string& out, const NativeChannelPresence& presence) {
  append_layout(out, [&](auto& sink) {
    begin(sink, presence.id);
    put_string(sink, R"(,"channel":)", presence.channel);
    put_number(sink, R"(,"count":)", presence.users);
    put_number(sink, R"(,"anonymous":)", presence.anonymous);
    if (presence.unlisted != 0) put_number(sink, R"(,"unlisted":)", presence.unlisted);
    end_with_page(sink, R"(,"users":)", presence.page, presence.more);
  });
}

void append_native_presence(std::string& out, const NativeUserPresence& presence) {
  append_layout(out, [&](auto& sink) {
    begin(sink, presence.id);
    put_string(sink, R"(,"user":)", presence.user);
    put_number(sink, R"(,"connections":)", presence.connections);
    end_with_page(sink, R"(,"channels":)", presence.channels, presence.more);
  });
}

void append_native_presence(std::string& out, const NativeNodePresence& presence) {
  append_layout(out, [&](auto& sink) {
    begin(sink, presence.id);
    put_string(sink, R"(,"user":)", "*");
    put_number(sink, R"(,"count":)", presence.users);
    put_number(sink, R"(,"connections":)", presence.connections);
    end_with_page(sink, R"(,"users":)", presence.page, presence.more);
  });
}

void append_native_user_notice(std::string& out, std::string_view channel, std::string_view user, bool joined) {
  append_layout(out, [&](auto& sink) {
    put_string(sink, joined ? R"({"type":"user_joined","channel":)" : R"({"type":"user_left","channel":)", channel);
    put_string(sink, R"(,"user":)", user);
    sink.text("}");
  });
}

void append_native_presence_missed(std::string& out, std::string_view channel) {
  append_layout(out, [&](auto& sink) {
    put_string(sink, R"({"type":"presence_missed","channel":)", channel);
    sink.text("}");
  });
}

}  // namespace ringcast
