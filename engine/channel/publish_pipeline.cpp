#include "engine/channel/publish_pipeline.hpp"

#include "engine/channel/stored_message.hpp"

namespace ringcast {
namespace {

/// What a publish to this channel is remembered under; nothing where the channel has no duplicates.
std::optional<LruKey> key_of(const HomeChannel& channel, const PublishRequest& request) {
  return DedupeWindow::key_of(channel.rule->dedupe, *channel.name, request.publisher, request.message_id, request.data);
}

}  // namespace

Published PublishPipeline::publish(HomeChannel& channel, const PublishRequest& request, Now now) {
  // Dedupe: a duplicate is answered with the first one's number and goes no further.
  const auto key = key_of(channel, request);
  if (key) {
    const auto first = dedupe_.find(*key, now.mono);
    if (first && first->epoch == channel.epoch) {
      channel.used_at = now.mono;
      stats_->add(CounterId::messages_duplicate);
      return {.epoch = first->epoch, .seq = first->seq, .duplicate = true, .channel_id = channel.channel_id};
    }
  }
  const Published published = append(channel, request, now);
  if (key) {
    dedupe_.remember(*key,
                     {.seq = published.seq, .epoch = channel.epoch, .expires = now.mono + channel.rule->dedupe.window});
  }
  return published;
}

Published PublishPipeline::append(HomeChannel& channel, const PublishRequest& request, Now now) {
  channel.used_at = now.mono;

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

// ---- in steps ----

std::optional<Published> PublishPipeline::first_of(const HomeChannel& channel, const PublishRequest& request,
                                                   Instant now) {
  const auto key = key_of(channel, request);
  if (!key) return std::nullopt;
  const auto first = dedupe_.find(*key, now);
  if (!first || first->epoch != channel.epoch) return std::nullopt;
  return Published{.epoch = first->epoch, .seq = first->seq, .duplicate = true, .channel_id = channel.channel_id};
}

void PublishPipeline::remember(const HomeChannel& channel, const PublishRequest& request, Sequence seq,
                               Instant published) {
  const auto key = key_of(channel, request);
  if (!key) return;
  dedupe_.remember(*key, {.seq = seq, .epoch = channel.epoch, .expires = published + channel.rule->dedupe.window});
}

void PublishPipeline::forget(const HomeChannel& channel, const PublishRequest& request) {
  const auto key = key_of(channel, request);
  if (key) dedupe_.forget(*key);
}

}  // namespace ringcast
