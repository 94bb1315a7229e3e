/* alloc/segment/ringcast_stats.h: a node's statistics, as they lie in shared memory, and how to read them.
 *
 * Plain C99, no dependency. Link the library ringcast_stats_reader. The node never waits for a reader, and never knows
 * of one: a reader maps /dev/shm/ringcast.<name> read-only and looks.
 *
 * Owner    a reader handle belongs to the thread that opened it; a handle has no shared state with another.
 * Memory   the mapping, and one copy buffer a handle.
 * Failure  every function says so by its result. A file that is truncated, foreign or damaged is an error, never a
 *          crash: every offset is checked against the file before it is used.
 * Not here what the counters mean (they describe themselves), and writing (file.hpp).
 *
 * Layout. The file starts with rcs_header. header.sections_offset leads to section_count entries of rcs_section, each
 * section_entry_bytes apart. A section has a kind, a place in the file, and entries of entry_bytes each. What a newer
 * writer adds comes as new kinds, which are skipped, or as fields at the end of an entry or a sealed record, which
 * entry_bytes steps over (rows inside a sealed record never change: that would be a new kind); both raise the minor
 * version. The major version changes when an older reader would misread, and such a reader refuses then.
 * All numbers are little-endian, as the machine's. Times are ns; "mono" is CLOCK_MONOTONIC, "wall" since 1970.
 *
 * A sealed record is a 64-bit sequence number and the record behind it. The number is odd while the one writer writes;
 * a copy is good if the number was even and the same before and after it. All words are read as atomic 64-bit words.
 */
#ifndef RINGCAST_STATS_H
#define RINGCAST_STATS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the layout ---- */

#define RCS_MAGIC "RINGCAST"            /* 8 bytes, without the final zero */
#define RCS_LAYOUT_MAJOR 1u
#define RCS_LAYOUT_MINOR 0u
#define RCS_LAYOUT_VERSION ((RCS_LAYOUT_MAJOR << 16) | RCS_LAYOUT_MINOR)

#define RCS_NAME_BYTES 64
#define RCS_SHARD_NODE 0xffffu          /* the block that belongs to no shard: the node's own thread */

enum rcs_run_state { RCS_RUN_STARTING = 0, RCS_RUN_RUNNING = 1, RCS_RUN_STOPPING = 2, RCS_RUN_STOPPED = 3 };

typedef struct rcs_header {
  char magic[8];
  uint32_t layout_version;              /* zero until everything else is in place; major << 16 | minor */
  uint32_t header_bytes;
  uint64_t total_bytes;
  uint32_t section_count;
  uint32_t section_entry_bytes;
  uint64_t sections_offset;
  uint64_t pid;
  uint64_t pid_start_ticks;             /* /proc/<pid>/stat field 22: tells a recycled pid */
  uint64_t start_wall;
  uint64_t start_mono;
  uint64_t heartbeat_mono;              /* atomic; written at least once a second */
  uint64_t heartbeat_wall;              /* atomic */
  uint32_t run_state;                   /* atomic; enum rcs_run_state */
  uint32_t shard_count;
  char name[RCS_NAME_BYTES];            /* zero-terminated, as all texts of fixed size */
  char server[RCS_NAME_BYTES];          /* "ringcast/1.0.0" */
  uint64_t pid_namespace;               /* inode of /proc/self/ns/pid: elsewhere the pid says nothing; 0: unknown */
  uint8_t reserved[24];
} rcs_header;                           /* 256 bytes */

enum rcs_section_kind {
  RCS_SECTION_COUNTER_ROWS = 1,         /* rcs_counter_row */
  RCS_SECTION_COUNTER_VALUES = 2,       /* uint64_t, one a row; one section a shard */
  RCS_SECTION_HISTOGRAM_ROWS = 3,       /* rcs_histogram_row */
  RCS_SECTION_HISTOGRAM_VALUES = 4,     /* rcs_histogram and its buckets, one a row; one section a shard */
  RCS_SECTION_LEDGER = 5,               /* sealed rcs_ledger; one a shard */
  RCS_SECTION_EVENT_ROWS = 6,           /* rcs_event_row */
  RCS_SECTION_EVENTS = 7,               /* rcs_event_ring and its rcs_event entries; one a shard */
  RCS_SECTION_CHANNELS = 8,             /* sealed rcs_channel_table; one a shard */
  RCS_SECTION_CONNECTIONS = 9,          /* sealed rcs_connection_table; one a shard */
  RCS_SECTION_HEALTH = 10,              /* sealed rcs_health */
  RCS_SECTION_MEMORY = 11,              /* sealed rcs_memory */
  RCS_SECTION_FINDINGS = 12             /* sealed rcs_findings */
};

