/* codec/dialect/ringcast_binary.h: the binary dialect ringcast.v1.bin, for programs that speak it.
 *
 * Plain C11 and C++, no dependency, nothing to link: include it. A client offers the subprotocol RCB_SUBPROTOCOL at /ws
 * or /ws/connect. Its commands and their replies are then the JSON text messages of the native dialect; messages, gap
 * notices, and publishes with their answers are binary messages of one or more records, one behind the other.
 *
 * Thread   any.  Memory  the caller's: rcb_next() gives views into what it reads.
 * Failure  rcb_next() answers RCB_MALFORMED and never reads beyond the end it was given.
 * Not here WebSocket framing, and the JSON part (docs/protocol.md, section 3).
 *
 * A record is a header of 32 bytes and payload_bytes more:
 *
 *   offset  bytes  field              message       gap              published     error        publish
 *        0      1  version            1             1                1             1            1
 *        1      1  kind               1             2                3             4            64
 *        2      2  flags              SNAPSHOT,     -                DUPLICATE     -            SNAPSHOT, ANSWER, HIGH
 *                                      STORED
 *        4      4  channel_id         the channel   the channel      the channel   0            0
 *        8      8  seq                its own       the first missed its own       0            the client's own number
 *       16      8  time_ns            published at  0                0             0            0
 *       24      4  payload_bytes      what follows this header, all of it
 *       28      1  channel_bytes      0             0, or new epoch  0             or 0         1 to 255
 *       29      1  event_bytes        or 0          0                0             0            or 0
 *       30      1  message_id_bytes   or 0          0                0             0            or 0
 *       31      1  extra_bytes        0, or 8       24: rcb_gap      16            16           0, or 8
 *
 * and behind it, without padding: the extra, the channel's name, the event, the message id, and the data, which is all
 * that is left. The extra of a message or publish is as_of_seq: of a snapshot that says so, it is the state after every
 * message with a smaller seq. Numbers are little-endian. Nothing is aligned: a second record begins where the first
 * one ends, so read numbers with rcb_next(), not through a pointer.
 *
 * What a later version adds comes as new kinds, as flags, or as bytes at the end of an extra: skip what you do not
 * know. The server is stricter with what it is sent: an unknown kind or flag, or a field that must be 0 and is not, is
 * refused, so that it can get a meaning later.
 *
 * channel_id is node-wide, one for each channel and epoch: `subscribed` says it, and so does a gap notice about a new
 * epoch. It is never 0 in what a subscriber is sent. A publish names its channel by name: a publisher need not have
 * subscribed, and its name does not change with the epoch.
 */
#ifndef RINGCAST_BINARY_H
#define RINGCAST_BINARY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#define RCB_ASSERT(holds, sentence) static_assert(holds, sentence)
#else
#define RCB_ASSERT(holds, sentence) _Static_assert(holds, sentence)
#endif

/* ---- the layout ---- */

#define RCB_SUBPROTOCOL "ringcast.v1.bin"
#define RCB_VERSION 1
#define RCB_HEADER_BYTES 32

enum rcb_kind {
  /* from the server */
  RCB_MESSAGE = 1,   /* one message of a channel that the client has subscribed to */
  RCB_GAP = 2,       /* messages that it is not sent; comes before the next message. extra: rcb_gap */
  RCB_PUBLISHED = 3, /* answers a publish that asked for it: sequenced and kept. extra: rcb_published */
  RCB_ERROR = 4,     /* a publish was refused. extra: rcb_error; data: why, UTF-8 */
  /* from the client */
  RCB_PUBLISH = 64
};

enum rcb_flag {
  RCB_SNAPSHOT = 0x0001,  /* message, publish: the state of the channel */
  RCB_ANSWER = 0x0002,    /* publish: wants RCB_PUBLISHED; an error is answered in any case */
  RCB_HIGH = 0x0004,      /* publish: its channel goes first where a subscriber has several */
  RCB_DUPLICATE = 0x0008, /* published: nothing was sequenced; seq and epoch are the first one's */
  RCB_STORED = 0x0010     /* message: its user was away when it was published */
};

