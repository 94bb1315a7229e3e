#include "codec/text/channel_name.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/codec/guarded_bytes.hpp"

namespace ringcast {
namespace {

using namespace std::string_literals;

struct NameRow {
  std::string_view sentence;
  std::string name;
  ChannelNameFault fault;
};
const NameRow kNameRows[] = {
    {"a plain name", "orders", ChannelNameFault::none},
    {"separators", "btcusdt@depth@100ms/a.b:c", ChannelNameFault::none},
    {"spaces and quotes", "a \"b\" \\c", ChannelNameFault::none},
    {"UTF-8", "\xC3\xA9t\xC3\xA9 \xF0\x9F\x98\x80", ChannelNameFault::none},
    {"the server's", "$sys/stats", ChannelNameFault::none},
    {"the longest", std::string(255, 'x'), ChannelNameFault::none},
    {"the first printable character above the C1 controls", "\xC2\xA0", ChannelNameFault::none},
    {"no name", "", ChannelNameFault::empty},
    {"one byte too long", std::string(256, 'x'), ChannelNameFault::too_long},
    {"a newline", "a\nb", ChannelNameFault::control_character},
    {"a NUL", "a\0b"s, ChannelNameFault::control_character},
    {"the last C0 control", "\x1F", ChannelNameFault::control_character},
    {"DEL", "a\x7F", ChannelNameFault::control_character},
    {"the first C1 control", "\xC2\x80", ChannelNameFault::control_character},
    {"the last C1 control", "a\xC2\x9F", ChannelNameFault::control_character},
    {"a stray continuation byte", "a\x80", ChannelNameFault::not_utf8},
    {"a sequence cut short", "a\xE2\x82", ChannelNameFault::not_utf8},
    {"a lead byte at the end", "\xC2", ChannelNameFault::not_utf8},
    {"an overlong form", "\xC0\xAF", ChannelNameFault::not_utf8},
    {"a surrogate", "\xED\xA0\x80", ChannelNameFault::not_utf8},
};

TEST(ChannelName, MustBeShortPrintableUtf8) {
  GuardedBytes guarded{256};
  for (const NameRow& row : kNameRows) {
    EXPECT_EQ(check_channel_name(as_text(guarded.place(as_bytes(row.name)))), row.fault) << row.sentence;
    EXPECT_EQ(is_valid_channel_name(row.name), row.fault == ChannelNameFault::none) << row.sentence;
    EXPECT_FALSE(sentence_of(row.fault).empty());
  }
}

TEST(ChannelName, SaysWhoseItIs) {
  EXPECT_TRUE(is_server_channel("$sys/stats"));
  EXPECT_TRUE(is_server_channel("$"));
  EXPECT_FALSE(is_server_channel("a$"));
  EXPECT_TRUE(is_user_channel("user:42"));
  EXPECT_FALSE(is_user_channel("user"));
  EXPECT_FALSE(is_user_channel("users:42"));
}

TEST(ChannelName, AUserIsNamedByWhatMakesOneChannelName) {
  struct Row {
    std::string id;
    bool valid;
  };
  const Row rows[] = {{"42", true},
                      {std::string(250, 'u'), true},
                      {std::string(251, 'u'), false},
                      {"", false},
                      {"a b:c@d/e.f", true},
                      {"\xC3\xA9", true},
                      {"\xC3", false},
                      {"a\n", false},
                      {"*", false},
                      {"a>", false}};
  for (const Row& row : rows) {
    EXPECT_EQ(is_valid_user_id(row.id), row.valid) << row.id;
    EXPECT_TRUE(!row.valid || is_valid_channel_name(std::string{kUserPrefix} + row.id)) << row.id;
  }
}

}  // namespace
}  // namespace ringcast
