#include "engine/presence/notice_fanout.hpp"

#include "codec/dialect/native_presence.hpp"
#include "codec/dialect/native_reply.hpp"
#include "codec/websocket/frame_writer.hpp"

namespace ringcast {
namespace {

void append_liveness(std::string& out, const ChannelLog& log, bool stale) {
  append_native_channel_state(out, *log.name, stale ? ChannelLiveness::stale : ChannelLiveness::live,
                              Sequence{value(log.log.next()) - 1});
}

}  // namespace

void NoticeFanout::frame_text() {
  const std::size_t header = frame_header_bytes(text_.size());
  frame_.resize(header);
  write_frame_header(MutableBytes{reinterpret_cast<std::uint8_t*>(frame_.data()), header},
                     FrameStart{.opcode = Opcode::text}, text_.size());
  frame_ += text_;
}

void NoticeFanout::frame_missed(std::string_view channel) {
  text_.clear();
  append_native_presence_missed(text_, channel);
  frame_text();
}

bool NoticeFanout::tell(Outbox& reader, Now now) {
  const bool waits_for_socket = reader.blocked || reader.has_remainder();
  if (reader.control_bytes() + frame_.size() > (waits_for_socket ? unread_bytes_max_ : kNoticeBytesMax)) {
    reader.notices_missed = true;
    reader.tell_control_low = true;
    stats_->add(CounterId::notices_missed);
    return false;
  }
  sends_->send_control(reader, frame_, now);
  stats_->add(CounterId::notices_sent);
  return true;
}

std::size_t NoticeFanout::tell_user(const ChannelLog& log, std::string_view user, bool joined, Now now) {
  if (!carries_notices(log.form) || log.readers.empty()) return 0;
  text_.clear();
  append_native_user_notice(text_, *log.name, user, joined);
  frame_text();
  for (const std::uint32_t slot : log.readers) {
    Subscription& subscription = delivery_->subscription(slot);
    if (!subscription.answered || subscription.presence_missed) continue;  // one hint for all that it misses
    if (!tell(*subscription.reader, now)) subscription.presence_missed = true;
  }
  return log.readers.size();
}

std::size_t NoticeFanout::tell_liveness(const ChannelLog& log, Now now) {
  if (!carries_notices(log.form) || log.readers.empty()) return 0;
  text_.clear();
  append_liveness(text_, log, log.stale);
  frame_text();
  for (const std::uint32_t slot : log.readers) {
    Subscription& subscription = delivery_->subscription(slot);
    if (!subscription.answered || subscription.told_stale == log.stale) continue;
    subscription.state_missed = !tell(*subscription.reader, now);
    if (!subscription.state_missed) subscription.told_stale = log.stale;
  }
  return log.readers.size();
}

void NoticeFanout::settle_liveness(Subscription& subscription, Now now) {
  const ChannelLog& log = delivery_->log(subscription.cursor.log);
  if (!carries_notices(log.form)) return;
  // Live for a while: what was published then is newer than the last seq that it knows of a stale channel.
  if (subscription.state_missed && subscription.told_stale && log.stale && !tell_state(subscription, log, false, now)) {
    return;
  }
  subscription.state_missed = false;
  if (subscription.told_stale != log.stale) subscription.state_missed = !tell_state(subscription, log, log.stale, now);
}

bool NoticeFanout::tell_state(Subscription& subscription, const ChannelLog& log, bool stale, Now now) {
  text_.clear();
  append_liveness(text_, log, stale);
  frame_text();
  if (!tell(*subscription.reader, now)) return false;
  subscription.told_stale = stale;
  return true;
}

void NoticeFanout::tell_missed(Outbox& reader, Now now) {
  reader.notices_missed = false;
  delivery_->enqueue(reader, now.mono);
  for (std::uint32_t slot = reader.subscription_first; slot != kNoSlot && !reader.notices_missed;) {
    Subscription& subscription = delivery_->subscription(slot);
    slot = subscription.of_reader_next;
    if (subscription.reader_index == kNoSlot || !subscription.answered) continue;
    settle_liveness(subscription, now);
    if (!subscription.presence_missed) continue;
    frame_missed(*delivery_->log(subscription.cursor.log).name);
    if (tell(reader, now)) subscription.presence_missed = false;
  }
}

void NoticeFanout::tell_missed_before_list(Outbox& reader, std::string_view channel, Now now) {
  if (!reader.notices_missed) return;
  for (std::uint32_t slot = reader.subscription_first; slot != kNoSlot;) {
    Subscription& subscription = delivery_->subscription(slot);
    slot = subscription.of_reader_next;
    if (!subscription.presence_missed || *delivery_->log(subscription.cursor.log).name != channel) continue;
    frame_missed(channel);  // however much it has not read: it is one for each question that it asks
    sends_->send_control(reader, frame_, now);
    stats_->add(CounterId::notices_sent);
    subscription.presence_missed = false;
  }
}

}  // namespace ringcast
