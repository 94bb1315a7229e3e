#include "engine/channel/publish_pipeline.hpp"

#include "engine/channel/stored_message.hpp"

namespace ringcast {

Published PublishPipeline::publish(HomeChannel& channel, const PublishRequest& request, Now now) {
  channel.used_at = now.mono;

  // Dedupe: a duplicate is answered with the first one's number and goes no further.
  const auto key = DedupeWindow::key_of(channel.rule->dedupe, *channel.name, request.publisher, request.message_id,
                                        request.data);
  if (key) {
    const auto first = dedupe_.find(*key, now.mono);
    if (first && first->epoch == channel.epoch) {
      stats_->add(CounterId::messages_duplicate);
      return {.epoch = first->epoch, .seq = first->seq, .duplicate = true, .channel_id = channel.channel_id};
    }
  }

  // Sequence: the history's next number is the channel's.
  const MessageView message{.channel = *channel.name,
                            .epoch = channel.epoch,
                            .seq = channel.history.next(),
                            .published_at = now.wall,
                            .event = request.event,
                            .message_id = request.message_id,
                            .data = request.data,
                            .snapshot = request.snapshot,
                            .as_of = request.as_of,
                            .channel_id = channel.channel_id};

  // Keep: published means sequenced and in history.
  const std::size_t bytes = stored_size(message);
  write_stored(message, channel.history.reserve(bytes, now.mono));
  channel.history.commit(bytes, now.mono);
  if (key) {
    dedupe_.remember(*key,
                     {.seq = message.seq, .epoch = channel.epoch, .expires = now.mono + channel.rule->dedupe.window});
  }
  if (request.snapshot) {
    channel.snapshot = message.seq;
    channel.as_of = value(request.as_of) != 0 ? request.as_of : message.seq;
  }
  stats_->add(CounterId::messages_published);

  // Encode once for each wire form that anybody reads.
  for (std::size_t i = 0; i < kPlainForms; ++i) {
    const Form plain{static_cast<Form>(i)};
    const auto log_of = [&](Packing packing) {
      FrameLog* log = channel.form_logs[static_cast<std::size_t>(packed(plain, packing))];
      if (log != nullptr) stats_->add(CounterId::messages_encoded);
      return log;
    };
    if (FrameLog* log = log_of(Packing::none)) encode_frame(*log, plain, message, request.received, now.mono);
    FrameLog* const small = log_of(Packing::small_window);
    FrameLog* const large = log_of(Packing::large_window);
    if (small != nullptr || large != nullptr) {
      deflate_.encode({.small_window = small, .large_window = large}, plain, message, request.received, now.mono);
    }
  }
  return {.epoch = channel.epoch, .seq = message.seq, .duplicate = false, .channel_id = channel.channel_id};
}

}  // namespace ringcast
