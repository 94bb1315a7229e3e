// Reading an opened segment: every place was checked when it was opened, so what is left is copying.
#include "alloc/segment/reader.hpp"

#include <sys/stat.h>
#include <time.h>

#include <cstdlib>
#include <cstring>

#include "alloc/segment/process_probe.hpp"

namespace {

using namespace ringcast;

std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

rcs_liveness liveness_of(const rcs_header& header, std::uint32_t run_state, std::uint64_t heartbeat_age) {
  if (run_state == RCS_RUN_STOPPED) return RCS_STOPPED;
  const bool fresh = heartbeat_age <= RCS_STALLED_AFTER_NS;
  const std::uint64_t here = pid_namespace();
  if (header.pid_namespace != 0 && here != 0 && header.pid_namespace != here) return fresh ? RCS_ALIVE : RCS_DEAD;
  const ProcessFacts process = probe_process(header.pid);
  if (process.state == ProcessState::gone) return RCS_DEAD;
  if (process.state == ProcessState::unknown) return fresh ? RCS_ALIVE : RCS_DEAD;
  const bool known = process.start_ticks != 0 && header.pid_start_ticks != 0;
  if (known && process.start_ticks != header.pid_start_ticks) return RCS_DEAD;  // the pid now names another process
  if (!known && !fresh) return RCS_DEAD;
  return fresh ? RCS_ALIVE : RCS_STALLED;
}

void copy_words(void* to, const std::uint64_t* from, std::size_t bytes) {
  auto* out = static_cast<unsigned char*>(to);
  for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = load_word(from + at / sizeof(std::uint64_t));
    const std::size_t rest = bytes - at;
    std::memcpy(out + at, &word, rest < sizeof word ? rest : sizeof word);
  }
}

/// Copies a sealed record into `record`; what an older writer does not have stays zero.
rcs_status read_sealed(const Place& place, void* record, std::size_t record_bytes) {
  std::memset(record, 0, record_bytes);
  if (place.from == nullptr) return RCS_ABSENT;
  const std::size_t bytes = place.entry_bytes < record_bytes ? place.entry_bytes : record_bytes;
  for (int i = 0; i < kSealedTries; ++i) {
    const std::uint64_t before = load_word(place.from);
    copy_words(record, place.from + 1, bytes);
    if ((before & 1U) == 0 && load_word(place.from) == before) return RCS_OK;
  }
  return RCS_TORN;
}

template <std::size_t Size>
void terminate(char (&text)[Size]) {
  text[Size - 1] = '\0';
}

const std::uint64_t* histogram_of(const rcs_histogram_row& row, const ShardPlaces& places) {
  const Place& place = places.histograms;
  if (place.from == nullptr || row.id >= place.entry_count) return nullptr;
  return place.from + std::size_t{row.id} * (place.entry_bytes / sizeof(std::uint64_t));
}

void add_histogram(const std::uint64_t* from, rcs_distribution& into) {
  into.sum += load_word(from);
  const std::uint64_t max = load_word(from + 1);
  if (max > into.max) into.max = max;
  for (std::uint32_t i = 0; i < into.bucket_count; ++i) into.buckets[i] += load_word(from + 2 + i);
}

struct Bucket {
  std::uint64_t lowest;
  std::uint64_t middle;
};
Bucket bucket_at(std::uint32_t index, std::uint32_t bits) {
  const std::uint32_t half = 1U << (bits - 1);
  const std::uint32_t shift = index < 2 * half ? 0 : index / half - 1;
  const std::uint64_t lowest = std::uint64_t{index - shift * half} << shift;
  return {lowest, lowest + ((std::uint64_t{1} << shift) - 1) / 2};
}

std::uint64_t counter_of(const rcs_reader& reader, const rcs_counter_row& row, std::uint32_t shard) {
  const ShardPlaces* places = places_of(reader, shard);
  if (places == nullptr || places->counters.from == nullptr || row.id >= places->counters.entry_count) return 0;
  return load_word(places->counters.from + row.id);
}

/// One shard's ring while events are merged, newest first.
struct RingWalk {
  const Place* place;
  std::uint64_t next;    // entries below this number are still to come
  std::uint64_t oldest;  // the last one that can still be there
  rcs_event event;       // the newest not yet taken
  bool ready;
};

