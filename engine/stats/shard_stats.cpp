#include "engine/stats/shard_stats.hpp"

namespace ringcast {

void ShardStats::event(EventCode code, Now now, std::uint64_t a, std::uint64_t b, std::string_view text) {
  ensure(code < EventCode::end, "an event's code is one of the table's");
  EventWindow& window = windows_[std::to_underlying(code)];
  if (window.recorded == 0 || now.mono - window.began >= seconds{1}) {
    window.began = now.mono;
    window.recorded = 0;
  }
  if (window.recorded == kEventsPerCodeAndSecond) {
    block_->events.repeat(window.last);
    return;
  }
  rcs_event event{};
  event.mono = static_cast<std::uint64_t>(now.mono.time_since_epoch().count());
  event.wall = static_cast<std::uint64_t>(now.wall.time_since_epoch().count());
  event.a = a;
  event.b = b;
  event.code = std::to_underlying(code);
  copy_text(event.text, text);
  window.last = block_->events.write(event);
  ++window.recorded;
}

}  // namespace ringcast
