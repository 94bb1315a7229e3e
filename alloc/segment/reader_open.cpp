// Opening a segment: everything in it that is an offset, a size or a count is checked here, once.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "alloc/segment/reader.hpp"

namespace {

using namespace ringcast;

constexpr const char* kDirectory = "/dev/shm";
constexpr const char* kPrefix = "ringcast.";

struct Failure {
  rcs_status status = RCS_OK;
  const char* sentence = "";
};

Failure damaged(const char* sentence) { return {RCS_DAMAGED, sentence}; }

bool inside(std::uint64_t total, std::uint64_t offset, std::uint64_t bytes) {
  return offset <= total && bytes <= total - offset;
}

/// Copies a table of rows into memory of our own: `Row` may be larger or smaller than the writer's.
template <class Row>
Failure copy_rows(const rcs_reader& reader, const rcs_section& section, Row*& rows, std::size_t& count) {
  if (rows != nullptr) return damaged("a table of rows appears twice");
  if (section.entry_count > kReaderRowsMax || section.entry_bytes < sizeof(std::uint64_t)) {
    return damaged("a table of rows has an impossible size");
  }
  rows = static_cast<Row*>(std::calloc(section.entry_count + std::size_t{1}, sizeof(Row)));
  if (rows == nullptr) return {RCS_NO_MEMORY, "no memory for a table of rows"};
  const std::size_t wanted = section.entry_bytes < sizeof(Row) ? section.entry_bytes : sizeof(Row);
  for (std::uint32_t i = 0; i < section.entry_count; ++i) {
    std::memcpy(&rows[i], reader.base + section.offset + std::size_t{i} * section.entry_bytes, wanted);
  }
  count = section.entry_count;
  return {};
}

template <std::size_t Size>
void terminate(char (&text)[Size]) {
  text[Size - 1] = '\0';
}

bool is_sealed(std::uint32_t kind) {
  return kind == RCS_SECTION_LEDGER || (kind >= RCS_SECTION_CHANNELS && kind <= RCS_SECTION_FINDINGS);
}

/// Whether the entries that a section announces fit into it.
Failure check_extent(const rcs_section& section) {
  const std::uint64_t entries = std::uint64_t{section.entry_bytes} * section.entry_count;
  switch (section.kind) {
    case RCS_SECTION_EVENTS:
      if (section.entry_bytes < sizeof(rcs_event) || section.entry_bytes % 8 != 0 || section.entry_count == 0 ||
          section.bytes < sizeof(rcs_event_ring) || entries > section.bytes - sizeof(rcs_event_ring)) {
        return damaged("an event ring does not fit its section");
      }
      return {};
    case RCS_SECTION_COUNTER_VALUES:
      if (section.entry_bytes != sizeof(std::uint64_t) || entries > section.bytes) {
        return damaged("counter values do not fit their section");
      }
      return {};
    case RCS_SECTION_HISTOGRAM_VALUES:
      if (section.entry_bytes < sizeof(rcs_histogram) || section.entry_bytes % 8 != 0 || entries > section.bytes) {
        return damaged("histogram values do not fit their section");
      }
      return {};
    default:
      break;
  }
  if (is_sealed(section.kind)) {
    if (section.entry_count != 1 || section.entry_bytes % 8 != 0 || section.bytes < sizeof(std::uint64_t) ||
        section.entry_bytes > section.bytes - sizeof(std::uint64_t)) {
      return damaged("a sealed record does not fit its section");
    }
  } else if (entries > section.bytes) {
    return damaged("a table of rows does not fit its section");
  }
  return {};
}

Failure put_place(Place& place, const rcs_reader& reader, const rcs_section& section) {
  if (place.from != nullptr) return damaged("two sections claim the same part");
  place.from = reinterpret_cast<const std::uint64_t*>(reader.base + section.offset);
  place.entry_bytes = section.entry_bytes;
  place.entry_count = section.entry_count;
  return {};
}

Failure take_section(rcs_reader& reader, const rcs_section& section) {
  if (section.kind < RCS_SECTION_COUNTER_ROWS || section.kind > RCS_SECTION_FINDINGS) return {};  // a newer writer's
  if (section.offset % 8 != 0) return damaged("a section is not aligned");
  if (!inside(reader.bytes, section.offset, section.bytes)) return damaged("a section lies outside the file");
  if (const Failure failure = check_extent(section); failure.status != RCS_OK) return failure;
  switch (section.kind) {
    case RCS_SECTION_COUNTER_ROWS: return copy_rows(reader, section, reader.counters, reader.counter_count);
    case RCS_SECTION_HISTOGRAM_ROWS: return copy_rows(reader, section, reader.histograms, reader.histogram_count);
    case RCS_SECTION_EVENT_ROWS: return copy_rows(reader, section, reader.events, reader.event_count);
    case RCS_SECTION_HEALTH: return put_place(reader.health, reader, section);
    case RCS_SECTION_MEMORY: return put_place(reader.memory, reader, section);
    case RCS_SECTION_FINDINGS: return put_place(reader.findings, reader, section);
    default: break;
  }
  if (section.shard != RCS_SHARD_NODE && section.shard >= reader.shard_count) {
    return damaged("a section belongs to a shard that there is not");
  }
  ShardPlaces& places = reader.shards[section.shard == RCS_SHARD_NODE ? reader.shard_count : section.shard];
  switch (section.kind) {
    case RCS_SECTION_COUNTER_VALUES: return put_place(places.counters, reader, section);
    case RCS_SECTION_HISTOGRAM_VALUES: return put_place(places.histograms, reader, section);
    case RCS_SECTION_LEDGER: return put_place(places.ledger, reader, section);
    case RCS_SECTION_EVENTS: return put_place(places.events, reader, section);
    case RCS_SECTION_CHANNELS: return put_place(places.channels, reader, section);
    default: return put_place(places.connections, reader, section);
  }
}

/// The rows' own numbers, once all tables are known.
Failure check_rows(rcs_reader& reader) {
  for (std::size_t i = 0; i < reader.counter_count; ++i) {
    rcs_counter_row& row = reader.counters[i];
    terminate(row.label);
    terminate(row.label_set);
    terminate(row.unit);
    terminate(row.description);
  }
  for (std::size_t i = 0; i < reader.histogram_count; ++i) {
    rcs_histogram_row& row = reader.histograms[i];
    terminate(row.label);
    terminate(row.unit);
    terminate(row.description);
    if (row.bits < 1 || row.bits > kHistogramBitsMax || row.bucket_count == 0 || row.bucket_count > kReaderBucketsMax) {
      return damaged("a histogram's row makes no sense");
    }
    const std::uint64_t half = std::uint64_t{1} << (row.bits - 1);
    if (row.bucket_count / half > 64 - row.bits + 2) {
      return damaged("a histogram has more buckets than 64 bits can use");
    }
    for (std::uint32_t s = 0; s <= reader.shard_count; ++s) {
      const Place& place = reader.shards[s].histograms;
      if (place.from != nullptr && row.id < place.entry_count &&
          (place.entry_bytes - sizeof(rcs_histogram)) / sizeof(std::uint64_t) < row.bucket_count) {
        return damaged("a histogram's buckets do not fit its values");
      }
    }
  }
  for (std::size_t i = 0; i < reader.event_count; ++i) {
    terminate(reader.events[i].label);
    terminate(reader.events[i].a);
    terminate(reader.events[i].b);
  }
  return {};
}

Failure check_header(const rcs_header& header, std::uint32_t version, std::size_t file_bytes) {
  if (std::memcmp(header.magic, RCS_MAGIC, sizeof header.magic) != 0) {
    return {RCS_FOREIGN, "not a ringcast statistics segment"};
  }
  if (version == 0) return {RCS_STARTING, "the node is just creating its statistics segment"};
  if (version >> 16 != RCS_LAYOUT_MAJOR) return {RCS_OTHER_VERSION, ""};  // the caller writes the numbers
  if (header.header_bytes < sizeof(rcs_header)) return damaged("the header is too short");
  if (header.total_bytes > file_bytes) return damaged("the file is shorter than its header says: it was truncated");
  if (header.shard_count == 0 || header.shard_count > kReaderShardsMax) return damaged("the shard count is impossible");
  if (header.section_entry_bytes < sizeof(rcs_section) || header.section_count > kReaderSectionsMax ||
      header.sections_offset % 8 != 0 ||
      !inside(header.total_bytes, header.sections_offset,
              std::uint64_t{header.section_count} * header.section_entry_bytes)) {
    return damaged("the section table lies outside the file");
  }
  return {};
}

Failure read_directory(rcs_reader& reader, const rcs_header& header) {
  reader.bytes = header.total_bytes;
  reader.shard_count = header.shard_count;
  std::memcpy(reader.name, header.name, sizeof reader.name);
  std::memcpy(reader.server, header.server, sizeof reader.server);
  terminate(reader.name);
  terminate(reader.server);
  reader.shards = static_cast<ShardPlaces*>(std::calloc(reader.shard_count + std::size_t{1}, sizeof(ShardPlaces)));
  if (reader.shards == nullptr) return {RCS_NO_MEMORY, "no memory for the shards' places"};
  for (std::uint32_t i = 0; i < header.section_count; ++i) {
    rcs_section section;
    std::memcpy(&section, reader.base + header.sections_offset + std::size_t{i} * header.section_entry_bytes,
                sizeof section);
    if (const Failure failure = take_section(reader, section); failure.status != RCS_OK) return failure;
  }
  return check_rows(reader);
}

Failure open_segment(rcs_reader& reader, const char* path) {
  reader.fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (reader.fd < 0) {
    if (errno == ENOENT) return {RCS_ABSENT, "there is no such statistics segment"};
    if (errno == EACCES || errno == EPERM) return {RCS_DENIED, "no permission to read the statistics segment"};
    return {RCS_ABSENT, std::strerror(errno)};
  }
  struct stat about{};
  if (::fstat(reader.fd, &about) != 0) return {RCS_DENIED, std::strerror(errno)};
  if (!S_ISREG(about.st_mode)) return {RCS_FOREIGN, "not a file"};
  if (about.st_size < static_cast<off_t>(sizeof(rcs_header))) {
    return {RCS_FOREIGN, "too short for a statistics segment"};
  }
  const auto file_bytes = static_cast<std::size_t>(about.st_size);
  void* base = ::mmap(nullptr, file_bytes, PROT_READ, MAP_SHARED, reader.fd, 0);
  if (base == MAP_FAILED) return {RCS_NO_MEMORY, "the segment cannot be mapped"};
  reader.base = static_cast<const unsigned char*>(base);
  reader.mapped_bytes = file_bytes;
  reader.header = reinterpret_cast<const rcs_header*>(reader.base);
  reader.version = __atomic_load_n(&reader.header->layout_version, __ATOMIC_ACQUIRE);
  rcs_header header;  // a copy: what was checked is what is used
  std::memcpy(&header, reader.base, sizeof header);
  const Failure failure = check_header(header, reader.version, file_bytes);
  return failure.status != RCS_OK ? failure : read_directory(reader, header);
}

}  // namespace