typedef struct rcs_section {
  uint32_t kind;                        /* enum rcs_section_kind; others are to be skipped */
  uint32_t shard;                       /* 0 to shard_count - 1, or RCS_SHARD_NODE */
  uint64_t offset;                      /* from the start of the file, a multiple of 8 */
  uint64_t bytes;                       /* the whole section */
  uint32_t entry_bytes;                 /* one entry, or the whole sealed record without its sequence number */
  uint32_t entry_count;
} rcs_section;                          /* 32 bytes */

enum rcs_counter_kind { RCS_KIND_COUNTER = 1, RCS_KIND_GAUGE = 2, RCS_KIND_PEAK = 3 };

typedef struct rcs_counter_row {
  uint32_t id;                          /* index into the values; not fixed between versions: go by the label */
  uint32_t kind;                        /* enum rcs_counter_kind; how shards add up: sum, sum, greatest */
  char label[48];
  char label_set[40];                   /* "key=value", or empty */
  char unit[24];
  char description[136];
} rcs_counter_row;                      /* 256 bytes */

/* Log-linear buckets: values below 2^bits have one each; above, each power of two is cut into 2^(bits-1) equal ones.
 * A bucket is reported as its middle, so the relative error is at most 1 / 2^bits (bits = 7: 0.8%). */
typedef struct rcs_histogram_row {
  uint32_t id;
  uint32_t bits;
  uint32_t bucket_count;
  uint32_t reserved;
  char label[48];
  char unit[24];
  char description[168];
} rcs_histogram_row;                    /* 256 bytes */

typedef struct rcs_histogram {          /* bucket_count uint64_t buckets follow */
  uint64_t sum;
  uint64_t max;
} rcs_histogram;

typedef struct rcs_ledger {             /* of one instant; design.md, "The ledger" */
  uint64_t offered, sent, conflated, dropped, abandoned, queued;
} rcs_ledger;

enum rcs_severity { RCS_SEVERITY_INFO = 1, RCS_SEVERITY_WARNING = 2, RCS_SEVERITY_ERROR = 3 };

typedef struct rcs_event_row {
  uint32_t code;
  uint32_t severity;                    /* enum rcs_severity */
  char label[40];
  char a[24];                           /* what the numbers a and b of such an event mean; empty: unused */
  char b[24];
} rcs_event_row;                        /* 96 bytes */

typedef struct rcs_event_ring {         /* entry_count rcs_event follow */
  uint64_t written;                     /* atomic; entries ever written: the newest is at (written - 1) % entry_count */
  uint64_t reserved[7];
} rcs_event_ring;

typedef struct rcs_event {
  uint64_t stamp;                       /* atomic; 2n + 2 when the n-th entry (from 0) is whole; odd: being written */
  uint64_t mono;
  uint64_t wall;
  uint64_t a;
  uint64_t b;
  uint32_t code;
  uint32_t repeats;                     /* how many more like this one were not recorded: no flood washes it out */
  char text[80];
} rcs_event;                            /* 128 bytes */

#define RCS_CHANNELS 32
typedef struct rcs_channel {
  uint64_t messages;                    /* since the channel exists */
  uint64_t bytes;
  uint64_t messages_per_second;
  uint64_t readers;
  uint64_t seq;
  uint64_t epoch;
  uint64_t lag_messages_max;
  char channel[256];
} rcs_channel;                          /* 312 bytes */
typedef struct rcs_channel_table {
  uint64_t updated_wall;
  uint64_t count;
  rcs_channel rows[RCS_CHANNELS];       /* busiest first */
} rcs_channel_table;

#define RCS_CONNECTIONS 32
typedef struct rcs_connection {
  uint64_t connection;
  uint64_t lag_messages;
  uint64_t lag_bytes;
  uint64_t lag_ns;
  uint64_t charged_bytes;
  uint64_t sent_bytes;
  uint64_t opened_wall;
  uint64_t subscriptions;
  char peer[64];
  char dialect[16];
} rcs_connection;                       /* 144 bytes */
typedef struct rcs_connection_table {
  uint64_t updated_wall;
  uint64_t count;
  rcs_connection rows[RCS_CONNECTIONS]; /* slowest first */
} rcs_connection_table;

