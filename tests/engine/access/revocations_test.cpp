// The list of tokens that are worth nothing any more.
#include "engine/access/revocations.hpp"

#include <gtest/gtest.h>

namespace ringcast {
namespace {

constexpr WallTime at(std::int64_t since_1970) { return WallTime{seconds{since_1970}}; }

TEST(Revocations, EveryLineIsOneEntryAndTheRestIsIgnored) {
  const auto list = Revocations::read(
      "# who is out\n\n  token 7f3c9a  \r\nuser alice\n\tuser bob before 100\nuser bob before 50\n"
      "user \"a \\\"b\\\" c\"\ntoken \"# no comment\"\nall before 20");
  ASSERT_TRUE(list) << list.error();
  EXPECT_EQ(list->size(), 6U);
  const struct {
    std::string_view sentence, token, user;
    std::int64_t issued;
    bool revoked;
  } rows[] = {
      {"nobody", "", "carol", 30, false},
      {"a token", "7f3c9a", "carol", 30, true},
      {"a longer one", "7f3c9a0", "carol", 30, false},
      {"no id is no token's", "", "carol", 30, false},
      {"a user", "x", "alice", 1'000'000, true},
      {"a user's id is not a token's", "alice", "carol", 30, false},
      {"a user before: the later bound counts", "", "bob", 99, true},
      {"a user from then on", "", "bob", 100, false},
      {"a user's token that does not say when", "", "bob", 0, true},
      {"a name with spaces and quotes", "", "a \"b\" c", 30, true},
      {"a quoted name is no comment", "# no comment", "carol", 30, true},
      {"everybody before", "", "carol", 19, true},
      {"everybody from then on", "", "carol", 20, false},
  };
  for (const auto& row : rows) EXPECT_EQ(list->has(row.token, row.user, at(row.issued)), row.revoked) << row.sentence;
}

TEST(Revocations, ALineThatIsNoEntryIsNamed) {
  for (const std::string_view line :
       {"tokens x", "token", "token x y", "user", "user x y", "user x before", "user x before soon", "user x before -1",
        "user x before 10 11", "user x before 99999999999", "all", "all before", "all x", "user \"open", "user \"\"",
        "user \"\\q\"", "7f3c9a", "token \"a\\"}) {
    const auto list = Revocations::read(std::string{"token fine\n"}.append(line));
    ASSERT_FALSE(list) << line;
    EXPECT_TRUE(list.error().starts_with("line 2: ")) << list.error();
  }
  EXPECT_EQ(Revocations::read("")->size(), 0U);
}

}  // namespace
}  // namespace ringcast