/* Why messages are missing: "conflated", "dropped", "expired", "epoch" of the native dialect. */
enum rcb_gap_reason { RCB_CONFLATED = 1, RCB_DROPPED = 2, RCB_EXPIRED = 3, RCB_EPOCH = 4 };

/* The error codes of the native dialect, in its order. */
enum rcb_error_code {
  RCB_INVALID_MESSAGE = 1,
  RCB_RATE_LIMITED = 2,
  RCB_UNAUTHORIZED = 3,
  RCB_AUTH_REQUIRED = 4,
  RCB_AUTH_FAILED = 5,
  RCB_PROCESSING_ERROR = 6,
  RCB_CONNECTION_CLOSED = 7,
  RCB_UNKNOWN_CHANNEL = 8,
  RCB_TOO_MANY_SUBSCRIPTIONS = 9,
  RCB_MESSAGE_TOO_LARGE = 10,
  RCB_OVERLOADED = 11,
  RCB_NOT_SUPPORTED = 12
};

typedef struct rcb_header {
  uint8_t version;          /* RCB_VERSION */
  uint8_t kind;             /* enum rcb_kind */
  uint16_t flags;           /* enum rcb_flag, ored */
  uint32_t channel_id;
  uint64_t seq;
  uint64_t time_ns;         /* message: when it was published, ns since 1970 */
  uint32_t payload_bytes;   /* all that follows the header */
  uint8_t channel_bytes;
  uint8_t event_bytes;
  uint8_t message_id_bytes;
  uint8_t extra_bytes;
} rcb_header;

typedef struct rcb_gap {
  uint64_t to;              /* the last one missed; header.seq is the first */
  uint64_t epoch;           /* of the channel now */
  uint32_t reason;          /* enum rcb_gap_reason. RCB_EPOCH: seq and to are of the old epoch, header.channel_id is the
                               new epoch's, and the channel's name is in the record */
  uint32_t reserved;
} rcb_gap;

typedef struct rcb_published {
  uint64_t request;         /* header.seq of the publish */
  uint64_t epoch;
} rcb_published;

typedef struct rcb_error {
  uint64_t request;         /* header.seq of the publish; 0 where it could not be read */
  uint32_t code;            /* enum rcb_error_code */
  uint32_t retry_after_ms;  /* 0: not said */
} rcb_error;

RCB_ASSERT(sizeof(rcb_header) == RCB_HEADER_BYTES, "the header is 32 bytes");
RCB_ASSERT(offsetof(rcb_header, version) == 0, "as the table above says");
RCB_ASSERT(offsetof(rcb_header, kind) == 1, "as the table above says");
RCB_ASSERT(offsetof(rcb_header, flags) == 2, "as the table above says");
RCB_ASSERT(offsetof(rcb_header, channel_id) == 4, "as the table above says");
RCB_ASSERT(offsetof(rcb_header, seq) == 8, "as the table above says");
RCB_ASSERT(offsetof(rcb_header, time_ns) == 16, "as the table above says");
RCB_ASSERT(offsetof(rcb_header, payload_bytes) == 24, "as the table above says");
RCB_ASSERT(offsetof(rcb_header, channel_bytes) == 28, "as the table above says");
RCB_ASSERT(offsetof(rcb_header, event_bytes) == 29, "as the table above says");
RCB_ASSERT(offsetof(rcb_header, message_id_bytes) == 30, "as the table above says");
RCB_ASSERT(offsetof(rcb_header, extra_bytes) == 31, "as the table above says");
RCB_ASSERT(sizeof(rcb_gap) == 24 && offsetof(rcb_gap, epoch) == 8 && offsetof(rcb_gap, reason) == 16, "no padding");
RCB_ASSERT(sizeof(rcb_published) == 16 && offsetof(rcb_published, epoch) == 8, "no padding");
RCB_ASSERT(sizeof(rcb_error) == 16 && offsetof(rcb_error, code) == 8, "no padding");

/* ---- numbers, on a machine of either order ---- */