bool read_event(const Place& place, std::uint64_t number, rcs_event& event) {
  const std::size_t ring_words = sizeof(rcs_event_ring) / sizeof(std::uint64_t);
  const std::size_t entry_words = place.entry_bytes / sizeof(std::uint64_t);
  const std::uint64_t* from = place.from + ring_words + (number % place.entry_count) * entry_words;
  if (load_word(from) != 2 * number + 2) return false;
  copy_words(&event, from, sizeof event);
  return load_word(from) == 2 * number + 2;
}

void advance(RingWalk& walk) {
  walk.ready = false;
  while (!walk.ready && walk.next > walk.oldest) walk.ready = read_event(*walk.place, --walk.next, walk.event);
}

rcs_event_view view_of(const rcs_reader& reader, const rcs_event& event, std::uint32_t shard) {
  rcs_event_view view{};
  view.event = event;
  terminate(view.event.text);
  view.shard = shard;
  view.severity = RCS_SEVERITY_INFO;
  view.label = "unknown";
  view.a_label = "a";
  view.b_label = "b";
  for (std::size_t i = 0; i < reader.event_count; ++i) {
    const rcs_event_row& row = reader.events[i];
    if (row.code != event.code) continue;
    view.severity = row.severity;
    view.label = row.label;
    view.a_label = row.a;
    view.b_label = row.b;
    break;
  }
  return view;
}

template <std::size_t Count>
const char* text_of(const char* const (&texts)[Count], std::uint32_t value) {
  return value < Count ? texts[value] : "unknown";
}

}  // namespace

