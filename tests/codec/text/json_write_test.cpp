#include "codec/text/json_write.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "codec/text/json.hpp"

namespace ringcast {
namespace {

using namespace std::string_literals;

struct EscapeRow {
  std::string_view sentence;
  std::string plain, escaped;
};
const EscapeRow kEscapeRows[] = {
    {"nothing", "", ""},
    {"plain text", "btcusdt@depth@100ms", "btcusdt@depth@100ms"},
    {"quote and backslash", "a\"b\\c", R"(a\"b\\c)"},
    {"a slash stays", "a/b", "a/b"},
    {"control characters with a short form", "\b\f\n\r\t", R"(\b\f\n\r\t)"},
    {"control characters without one", "\x01\x1F\0"s, R"(\u0001\u001f\u0000)"},
    {"DEL and UTF-8 stay", "\x7F\xC3\xA9\xF0\x9F\x98\x80", "\x7F\xC3\xA9\xF0\x9F\x98\x80"},
};

TEST(JsonWrite, EscapesWhatRfc8259DemandsAndAnnouncesItsSize) {
  for (const EscapeRow& row : kEscapeRows) {
    EXPECT_EQ(escaped_size(row.plain), row.escaped.size()) << row.sentence;
    std::vector<std::uint8_t> out(row.escaped.size() + 1, 0xEE);
    EXPECT_EQ(write_escaped(row.plain, out.data()), out.data() + row.escaped.size()) << row.sentence;
    EXPECT_EQ(std::string(out.begin(), out.end() - 1), row.escaped) << row.sentence;
    EXPECT_EQ(out.back(), 0xEE) << "nothing is written behind the announced size";
    std::string text = "x";
    append_json_string(text, row.plain);
    EXPECT_EQ(text, "x\"" + row.escaped + "\"") << row.sentence;
  }
}

TEST(JsonWrite, IsUndoneByReading) {
  std::mt19937 random{11};
  JsonReader reader;
  for (int round = 0; round < 500; ++round) {
    std::string plain;
    for (std::size_t i = random() % 40; i > 0; --i) {
      plain += static_cast<char>(random() % 0x80);
      plain += random() % 5 == 0 ? "\xE2\x82\xAC" : "";
    }
    std::string text = "{\"s\":";
    append_json_string(text, plain);
    text += "}";
    ASSERT_TRUE(reader.read(text).has_value());
    EXPECT_EQ(reader.string_of(*reader.find("s")), plain);
    EXPECT_TRUE(escaped_equals(reader.find("s")->inside_quotes(), plain));
  }
}

}  // namespace
}  // namespace ringcast