static inline uint64_t rcb_get(const uint8_t* from, size_t bytes) {
  uint64_t number = 0;
  size_t i;
  for (i = 0; i < bytes; ++i) number |= (uint64_t)from[i] << (8 * i);
  return number;
}
static inline void rcb_put(uint8_t* to, size_t bytes, uint64_t number) {
  size_t i;
  for (i = 0; i < bytes; ++i) to[i] = (uint8_t)(number >> (8 * i));
}

/* ---- reading ---- */

/* One record. Views into the bytes that were read; none of the texts ends with a zero. */
typedef struct rcb_record {
  rcb_header header;        /* numbers in the machine's order */
  const uint8_t* extra;     /* header.extra_bytes */
  const char* channel;      /* header.channel_bytes */
  const char* event;        /* header.event_bytes */
  const char* message_id;   /* header.message_id_bytes */
  const uint8_t* data;
  uint32_t data_bytes;
} rcb_record;

enum rcb_result {
  RCB_MALFORMED = -1,       /* cut short, of another version, or parts that are larger than the whole */
  RCB_END = 0,              /* no record is left */
  RCB_OK = 1
};

/* Reads the header at `from`, which has RCB_HEADER_BYTES. */
static inline rcb_header rcb_read_header(const uint8_t* from) {
  rcb_header header;
  header.version = from[0];
  header.kind = from[1];
  header.flags = (uint16_t)rcb_get(from + 2, 2);
  header.channel_id = (uint32_t)rcb_get(from + 4, 4);
  header.seq = rcb_get(from + 8, 8);
  header.time_ns = rcb_get(from + 16, 8);
  header.payload_bytes = (uint32_t)rcb_get(from + 24, 4);
  header.channel_bytes = from[28];
  header.event_bytes = from[29];
  header.message_id_bytes = from[30];
  header.extra_bytes = from[31];
  return header;
}

/* Takes the record at *at, which lies before `end`, and moves *at behind it. After RCB_MALFORMED *at has not moved, and
 * what follows cannot be read either; record->header is good if there were bytes enough for one, and 0 otherwise. */
static inline enum rcb_result rcb_next(const uint8_t** at, const uint8_t* end, rcb_record* record) {
  const size_t left = (size_t)(end - *at);
  const uint8_t* part;
  size_t parts;
  memset(record, 0, sizeof *record);
  if (left == 0) return RCB_END;
  if (left < RCB_HEADER_BYTES) return RCB_MALFORMED;
  record->header = rcb_read_header(*at);
  if (record->header.version != RCB_VERSION) return RCB_MALFORMED;
  if (record->header.payload_bytes > left - RCB_HEADER_BYTES) return RCB_MALFORMED;
  parts = (size_t)record->header.extra_bytes + record->header.channel_bytes + record->header.event_bytes +
          record->header.message_id_bytes;
  if (parts > record->header.payload_bytes) return RCB_MALFORMED;
  part = *at + RCB_HEADER_BYTES;
  record->extra = part;
  part += record->header.extra_bytes;
  record->channel = (const char*)part;
  part += record->header.channel_bytes;
  record->event = (const char*)part;
  part += record->header.event_bytes;
  record->message_id = (const char*)part;
  part += record->header.message_id_bytes;
  record->data = part;
  record->data_bytes = record->header.payload_bytes - (uint32_t)parts;
  *at = part + record->data_bytes;
  return RCB_OK;
}

/* The extra of a record of that kind. 0, and nothing written: the record is of another kind, or its extra is too short
 * to be one. */