extern "C" {

rcs_status rcs_node_read(const rcs_reader* reader, rcs_node* node) {
  struct stat about{};
  if (::fstat(reader->fd, &about) != 0 || static_cast<std::size_t>(about.st_size) < reader->bytes) return RCS_DAMAGED;
  const rcs_header& header = *reader->header;
  const std::uint64_t mono = clock_ns(CLOCK_MONOTONIC);
  const std::uint64_t heartbeat = load_word(&header.heartbeat_mono);
  node->name = reader->name;
  node->server = reader->server;
  node->pid = header.pid;
  node->start_wall = header.start_wall;
  node->heartbeat_wall = load_word(&header.heartbeat_wall);
  node->heartbeat_age_ns = mono > heartbeat ? mono - heartbeat : 0;
  node->run_state = __atomic_load_n(&header.run_state, __ATOMIC_ACQUIRE);
  node->liveness = liveness_of(header, node->run_state, node->heartbeat_age_ns);
  node->shard_count = reader->shard_count;
  node->layout_version = reader->version;
  const std::uint64_t until = node->liveness == RCS_ALIVE ? mono : heartbeat;
  node->uptime_ns = until > header.start_mono ? until - header.start_mono : 0;
  return RCS_OK;
}

int rcs_is_replaced(const rcs_reader* reader) {
  struct stat mine{};
  struct stat there{};
  if (::fstat(reader->fd, &mine) != 0 || ::stat(reader->path, &there) != 0) return 1;
  return mine.st_ino == there.st_ino && mine.st_dev == there.st_dev ? 0 : 1;
}

size_t rcs_counter_count(const rcs_reader* reader) { return reader->counter_count; }

const rcs_counter_row* rcs_counter(const rcs_reader* reader, size_t index) {
  return index < reader->counter_count ? &reader->counters[index] : nullptr;
}

size_t rcs_counter_find(const rcs_reader* reader, const char* label, const char* label_set) {
  for (std::size_t i = 0; i < reader->counter_count; ++i) {
    const rcs_counter_row& row = reader->counters[i];
    if (std::strcmp(row.label, label) == 0 && std::strcmp(row.label_set, label_set) == 0) return i;
  }
  return reader->counter_count;
}

uint64_t rcs_counter_value(const rcs_reader* reader, size_t index, uint32_t shard) {
  if (index >= reader->counter_count) return 0;
  const rcs_counter_row& row = reader->counters[index];
  if (shard != RCS_SHARD_ALL) return counter_of(*reader, row, shard);
  std::uint64_t total = counter_of(*reader, row, RCS_SHARD_NODE);
  for (std::uint32_t s = 0; s < reader->shard_count; ++s) {
    const std::uint64_t value = counter_of(*reader, row, s);
    if (row.kind == RCS_KIND_PEAK) {
      if (value > total) total = value;
    } else {
      total += value;
    }
  }
  return total;
}

size_t rcs_histogram_count(const rcs_reader* reader) { return reader->histogram_count; }

const rcs_histogram_row* rcs_histogram_describe(const rcs_reader* reader, size_t index) {
  return index < reader->histogram_count ? &reader->histograms[index] : nullptr;
}

rcs_status rcs_histogram_read(const rcs_reader* reader, size_t index, uint32_t shard, uint64_t* buckets,
                              rcs_distribution* distribution) {
  std::memset(distribution, 0, sizeof *distribution);
  if (index >= reader->histogram_count) return RCS_ABSENT;
  const rcs_histogram_row& row = reader->histograms[index];
  std::memset(buckets, 0, row.bucket_count * sizeof(std::uint64_t));
  distribution->bits = row.bits;
  distribution->bucket_count = row.bucket_count;
  distribution->buckets = buckets;
  bool found = false;
  for (std::uint32_t s = 0; s <= reader->shard_count; ++s) {
    const std::uint32_t number = s == reader->shard_count ? RCS_SHARD_NODE : s;
    if (shard != RCS_SHARD_ALL && shard != number) continue;
    const std::uint64_t* from = histogram_of(row, reader->shards[s]);
    if (from == nullptr) continue;
    found = true;
    add_histogram(from, *distribution);
  }
  for (std::uint32_t i = 0; i < row.bucket_count; ++i) {
    if (distribution->count == 0 && buckets[i] != 0) distribution->min = bucket_at(i, row.bits).middle;
    distribution->count += buckets[i];
  }
  if (distribution->min > distribution->max) distribution->min = distribution->max;
  return found ? RCS_OK : RCS_ABSENT;
}

uint64_t rcs_percentile(const rcs_distribution* distribution, double share) {
  if (distribution->count == 0) return 0;
  if (!(share < 1)) return distribution->max;
  const double exact = share > 0 ? share * static_cast<double>(distribution->count) : 1;
  auto wanted = static_cast<std::uint64_t>(exact);
  if (static_cast<double>(wanted) < exact) ++wanted;  // rounded up, without needing libm
  std::uint64_t seen = 0;
  for (std::uint32_t i = 0; i < distribution->bucket_count; ++i) {
    seen += distribution->buckets[i];
    if (seen < wanted) continue;
    const std::uint64_t value = bucket_at(i, distribution->bits).middle;
    return value < distribution->max ? value : distribution->max;
  }
  return distribution->max;
}

uint64_t rcs_count_at_most(const rcs_distribution* distribution, uint64_t value) {
  std::uint64_t seen = 0;
  for (std::uint32_t i = 0; i < distribution->bucket_count; ++i) {
    if (bucket_at(i, distribution->bits).lowest > value) break;
    seen += distribution->buckets[i];
  }
  return seen;
}

rcs_status rcs_ledger_read(const rcs_reader* reader, uint32_t shard, rcs_ledger* ledger) {
  if (shard != RCS_SHARD_ALL) {
    std::memset(ledger, 0, sizeof *ledger);
    const ShardPlaces* places = places_of(*reader, shard);
    return places == nullptr ? RCS_ABSENT : read_sealed(places->ledger, ledger, sizeof *ledger);
  }
  std::memset(ledger, 0, sizeof *ledger);
  rcs_status worst = RCS_OK;
  for (std::uint32_t s = 0; s < reader->shard_count; ++s) {
    rcs_ledger one;
    const rcs_status status = read_sealed(reader->shards[s].ledger, &one, sizeof one);
    if (status != RCS_OK) worst = status;
    ledger->offered += one.offered;
    ledger->sent += one.sent;
    ledger->conflated += one.conflated;
    ledger->dropped += one.dropped;
    ledger->abandoned += one.abandoned;
    ledger->queued += one.queued;
  }
  return worst;
}

int rcs_ledger_closed(const rcs_ledger* ledger) {
  const std::uint64_t accounted =
      ledger->sent + ledger->conflated + ledger->dropped + ledger->abandoned + ledger->queued;
  return ledger->offered == accounted ? 1 : 0;
}

rcs_status rcs_health_read(const rcs_reader* reader, rcs_health* health) {
  const rcs_status status = read_sealed(reader->health, health, sizeof *health);
  if (health->reason_count > RCS_HEALTH_REASONS) health->reason_count = RCS_HEALTH_REASONS;
  for (auto& reason : health->reasons) terminate(reason);
  for (auto& check : health->history) terminate(check.reason);
  return status;
}

rcs_status rcs_memory_read(const rcs_reader* reader, rcs_memory* memory) {
  const rcs_status status = read_sealed(reader->memory, memory, sizeof *memory);
  if (memory->purpose_count > RCS_PURPOSES) memory->purpose_count = RCS_PURPOSES;
  for (auto& purpose : memory->purposes) terminate(purpose.label);
  return status;
}

rcs_status rcs_findings_read(const rcs_reader* reader, rcs_findings* findings) {
  const rcs_status status = read_sealed(reader->findings, findings, sizeof *findings);
  if (findings->count > RCS_FINDINGS) findings->count = RCS_FINDINGS;
  for (auto& row : findings->rows) {
    terminate(row.key);
    terminate(row.value);
  }
  return status;
}

rcs_status rcs_channels_read(const rcs_reader* reader, uint32_t shard, rcs_channel_table* table) {
  const ShardPlaces* places = places_of(*reader, shard);
  const rcs_status status = read_sealed(places == nullptr ? Place{} : places->channels, table, sizeof *table);
  if (table->count > RCS_CHANNELS) table->count = RCS_CHANNELS;
  for (auto& row : table->rows) terminate(row.channel);
  return status;
}

rcs_status rcs_connections_read(const rcs_reader* reader, uint32_t shard, rcs_connection_table* table) {
  const ShardPlaces* places = places_of(*reader, shard);
  const rcs_status status = read_sealed(places == nullptr ? Place{} : places->connections, table, sizeof *table);
  if (table->count > RCS_CONNECTIONS) table->count = RCS_CONNECTIONS;
  for (auto& row : table->rows) {
    terminate(row.peer);
    terminate(row.dialect);
  }
  return status;
}

size_t rcs_events_read(const rcs_reader* reader, rcs_event_view* events, size_t capacity) {
  auto* walks = static_cast<RingWalk*>(std::calloc(reader->shard_count + std::size_t{1}, sizeof(RingWalk)));
  if (walks == nullptr) return 0;
  for (std::uint32_t s = 0; s <= reader->shard_count; ++s) {
    const Place& place = reader->shards[s].events;
    if (place.from == nullptr) continue;
    walks[s].place = &place;
    walks[s].next = load_word(place.from);
    walks[s].oldest = walks[s].next > place.entry_count ? walks[s].next - place.entry_count : 0;
    advance(walks[s]);
  }
  std::size_t taken = 0;  // filled from the back: the newest first
  while (taken < capacity) {
    RingWalk* newest = nullptr;
    for (std::uint32_t s = 0; s <= reader->shard_count; ++s) {
      if (walks[s].ready && (newest == nullptr || walks[s].event.mono > newest->event.mono)) newest = &walks[s];
    }
    if (newest == nullptr) break;
    const auto s = static_cast<std::uint32_t>(newest - walks);
    ++taken;
    events[capacity - taken] = view_of(*reader, newest->event, s == reader->shard_count ? RCS_SHARD_NODE : s);
    advance(*newest);
  }
  std::free(walks);
  std::memmove(events, events + (capacity - taken), taken * sizeof *events);
  return taken;
}

const char* rcs_status_text(rcs_status status) {
  static const char* const texts[] = {"ok",       "absent",        "bad name", "denied", "not a statistics segment",
                                      "starting", "other version", "damaged",  "torn",   "no memory"};
  return text_of(texts, static_cast<std::uint32_t>(status));
}

const char* rcs_liveness_text(uint32_t liveness) {
  static const char* const texts[] = {"alive", "stalled", "stopped", "dead"};
  return text_of(texts, liveness);
}

const char* rcs_health_text(uint32_t state) {
  static const char* const texts[] = {"healthy", "degraded", "unhealthy", "critical"};
  return text_of(texts, state);
}

const char* rcs_pressure_text(uint32_t pressure) {
  static const char* const texts[] = {"normal", "warning", "critical", "emergency"};
  return text_of(texts, pressure);
}

const char* rcs_severity_text(uint32_t severity) {
  static const char* const texts[] = {"unknown", "info", "warning", "error"};
  return text_of(texts, severity);
}

}  // extern "C"
