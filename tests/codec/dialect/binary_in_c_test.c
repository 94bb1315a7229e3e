/* The public header of the binary dialect is C11, and a program that links nothing writes and reads records with it:
 * this one. Exit status 0: as expected. */
#include <stdio.h>
#include <string.h>

#include "codec/dialect/ringcast_binary.h"

static int failures = 0;

static void expect(int holds, const char* sentence) {
  if (!holds) {
    fprintf(stderr, "not so: %s\n", sentence);
    ++failures;
  }
}

int main(void) {
  uint8_t message[256];
  uint8_t* end = message;
  const uint8_t* at = message;
  rcb_record record;
  rcb_publication what;
  size_t cut;

  memset(&what, 0, sizeof what);
  what.channel = "orders";
  what.channel_bytes = 6;
  what.data = "{\"id\":1}";
  what.data_bytes = 8;
  what.flags = RCB_ANSWER;
  what.request = 0x0102030405060708u;
  end = rcb_write_publish(end, &what);
  expect(end == message + rcb_publish_bytes(&what), "a record is as long as was said");
  expect(end == message + 32 + 6 + 8, "and no longer than its parts");
  what.event = "e";
  what.event_bytes = 1;
  what.message_id = "id";
  what.message_id_bytes = 2;
  what.has_as_of = 1;
  what.as_of_seq = 41;
  what.flags = RCB_SNAPSHOT;
  end = rcb_write_publish(end, &what);

  expect(rcb_next(&at, end, &record) == RCB_OK, "the first record is read");
  expect(record.header.version == 1 && record.header.kind == RCB_PUBLISH, "it is a publish");
  expect(record.header.seq == 0x0102030405060708u, "its number comes back");
  expect(message[8] == 8 && message[15] == 1, "numbers are little-endian");
  expect(record.header.channel_bytes == 6 && memcmp(record.channel, "orders", 6) == 0, "its channel comes back");
  expect(record.data_bytes == 8 && memcmp(record.data, "{\"id\":1}", 8) == 0, "its data comes back");
  expect(rcb_next(&at, end, &record) == RCB_OK, "the second record is read, which is not aligned");
  expect(record.header.extra_bytes == 8 && rcb_get(record.extra, 8) == 41, "its as_of_seq comes back");
  expect(record.header.event_bytes == 1 && record.event[0] == 'e', "its event comes back");
  expect(record.header.message_id_bytes == 2 && memcmp(record.message_id, "id", 2) == 0, "its id comes back");
  expect(rcb_next(&at, end, &record) == RCB_END, "there is no third one");

  for (cut = 1; cut < 46; ++cut) {
    at = message;
    expect(rcb_next(&at, message + cut, &record) == RCB_MALFORMED, "a record that is cut short is malformed");
    expect(at == message, "and nothing is taken");
  }
  message[0] = 2;
  at = message;
  expect(rcb_next(&at, end, &record) == RCB_MALFORMED, "another version is not read");
  return failures == 0 ? 0 : 1;
}
