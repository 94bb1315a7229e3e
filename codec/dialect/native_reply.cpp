#include "codec/dialect/native_reply.hpp"

#include <algorithm>

#include "codec/dialect/json_layout.hpp"

namespace ringcast {
namespace {

template <class Sink>
void put_id(Sink& sink, std::string_view id) {
  if (!id.empty()) {
    sink.text(R"(,"id":)");
    sink.text(id);
  }
}

template <class Sink>
void put_string(Sink& sink, std::string_view name_with_colon, std::string_view string) {
  sink.text(name_with_colon);
  sink.text(R"(")");
  sink.escaped(string);
  sink.text(R"(")");
}

std::uint64_t not_negative(milliseconds time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
}

void begin_list(std::string& out, std::string_view type, std::string_view id) {
  append_layout(out, [&](auto& sink) {
    put_string(sink, R"({"type":)", type);
    put_id(sink, id);
    sink.text(R"(,"channels":[)");
  });
}

/// What comes of a pattern answers nothing: it has no id.
void begin_notice(std::string& out, std::string_view type_and_member, std::string_view pattern) {
  append_layout(out, [&](auto& sink) {
    put_string(sink, type_and_member, pattern);
    sink.text(R"(,"channels":[)");
  });
}

}  // namespace

void append_native_welcome(std::string& out, const NativeWelcome& welcome) {
  append_layout(out, [&](auto& sink) {
    put_string(sink, R"({"type":"welcome","connection_id":)", welcome.connection_id);
    put_string(sink, R"(,"server":)", welcome.server);
    sink.text(R"(,"heartbeat_ms":)");
    sink.decimal(not_negative(welcome.heartbeat));
    put_string(sink, R"(,"auth":)", welcome.auth);
    sink.text("}");
  });
}

NativeSubscribed::NativeSubscribed(std::string& out, std::string_view id) : out_{out} {
  begin_list(out_, "subscribed", id);
}
void NativeSubscribed::add(const SubscribedChannel& channel) {
  append_layout(out_, [&](auto& sink) {
    put_string(sink, first_ ? R"({"channel":)" : R"(,{"channel":)", channel.channel);
    sink.text(R"(,"epoch":")");
    sink.epoch(channel.epoch);
    sink.text(R"(","seq":)");
    sink.decimal(value(channel.seq));
    if (channel.recovered) {
      sink.text(*channel.recovered ? R"(,"recovered":true)" : R"(,"recovered":false)");
    }
    if (!channel.state.empty()) {
      put_string(sink, R"(,"state":)", channel.state);
    }
    if (value(channel.as_of) != 0) {
      sink.text(R"(,"as_of_seq":)");
      sink.decimal(value(channel.as_of));
    }
    if (channel.channel_id != 0) {
      sink.text(R"(,"channel_id":)");
      sink.decimal(channel.channel_id);
    }
    if (channel.stale) sink.text(R"(,"liveness":"stale")");
    sink.text("}");
  });
  first_ = false;
}
void NativeSubscribed::add_pattern(std::string_view pattern, std::uint64_t matched) {
  append_layout(out_, [&](auto& sink) {
    put_string(sink, first_ ? R"({"channel":)" : R"(,{"channel":)", pattern);
    sink.text(R"(,"pattern":true,"matched":)");
    sink.decimal(matched);
    sink.text("}");
  });
  first_ = false;
}
void NativeSubscribed::finish() { out_ += "]}"; }

NativeBound::NativeBound(std::string& out, std::string_view pattern) : NativeSubscribed{out} {
  begin_notice(out, R"({"type":"subscribed","pattern":)", pattern);
}

NativeLetGo::NativeLetGo(std::string& out, std::string_view pattern) : NativeUnsubscribed{out} {
  begin_notice(out, R"({"type":"unsubscribed","pattern":)", pattern);
}

NativeUnsubscribed::NativeUnsubscribed(std::string& out, std::string_view id) : out_{out} {
  begin_list(out_, "unsubscribed", id);
}
void NativeUnsubscribed::add(std::string_view channel) {
  append_layout(out_, [&](auto& sink) { put_string(sink, first_ ? "" : ",", channel); });
  first_ = false;
}
void NativeUnsubscribed::finish() { out_ += "]}"; }

void append_native_published(std::string& out, const NativePublished& published) {
  append_layout(out, [&](auto& sink) {
    sink.text(R"({"type":"published")");
    put_id(sink, published.id);
    put_string(sink, R"(,"channel":)", published.channel);
    sink.text(R"(,"epoch":")");
    sink.epoch(published.epoch);
    sink.text(R"(","seq":)");
    sink.decimal(value(published.seq));
    sink.text(published.duplicate ? R"(,"duplicate":true})" : R"(,"duplicate":false})");
  });
}

void append_native_acked(std::string& out, const NativeAcked& acked) {
  append_layout(out, [&](auto& sink) {
    sink.text(R"({"type":"acked")");
    put_id(sink, acked.id);
    put_string(sink, R"(,"channel":)", acked.channel);
    sink.text(R"(,"seq":)");
    sink.decimal(value(acked.seq));
    sink.text("}");
  });
}

NativeHistory::NativeHistory(std::string& out, const Head& head) : out_{out} {
  append_layout(out_, [&](auto& sink) {
    sink.text(R"({"type":"history")");
    put_id(sink, head.id);
    put_string(sink, R"(,"channel":)", head.channel);
    sink.text(R"(,"epoch":")");
    sink.epoch(head.epoch);
    sink.text(R"(","seq":)");
    sink.decimal(value(head.seq));
    if (head.recovered) sink.text(*head.recovered ? R"(,"recovered":true)" : R"(,"recovered":false)");
    sink.text(R"(,"messages":[)");
  });
}
void NativeHistory::add(const MessageView& message) {
  if (!first_) out_ += ',';
  first_ = false;
  const std::size_t before = out_.size();
  out_.resize(before + native_message_size(message));
  (void)write_native_message(message, reinterpret_cast<std::uint8_t*>(out_.data()) + before);
}
void NativeHistory::finish(bool more) { out_ += more ? R"(],"more":true})" : R"(],"more":false})"; }

void append_native_gap(std::string& out, const GapView& gap) {
  const std::size_t before = out.size();
  out.resize(before + native_gap_size(gap));
  (void)write_native_gap(gap, reinterpret_cast<std::uint8_t*>(out.data()) + before);
}

void append_native_channel_state(std::string& out, std::string_view channel, ChannelLiveness liveness, Sequence last) {
  append_layout(out, [&](auto& sink) {
    put_string(sink, R"({"type":"channel_state","channel":)", channel);
    if (liveness == ChannelLiveness::live) {
      sink.text(R"(,"state":"live"})");
    } else {
      sink.text(R"(,"state":"stale","seq":)");
      sink.decimal(value(last));
      sink.text("}");
    }
  });
}

void append_native_auth_success(std::string& out, const NativeAuthSuccess& success) {
  append_layout(out, [&](auto& sink) {
    sink.text(R"({"type":"auth_success")");
    put_id(sink, success.id);
    put_string(sink, R"(,"user":)", success.user);
    sink.text(R"(,"expires_in_ms":)");
    sink.decimal(static_cast<std::uint64_t>(std::max<milliseconds::rep>(success.expires_in.count(), 0)));
    sink.text("}");
  });
}

void append_native_auth_required(std::string& out, milliseconds expires_in) {
  append_layout(out, [&](auto& sink) {
    sink.text(R"({"type":"auth_required","expires_in_ms":)");
    sink.decimal(static_cast<std::uint64_t>(std::max<milliseconds::rep>(expires_in.count(), 0)));
    sink.text("}");
  });
}

void append_native_pong(std::string& out, std::string_view id) {
  append_layout(out, [&](auto& sink) {
    sink.text(R"({"type":"pong")");
    put_id(sink, id);
    sink.text("}");
  });
}

void append_native_error(std::string& out, const NativeError& error) {
  append_layout(out, [&](auto& sink) {
    sink.text(R"({"type":"error")");
    put_id(sink, error.id);
    put_string(sink, R"(,"code":)", name_of(error.code));
    put_string(sink, R"(,"message":)", error.message);
    if (!error.channel.empty()) {
      put_string(sink, R"(,"channel":)", error.channel);
    }
    if (error.retry_after) {
      sink.text(R"(,"retry_after_ms":)");
      sink.decimal(not_negative(*error.retry_after));
    }
    sink.text("}");
  });
}

void append_native_error(std::string& out, const CommandError& error) {
  append_native_error(out, NativeError{error.id, error.code, error.sentence, error.channel, std::nullopt});
}

}  // namespace ringcast
