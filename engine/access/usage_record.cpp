#include "engine/access/usage_record.hpp"

#include <algorithm>
#include <cstring>

namespace ringcast {
namespace {

/// In front of user and channel, one behind the other.
struct Head {
  std::int64_t at = 0;
  std::int64_t since = 0;
  std::uint64_t connection = 0;
  IpAddress address{};
  std::uint16_t port = 0;
  std::uint16_t user_bytes = 0;
  std::uint16_t channel_bytes = 0;
  std::uint8_t kind = 0;
  std::uint8_t unused = 0;
};
static_assert(sizeof(Head) == 48);

WallTime wall_time(std::int64_t ns) { return WallTime{nanoseconds{ns}}; }

}  // namespace

std::size_t encoded_bytes(const UsageRecord& record) {
  return sizeof(Head) + record.user.size() + record.channel.size();
}

void encode(const UsageRecord& record, MutableBytes out) {
  const Head head{.at = record.at.time_since_epoch().count(),
                  .since = record.since.time_since_epoch().count(),
                  .connection = record.connection,
                  .address = record.address,
                  .port = record.port,
                  .user_bytes = static_cast<std::uint16_t>(record.user.size()),
                  .channel_bytes = static_cast<std::uint16_t>(record.channel.size()),
                  .kind = static_cast<std::uint8_t>(record.kind)};
  store(out.data(), head);
  std::uint8_t* at = std::copy(record.user.begin(), record.user.end(), out.data() + sizeof head);
  std::copy(record.channel.begin(), record.channel.end(), at);
}

std::optional<UsageRecord> decode_usage_record(Bytes bytes) {
  if (bytes.size() < sizeof(Head)) return std::nullopt;
  const Head head = load<Head>(bytes.data());
  const std::string_view names = as_text(bytes.subspan(sizeof head));
  if (names.size() != std::size_t{head.user_bytes} + head.channel_bytes || head.kind > 1) return std::nullopt;
  return UsageRecord{.kind = static_cast<UsageRecord::Kind>(head.kind),
                     .at = wall_time(head.at),
                     .since = wall_time(head.since),
                     .connection = head.connection,
                     .address = head.address,
                     .port = head.port,
                     .user = names.substr(0, head.user_bytes),
                     .channel = names.substr(head.user_bytes)};
}

void UsageJournal::note(const UsageRecord& record) {
  stats_->add(CounterId::usage_records);
  scratch_.resize(encoded_bytes(record));
  encode(record, {reinterpret_cast<std::uint8_t*>(scratch_.data()), scratch_.size()});
  if (held_.empty() && pass_on(scratch_)) {
    lane_->publish();
    return;
  }
  held_.push_back(scratch_);  // behind what waits already: records keep their order
  held_bytes_ += scratch_.size();
  budget_->charge(Purpose::other, scratch_.size());
}

bool UsageJournal::pass_on(std::string_view record) {
  const MutableBytes room = lane_->reserve(record.size());
  if (room.empty()) return false;
  std::memcpy(room.data(), record.data(), record.size());
  lane_->commit();
  return true;
}

void UsageJournal::flush() {
  while (!held_.empty() && pass_on(held_.front())) {
    held_bytes_ -= held_.front().size();
    budget_->release(Purpose::other, held_.front().size());
    held_.pop_front();
  }
  lane_->publish();
}

}  // namespace ringcast
