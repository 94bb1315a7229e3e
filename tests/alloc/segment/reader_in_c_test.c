/* The public header is C99, and a C program that links only ringcast_stats_reader can read a segment: this one. It
 * makes no segment (that is C++), so it shows that absent and foreign files are errors, and that everything links
 * without the C++ run-time library. Exit status 0: as expected. */
#include <stdio.h>
#include <string.h>

#include "alloc/segment/ringcast_stats.h"

static int failures = 0;

static void expect(int holds, const char* sentence) {
  if (!holds) {
    fprintf(stderr, "not so: %s\n", sentence);
    ++failures;
  }
}

static void count_name(const char* name, void* context) {
  (void)name;
  ++*(size_t*)context;
}

int main(int argument_count, char** arguments) {
  rcs_reader* reader = NULL;
  char sentence[RCS_SENTENCE_BYTES];
  size_t listed = 0;
  (void)argument_count;
  expect(rcs_open("there-is-no-such-node", &reader, sentence) == RCS_ABSENT, "an absent node is absent");
  expect(strstr(sentence, "there-is-no-such-node") != NULL, "the sentence names the node");
  expect(rcs_open("no/node", &reader, sentence) == RCS_BAD_NAME, "a path is no name");
  expect(rcs_open_path(arguments[0], &reader, sentence) == RCS_FOREIGN, "this program is no segment");
  expect(reader == NULL, "nothing was opened");
  expect(rcs_list(count_name, &listed) == listed, "every listed name is told");
  expect(strcmp(rcs_liveness_text(RCS_DEAD), "dead") == 0, "liveness has a word");
  expect(strcmp(rcs_health_text(99), "unknown") == 0, "a number without a word is unknown");
  expect(sizeof(rcs_header) == 256, "C sees the layout that C++ sees");
  expect(sizeof(rcs_event) == 128, "C sees the layout that C++ sees");
  rcs_close(NULL);
  return failures == 0 ? 0 : 1;
}