static inline int rcb_get_gap(const rcb_record* record, rcb_gap* gap) {
  if (record->header.kind != RCB_GAP || record->header.extra_bytes < sizeof *gap) return 0;
  gap->to = rcb_get(record->extra, 8);
  gap->epoch = rcb_get(record->extra + 8, 8);
  gap->reason = (uint32_t)rcb_get(record->extra + 16, 4);
  gap->reserved = 0;
  return 1;
}
/* as_of_seq of a message or publish; 0: it says none. */
static inline uint64_t rcb_get_as_of(const rcb_record* record) {
  return record->header.extra_bytes >= 8 ? rcb_get(record->extra, 8) : 0;
}
static inline int rcb_get_published(const rcb_record* record, rcb_published* published) {
  if (record->header.kind != RCB_PUBLISHED || record->header.extra_bytes < sizeof *published) return 0;
  published->request = rcb_get(record->extra, 8);
  published->epoch = rcb_get(record->extra + 8, 8);
  return 1;
}
static inline int rcb_get_error(const rcb_record* record, rcb_error* error) {
  if (record->header.kind != RCB_ERROR || record->header.extra_bytes < sizeof *error) return 0;
  error->request = rcb_get(record->extra, 8);
  error->code = (uint32_t)rcb_get(record->extra + 8, 4);
  error->retry_after_ms = (uint32_t)rcb_get(record->extra + 12, 4);
  return 1;
}

/* ---- writing ---- */

static inline void rcb_write_header(uint8_t* to, const rcb_header* header) {
  to[0] = header->version;
  to[1] = header->kind;
  rcb_put(to + 2, 2, header->flags);
  rcb_put(to + 4, 4, header->channel_id);
  rcb_put(to + 8, 8, header->seq);
  rcb_put(to + 16, 8, header->time_ns);
  rcb_put(to + 24, 4, header->payload_bytes);
  to[28] = header->channel_bytes;
  to[29] = header->event_bytes;
  to[30] = header->message_id_bytes;
  to[31] = header->extra_bytes;
}

/* What one publish says. */
typedef struct rcb_publication {
  const char* channel;      /* UTF-8, 1 to 255 bytes */
  const char* event;        /* UTF-8; 0 bytes: none */
  const char* message_id;   /* UTF-8; 0 bytes: none */
  const void* data;         /* one JSON value, or bytes where the namespace says payload = "binary" */
  uint32_t data_bytes;
  uint8_t channel_bytes;
  uint8_t event_bytes;
  uint8_t message_id_bytes;
  uint8_t has_as_of;        /* with RCB_SNAPSHOT only */
  uint16_t flags;           /* RCB_SNAPSHOT, RCB_ANSWER, RCB_HIGH */
  uint64_t as_of_seq;
  uint64_t request;         /* the client's own number, named in the answer */
} rcb_publication;

/* How many bytes rcb_write_publish() writes. */
static inline size_t rcb_publish_bytes(const rcb_publication* what) {
  return (size_t)RCB_HEADER_BYTES + (what->has_as_of ? 8u : 0u) + what->channel_bytes + what->event_bytes +
         what->message_id_bytes + what->data_bytes;
}

/* Writes one record and returns the byte after its last. */
static inline uint8_t* rcb_write_publish(uint8_t* to, const rcb_publication* what) {
  rcb_header header;
  memset(&header, 0, sizeof header);
  header.version = RCB_VERSION;
  header.kind = RCB_PUBLISH;
  header.flags = what->flags;
  header.seq = what->request;
  header.payload_bytes = (uint32_t)(rcb_publish_bytes(what) - RCB_HEADER_BYTES);
  header.channel_bytes = what->channel_bytes;
  header.event_bytes = what->event_bytes;
  header.message_id_bytes = what->message_id_bytes;
  header.extra_bytes = what->has_as_of ? 8 : 0;
  rcb_write_header(to, &header);
  to += RCB_HEADER_BYTES;
  if (what->has_as_of) {
    rcb_put(to, 8, what->as_of_seq);
    to += 8;
  }
  if (what->channel_bytes != 0) memcpy(to, what->channel, what->channel_bytes);
  to += what->channel_bytes;
  if (what->event_bytes != 0) memcpy(to, what->event, what->event_bytes);
  to += what->event_bytes;
  if (what->message_id_bytes != 0) memcpy(to, what->message_id, what->message_id_bytes);
  to += what->message_id_bytes;
  if (what->data_bytes != 0) memcpy(to, what->data, what->data_bytes);
  return to + what->data_bytes;
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RINGCAST_BINARY_H */