enum rcs_health_state { RCS_HEALTHY = 0, RCS_DEGRADED = 1, RCS_UNHEALTHY = 2, RCS_CRITICAL = 3 };
#define RCS_HEALTH_REASONS 8
#define RCS_HEALTH_CHECKS 256
typedef struct rcs_health_check {
  uint64_t wall;
  uint32_t state;
  uint32_t reason_count;
  char reason[48];                      /* the first one */
} rcs_health_check;                     /* 64 bytes */
typedef struct rcs_health {
  uint64_t checks;                      /* ever made; 0: none yet. The newest is at (checks - 1) % RCS_HEALTH_CHECKS */
  uint64_t checked_wall;
  uint64_t since_wall;                  /* when the state became what it is */
  uint32_t state;                       /* enum rcs_health_state */
  uint32_t reason_count;
  char reasons[RCS_HEALTH_REASONS][96];
  rcs_health_check history[RCS_HEALTH_CHECKS];
} rcs_health;

enum rcs_pressure {
  RCS_PRESSURE_NORMAL = 0,
  RCS_PRESSURE_WARNING = 1,
  RCS_PRESSURE_CRITICAL = 2,
  RCS_PRESSURE_EMERGENCY = 3
};
#define RCS_PURPOSES 32
typedef struct rcs_purpose {
  char label[32];
  uint64_t bytes;
  uint64_t bytes_peak;
} rcs_purpose;                          /* 48 bytes */
typedef struct rcs_memory {
  uint64_t updated_wall;
  uint64_t budget_bytes;
  uint64_t accounted_bytes;
  uint64_t rss_bytes;
  uint64_t allocator_committed_bytes;   /* 0: the allocator does not say */
  uint64_t allocator_committed_peak_bytes;
  uint32_t pressure;                    /* enum rcs_pressure */
  uint32_t purpose_count;
  rcs_purpose purposes[RCS_PURPOSES];
} rcs_memory;

#define RCS_FINDINGS 64
typedef struct rcs_finding {            /* what the start-up probe of the kernel and the host found */
  char key[48];
  char value[144];
} rcs_finding;                          /* 192 bytes */
typedef struct rcs_findings {
  uint64_t count;
  rcs_finding rows[RCS_FINDINGS];
} rcs_findings;

/* ---- the reader ---- */

typedef struct rcs_reader rcs_reader;

typedef enum rcs_status {
  RCS_OK = 0,
  RCS_ABSENT,          /* no such segment, or no such part in it */
  RCS_BAD_NAME,        /* not a node's name */
  RCS_DENIED,          /* exists, but may not be read */
  RCS_FOREIGN,         /* not a statistics segment */
  RCS_STARTING,        /* its version word is still zero: try again in a moment */
  RCS_OTHER_VERSION,   /* another major layout version */
  RCS_DAMAGED,         /* truncated, or an offset points outside */
  RCS_TORN,            /* a sealed record whose writer was met each time, or died half way; what is there was copied */
  RCS_NO_MEMORY
} rcs_status;

/* Whether the node lives. STALLED: the process exists, but its heartbeat is more than RCS_STALLED_AFTER_NS old. */
typedef enum rcs_liveness { RCS_ALIVE = 0, RCS_STALLED = 1, RCS_STOPPED = 2, RCS_DEAD = 3 } rcs_liveness;
#define RCS_STALLED_AFTER_NS 5000000000ull

#define RCS_SENTENCE_BYTES 256

typedef struct rcs_node {
  const char* name;        /* valid until rcs_close */
  const char* server;
  uint64_t pid;
  uint64_t start_wall;
  uint64_t uptime_ns;      /* up to now while alive, else up to the last heartbeat */
  uint64_t heartbeat_wall; /* of a dead node: when it was last seen alive */
  uint64_t heartbeat_age_ns;
  uint32_t liveness;       /* enum rcs_liveness */
  uint32_t run_state;      /* enum rcs_run_state, as last written */
  uint32_t shard_count;
  uint32_t layout_version;
} rcs_node;