extern "C" {

int rcs_name_is_valid(const char* name) {
  if (name == nullptr || name[0] == '\0' || name[0] == '.' || name[0] == '_' || name[0] == '-') return 0;
  std::size_t length = 0;
  for (; name[length] != '\0'; ++length) {
    const char c = name[length];
    const bool good = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
                      c == '_' || c == '-';
    if (!good || length == RCS_NODE_NAME_MAX) return 0;
  }
  return 1;
}

rcs_status rcs_open_path(const char* path, rcs_reader** out, char* sentence) {
  *out = nullptr;
  auto* reader = static_cast<rcs_reader*>(std::calloc(1, sizeof(rcs_reader)));
  Failure failure{RCS_NO_MEMORY, "no memory for a reader"};
  if (reader != nullptr) {
    reader->fd = -1;
    reader->path = ::strdup(path);
    if (reader->path != nullptr) failure = open_segment(*reader, path);
    if (failure.status == RCS_OK) *out = reader;
  }
  if (sentence != nullptr) {
    if (failure.status == RCS_OTHER_VERSION) {
      std::snprintf(sentence, RCS_SENTENCE_BYTES, "%s: layout version %u.%u, this reader knows %u.x", path,
                    reader->version >> 16, reader->version & 0xffffU, RCS_LAYOUT_MAJOR);
    } else if (failure.status != RCS_OK) {
      std::snprintf(sentence, RCS_SENTENCE_BYTES, "%s: %s", path, failure.sentence);
    } else {
      sentence[0] = '\0';
    }
  }
  if (failure.status != RCS_OK) rcs_close(reader);
  return failure.status;
}

rcs_status rcs_open(const char* name, rcs_reader** out, char* sentence) {
  *out = nullptr;
  if (rcs_name_is_valid(name) == 0) {
    if (sentence != nullptr) {
      std::snprintf(sentence, RCS_SENTENCE_BYTES, "not a node's name: 1 to %d letters, digits, '.', '_' or '-'",
                    RCS_NODE_NAME_MAX);
    }
    return RCS_BAD_NAME;
  }
  char path[128];
  std::snprintf(path, sizeof path, "%s/%s%s", kDirectory, kPrefix, name);
  return rcs_open_path(path, out, sentence);
}

void rcs_close(rcs_reader* reader) {
  if (reader == nullptr) return;
  if (reader->base != nullptr) ::munmap(const_cast<unsigned char*>(reader->base), reader->mapped_bytes);
  if (reader->fd >= 0) ::close(reader->fd);
  std::free(reader->path);
  std::free(reader->counters);
  std::free(reader->histograms);
  std::free(reader->events);
  std::free(reader->shards);
  std::free(reader);
}

size_t rcs_list(void (*each)(const char* name, void* context), void* context) {
  DIR* directory = ::opendir(kDirectory);
  if (directory == nullptr) return 0;
  std::size_t found = 0;
  while (const dirent* entry = ::readdir(directory)) {
    if (std::strncmp(entry->d_name, kPrefix, std::strlen(kPrefix)) != 0) continue;
    const char* name = entry->d_name + std::strlen(kPrefix);
    if (rcs_name_is_valid(name) == 0) continue;
    ++found;
    if (each != nullptr) each(name, context);
  }
  ::closedir(directory);
  return found;
}

}  // extern "C"
