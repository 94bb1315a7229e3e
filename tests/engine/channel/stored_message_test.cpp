#include "engine/channel/stored_message.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringcast {
namespace {

struct Row {
  std::string_view sentence;
  std::string event;
  std::string message_id;
  std::string data;
  bool snapshot;
};

TEST(StoredMessage, ReadsBackWhatWasWritten) {
  const Row rows[] = {
      {"only a payload", "", "", "1", false},
      {"everything", "order_update", "7f3c", R"({"order_id":17})", true},
      {"a snapshot without more", "", "", "[]", true},
      {"the longest event and id", std::string(255, 'e'), std::string(255, 'i'), "null", false},
      {"parts with zero bytes in them", std::string("a\0b", 3), std::string("\0", 1), "\"x\"", false},
      {"a large payload", "e", "i", '"' + std::string(100'000, 'x') + '"', false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const MessageView message{.channel = "not stored",
                              .published_at = WallTime{nanoseconds{1'790'000'000'123'456'789}},
                              .event = row.event,
                              .message_id = row.message_id,
                              .data = row.data,
                              .snapshot = row.snapshot};
    std::vector<std::uint8_t> record(stored_size(message) + 1, 0xee);
    write_stored(message, record.data());
    EXPECT_EQ(record.back(), 0xee);  // not one byte more
    record.pop_back();
    const MessageView read = read_stored(record);
    EXPECT_EQ(read.published_at, message.published_at);
    EXPECT_EQ(read.event, row.event);
    EXPECT_EQ(read.message_id, row.message_id);
    EXPECT_EQ(read.data, row.data);
    EXPECT_EQ(read.snapshot, row.snapshot);
  }
}

TEST(StoredMessageDeathTest, ARecordThatWeDidNotWriteStopsTheProcess) {
  const MessageView message{.channel = {}, .event = "e", .message_id = "i", .data = "12"};
  std::vector<std::uint8_t> record(stored_size(message));
  write_stored(message, record.data());
  record.push_back(0);
  EXPECT_DEATH((void)read_stored(record), "as long as its header says");
  record.resize(record.size() - 2);
  EXPECT_DEATH((void)read_stored(record), "as long as its header says");
  record.resize(10);
  EXPECT_DEATH((void)read_stored(record), "has its header");
}

}  // namespace
}  // namespace ringcast