/* A name is 1 to 48 of the characters A-Z a-z 0-9 . _ - and starts with none of the last three. */
#define RCS_NODE_NAME_MAX 48
int rcs_name_is_valid(const char* name);

/* Maps /dev/shm/ringcast.<name>, or the file at `path`, and checks all of its directory. `sentence`, if not NULL, has
 * RCS_SENTENCE_BYTES and gets what is wrong in words. On RCS_OK the caller owns *reader. */
rcs_status rcs_open(const char* name, rcs_reader** reader, char* sentence);
rcs_status rcs_open_path(const char* path, rcs_reader** reader, char* sentence);
void rcs_close(rcs_reader* reader);
/* Calls `each` with the name of every segment that exists on this host. Returns how many. */
size_t rcs_list(void (*each)(const char* name, void* context), void* context);

/* Asks the header, the kernel and the clock; RCS_DAMAGED if the file has shrunk since it was opened. */
rcs_status rcs_node_read(const rcs_reader* reader, rcs_node* node);
/* 1 if another file has taken the path since: the node was restarted, or the segment removed. Open again then. */
int rcs_is_replaced(const rcs_reader* reader);

/* In all that follows `shard` is 0 to shard_count - 1, RCS_SHARD_NODE, or RCS_SHARD_ALL for the node's value. */
#define RCS_SHARD_ALL 0xffffffffu

size_t rcs_counter_count(const rcs_reader* reader);
const rcs_counter_row* rcs_counter(const rcs_reader* reader, size_t index); /* NULL beyond the count */
/* The index of the row with this label and label set ("" for none), or rcs_counter_count. */
size_t rcs_counter_find(const rcs_reader* reader, const char* label, const char* label_set);
uint64_t rcs_counter_value(const rcs_reader* reader, size_t index, uint32_t shard); /* 0 for what is not there */

typedef struct rcs_distribution {
  uint64_t count;
  uint64_t sum;
  uint64_t min;        /* within the error of a bucket */
  uint64_t max;        /* exact */
  uint32_t bits;
  uint32_t bucket_count;
  uint64_t* buckets;   /* the caller's */
} rcs_distribution;

size_t rcs_histogram_count(const rcs_reader* reader);
const rcs_histogram_row* rcs_histogram_describe(const rcs_reader* reader, size_t index);
/* Fills `buckets`, which has room for the row's bucket_count. */
rcs_status rcs_histogram_read(const rcs_reader* reader, size_t index, uint32_t shard, uint64_t* buckets,
                              rcs_distribution* distribution);
/* The smallest value that `share` (0 to 1) of the values do not exceed; 0 when empty; the maximum for 1. */
uint64_t rcs_percentile(const rcs_distribution* distribution, double share);
/* How many values are at most `value`, within the error of a bucket. */
uint64_t rcs_count_at_most(const rcs_distribution* distribution, uint64_t value);

rcs_status rcs_ledger_read(const rcs_reader* reader, uint32_t shard, rcs_ledger* ledger);
int rcs_ledger_closed(const rcs_ledger* ledger);

rcs_status rcs_health_read(const rcs_reader* reader, rcs_health* health);
rcs_status rcs_memory_read(const rcs_reader* reader, rcs_memory* memory);
rcs_status rcs_findings_read(const rcs_reader* reader, rcs_findings* findings);
/* One shard's, not RCS_SHARD_ALL. */
rcs_status rcs_channels_read(const rcs_reader* reader, uint32_t shard, rcs_channel_table* table);
rcs_status rcs_connections_read(const rcs_reader* reader, uint32_t shard, rcs_connection_table* table);

typedef struct rcs_event_view {
  rcs_event event;
  uint32_t shard;
  uint32_t severity;   /* enum rcs_severity */
  const char* label;   /* valid until rcs_close */
  const char* a_label; /* empty: the number is unused */
  const char* b_label;
} rcs_event_view;

/* The newest `capacity` events of all shards, oldest first. Returns how many. */
size_t rcs_events_read(const rcs_reader* reader, rcs_event_view* events, size_t capacity);

const char* rcs_status_text(rcs_status status);
const char* rcs_liveness_text(uint32_t liveness);
const char* rcs_health_text(uint32_t state);
const char* rcs_pressure_text(uint32_t pressure);
const char* rcs_severity_text(uint32_t severity);

#ifdef __cplusplus
}
#endif

#endif /* RINGCAST_STATS_H */
