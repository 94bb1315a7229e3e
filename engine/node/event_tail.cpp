#include "engine/node/event_tail.hpp"

#include <algorithm>
#include <string>

#include "engine/stats/events.hpp"

namespace ringcast {

namespace {

LogSeverity to_log(EventSeverity severity) {
  switch (severity) {
    case EventSeverity::info: return LogSeverity::info;
    case EventSeverity::warning: return LogSeverity::warn;
    case EventSeverity::error: return LogSeverity::error;
  }
  return LogSeverity::error;
}

void log_event(Log& log, const rcs_event& event, std::int32_t shard) {
  if (event.code >= kEventCodes) return;
  const EventRow& row = kEvents[event.code];
  const LogField nothing{};
  log.write(to_log(row.severity), WallTime{nanoseconds{static_cast<std::int64_t>(event.wall)}}, row.label,
            {shard < 0 ? nothing : LogField::number("shard", static_cast<std::uint64_t>(shard)),
             row.a.empty() ? nothing : LogField::number(row.a, event.a),
             row.b.empty() ? nothing : LogField::number(row.b, event.b), LogField::words("text", event.text)});
}

}  // namespace

EventTail::EventTail(std::vector<Source> sources) {
  for (const Source& source : sources) places_.push_back({.source = source, .next = source.events->written()});
}

void EventTail::follow(Log& log, WallTime now) {
  for (Place& place : places_) {
    const std::uint64_t written = place.source.events->written();
    if (written - place.next > kEventRingEntries) {
      log.write(LogSeverity::warn, now, "events_overwritten",
                {LogField::number("events", written - place.next - kEventRingEntries)});
      place.next = written - kEventRingEntries;
    }
    for (; place.next < written; ++place.next) {
      rcs_event event{};
      if (place.source.events->read(place.next, event)) log_event(log, event, place.source.shard);
    }
  }
}

}  // namespace ringcast
