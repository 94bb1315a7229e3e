#include "codec/text/json.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <random>
#include <string>
#include <vector>

#include "tests/codec/guarded_bytes.hpp"

namespace ringcast {
namespace {

using namespace std::string_literals;

struct ValidityRow {
  std::string_view sentence;
  std::string text;
  bool valid;
};

const ValidityRow kValidityRows[] = {
    {"an empty object", "{}", true},
    {"an empty array", "[]", true},
    {"white space of all four kinds around everything", " \t\r\n{ \n\"a\" \t: [ 1 , 2 ] \r} \n", true},
    {"a bare number", "0", true},
    {"a bare string", "\"\"", true},
    {"a bare word", "null", true},
    {"the three words", "[true,false,null]", true},
    {"nesting of both kinds", R"({"a":[{"b":[[]]},{}],"c":{}})", true},
    {"numbers of every shape", "[0,-0,1,-1,10,1.5,-0.25,1e5,1E+5,1e-5,0.0e0,1.25E10]", true},
    {"an integer beyond 64 bits, relayed as sent", "123456789012345678901234567890", true},
    {"a number beyond double, relayed as sent", "1e400", true},
    {"every escape", R"("\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC")", true},
    {"a surrogate pair", R"("\ud83d\uDE00")", true},
    {"an escaped NUL", R"("\u0000")", true},
    {"UTF-8 of two, three and four bytes", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"", true},
    {"DEL, which JSON allows", "\"\x7F\"", true},
    {"duplicate names inside a payload are the payload's business", R"([{"a":1,"a":2}])", true},

    {"nothing", "", false},
    {"only white space", "  \n", false},
    {"nearly JSON, deep inside", R"({"a":nonsense 12})", false},
    {"nearly JSON, deeper inside", R"({"b":{"a":[1,{"c":nonsense}]}})", false},
    {"bytes after the value", "{} x", false},
    {"two values", "1 2", false},
    {"a NUL after the value", "{}\0"s, false},
    {"a comma after the last element", "[1,]", false},
    {"a comma after the last member", R"({"a":1,})", false},
    {"a comma before the first element", "[,1]", false},
    {"two commas", "[1,,2]", false},
    {"no comma", "[1 2]", false},
    {"no colon", R"({"a" 1})", false},
    {"a comma for a colon", R"({"a",1})", false},
    {"no name", "{:1}", false},
    {"a name that is no string", "{a:1}", false},
    {"a number for a name", "{1:1}", false},
    {"a name without a value", R"({"a":})", false},
    {"single quotes", "{'a':1}", false},
    {"an object closed as an array", R"({"a":1])", false},
    {"an array closed as an object", "[1}", false},
    {"an object that does not close", R"({"a":1)", false},
    {"an array that does not close", "[1,2", false},
    {"one bracket too many", "[1]]", false},
    {"a string that does not close", "\"abc", false},
    {"a string whose closing quote is escaped", "\"abc\\\"", false},
    {"a backslash at the end", "\"\\", false},
    {"an unknown escape", R"("\x41")", false},
    {"an escape with a capital letter", R"("\N")", false},
    {"an escaped single quote", R"("\'")", false},
    {"a short unicode escape", R"("\u12")", false},
    {"a short unicode escape at the end", "\"\\u123", false},
    {"a unicode escape of no hexadecimal digits", R"("\u12g4")", false},
    {"a high surrogate alone", R"("\ud800")", false},
    {"a high surrogate and a plain character", R"("\ud800abcdef")", false},
    {"two high surrogates", R"("\ud800\ud800")", false},
    {"a low surrogate alone", R"("\udc00")", false},
    {"surrogates in the wrong order", R"("\udc00\ud800")", false},
    {"a high surrogate and another escape", R"("\ud83d\n00000")", false},
    {"a raw newline in a string", "\"a\nb\"", false},
    {"a raw tab in a string", "\"a\tb\"", false},
    {"a raw NUL in a string", "\"a\0b\""s, false},
    {"the last control character in a string", "\"\x1F\"", false},
    {"a stray continuation byte", "\"\x80\"", false},
    {"a sequence cut by the quote", "\"\xE2\x82\"", false},
    {"an overlong slash", "\"\xC0\xAF\"", false},
    {"an overlong sequence of three bytes", "\"\xE0\x9F\xBF\"", false},
    {"an overlong sequence of four bytes", "\"\xF0\x8F\xBF\xBF\"", false},
    {"an encoded surrogate", "\"\xED\xA0\x80\"", false},
    {"a character above U+10FFFF", "\"\xF4\x90\x80\x80\"", false},
    {"a byte that UTF-8 never has", "\"\xFF\"", false},
    {"UTF-8 outside of a string", "\xC3\xA9", false},
    {"a byte order mark", "\xEF\xBB\xBF{}", false},
    {"not a number", "NaN", false},
    {"infinity", "[Infinity]", false},
    {"minus infinity", "-Infinity", false},
    {"a leading zero", "01", false},
    {"a negative leading zero", "[-012]", false},
    {"a leading plus", "+1", false},
    {"a minus alone", "-", false},
    {"a point without digits before", ".5", false},
    {"a point without digits after", "1.", false},
    {"a point before an exponent", "1.e5", false},
    {"an exponent without digits", "[1e]", false},
    {"a signed exponent without digits", "[1e+]", false},
    {"a hexadecimal number", "0x10", false},
    {"a word cut short", "tru", false},
    {"a word with a tail", "truex", false},
    {"a word in capitals", "True", false},
    {"a word that is not one", "undefined", false},
    {"a comment", "{/*c*/}", false},
    {"a form feed as white space", "\f1", false},
    {"a no-break space as white space",
     "\xC2\xA0"
     "1",
     false},
};

TEST(Json, AcceptsExactlyWhatRfc8259Calls) {
  for (const ValidityRow& row : kValidityRows) {
    EXPECT_EQ(is_valid_json(row.text), row.valid) << row.sentence;
  }
}

TEST(Json, NeverReadsBehindItsText) {
  JsonReader reader;
  GuardedBytes guarded{1'000};
  for (const ValidityRow& row : kValidityRows) {
    const std::string_view text = as_text(guarded.place(as_bytes(row.text)));
    EXPECT_EQ(is_valid_json(text), row.valid) << row.sentence;
    EXPECT_EQ(reader.read(text).has_value(), row.valid) << row.sentence;
  }
}

TEST(Json, NeverReadsBehindAnyPrefixOfAValidText) {
  GuardedBytes guarded{1'000};
  const std::string text = R"({"a long enough name":"and a longer value with \u20ac and \ud83d\ude00 in it",)"
                           R"("n":[-12.5e+3,true,false,null],"\u0061":{}})";
  ASSERT_TRUE(is_valid_json(text));
  JsonReader reader;
  for (std::size_t bytes = 0; bytes < text.size(); ++bytes) {
    const std::string_view prefix = as_text(guarded.place(as_bytes(text).first(bytes)));
    EXPECT_FALSE(is_valid_json(prefix)) << bytes;
    EXPECT_FALSE(reader.read(prefix).has_value()) << bytes;
    ObjectWalk walk{prefix};
    while (walk.next()) {}
  }
}

TEST(Json, SeesABadByteAtEveryPlaceOfAString) {
  for (std::size_t length = 1; length <= 70; ++length) {
    for (std::size_t place = 0; place < length; ++place) {
      for (const char bad : {'\x01', '\xFF', '\\', '"'}) {
        std::string text = "\"" + std::string(length, 'x') + "\"";
        ASSERT_TRUE(is_valid_json(text));
        text[1 + place] = bad;
        EXPECT_FALSE(is_valid_json(text)) << "length " << length << ", place " << place;
      }
    }
  }
}

TEST(Json, NestsToItsBoundAndNoFurther) {
  const auto nested = [](std::size_t depth, bool objects) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) {
      text += objects && i % 2 == 0 ? "{\"a\":" : "[";
    }
    text += "1";
    for (std::size_t i = depth; i > 0; --i) {
      text += objects && (i - 1) % 2 == 0 ? "}" : "]";
    }
    return text;
  };
  JsonReader reader;
  for (const bool objects : {false, true}) {
    EXPECT_TRUE(validate_json(nested(kJsonDepthMax, objects)).has_value());
    EXPECT_FALSE(validate_json(nested(kJsonDepthMax + 1, objects)).has_value());
    EXPECT_TRUE(is_valid_json(nested(kPayloadDepthMax, objects)));
    EXPECT_FALSE(is_valid_json(nested(kPayloadDepthMax + 1, objects)));
    EXPECT_TRUE(reader.read(nested(kJsonDepthMax, objects)).has_value());
    EXPECT_FALSE(reader.read(nested(kJsonDepthMax + 1, objects)).has_value());
    EXPECT_FALSE(validate_json(nested(100'000, objects)).has_value());
  }
  EXPECT_FALSE(validate_json("[1]", 0).has_value());
  EXPECT_TRUE(validate_json("1", 0).has_value());
}

TEST(Json, SaysWhereATextIsWrong) {
  const Result<JsonKind, JsonError> result = validate_json(R"({"a":nonsense 12})");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().at, 5U);
  EXPECT_FALSE(result.error().sentence.empty());
  EXPECT_EQ(validate_json("[1").error().at, 2U);
}

TEST(JsonReader, TakesTheMembersOfAnObjectAsTheyAreWritten) {
  JsonReader reader;
  const std::string text =
      R"( { "type" : "publish", "data" :  {"x": [1, 2]} , "id":12.50,"yes":true,"no":false,"nil":null } )";
  ASSERT_EQ(reader.read(text).value(), JsonKind::object);
  ASSERT_EQ(reader.members().size(), 6U);
  EXPECT_EQ(reader.find("data")->text, R"({"x": [1, 2]})");
  EXPECT_EQ(reader.find("data")->kind, JsonKind::object);
  EXPECT_EQ(reader.find("id")->text, "12.50");
  EXPECT_EQ(reader.find("id")->kind, JsonKind::number);
  EXPECT_EQ(reader.string_of(*reader.find("type")), "publish");
  EXPECT_TRUE(reader.find("yes")->is_true());
  EXPECT_FALSE(reader.find("no")->is_true());
  EXPECT_EQ(reader.find("nil")->kind, JsonKind::null);
  EXPECT_EQ(reader.find("x"), nullptr) << "members of members are not members";
}

TEST(JsonReader, UnescapesNamesAndStrings) {
  JsonReader reader;
  const std::string text = R"({"ty\u0070e":"a\"b\\c\/d\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00","plain":"x"})";
  ASSERT_TRUE(reader.read(text).has_value());
  ASSERT_NE(reader.find("type"), nullptr);
  EXPECT_EQ(reader.string_of(*reader.find("type")), "a\"b\\c/d\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(reader.string_of(*reader.find("plain")), "x");
}

struct DuplicateRow {
  std::string_view sentence, text;
  bool accepted;
};
constexpr DuplicateRow kDuplicateRows[] = {
    {"the same member twice", R"({"type":"ping","type":"ping"})", false},
    {"the second spelled with an escape", R"({"type":"ping","ty\u0070e":"publish"})", false},
    {"the first spelled with an escape", R"({"\u0074ype":"ping","type":"publish"})", false},
    {"both spelled with different escapes", R"({"t\u0079pe":1,"ty\u0070e":2})", false},
    {"an unknown member twice", R"({"x":1,"y":2,"x":3})", false},
    {"an empty name twice", R"({"":1,"":2})", false},
    {"names that differ in case", R"({"type":1,"Type":2})", true},
    {"names of which one begins the other", R"({"type":1,"types":2})", true},
    {"the same name at different depths", R"({"type":1,"data":{"type":2}})", true},
    {"duplicates inside the payload", R"({"data":{"a":1,"a":2}})", true},
};
TEST(JsonReader, RefusesDuplicateMembersOfTheEnvelopeHoweverSpelled) {
  JsonReader reader;
  for (const DuplicateRow& row : kDuplicateRows) {
    EXPECT_EQ(reader.read(row.text).has_value(), row.accepted) << row.sentence;
    EXPECT_EQ(reader.members().empty(), !row.accepted) << row.sentence;
  }
}

TEST(JsonReader, TakesAsManyMembersAsItsBoundAndNoMore) {
  const auto with_members = [](std::size_t count) {
    std::string text = "{";
    for (std::size_t i = 0; i < count; ++i) {
      text += (i == 0 ? "\"m" : ",\"m") + std::to_string(i) + "\":" + std::to_string(i);
    }
    return text + "}";
  };
  JsonReader reader;
  EXPECT_TRUE(reader.read(with_members(kEnvelopeMembersMax)).has_value());
  EXPECT_EQ(reader.members().size(), kEnvelopeMembersMax);
  EXPECT_FALSE(reader.read(with_members(kEnvelopeMembersMax + 1)).has_value());
  EXPECT_TRUE(is_valid_json(with_members(1'000))) << "the bound is the envelope's, not the payload's";
}

TEST(JsonReader, ReadsOtherValuesWithoutMembers) {
  JsonReader reader;
  ASSERT_TRUE(reader.read(R"({"a":1})").has_value());
  EXPECT_EQ(reader.read("[1,2]").value(), JsonKind::array);
  EXPECT_TRUE(reader.members().empty()) << "the text before is forgotten";
  EXPECT_EQ(reader.read("{}").value(), JsonKind::object);
  EXPECT_TRUE(reader.members().empty());
  EXPECT_FALSE(reader.read("{} {}").has_value());
  EXPECT_FALSE(reader.read("").has_value());
}

TEST(JsonReader, UnescapesAWholeTextOfEscapesAndThenALargerOne) {
  JsonReader reader;
  for (const std::size_t count : {1U, 100U, 10'000U}) {
    std::string escaped, plain;
    for (std::size_t i = 0; i < count; ++i) {
      escaped += R"(\u20ac\n)";
      plain += "\xE2\x82\xAC\n";
    }
    const std::string text = "{\"" + escaped + "\":\"" + escaped + "\"}";
    ASSERT_TRUE(reader.read(text).has_value());
    EXPECT_EQ(reader.members()[0].name, plain);
    EXPECT_EQ(reader.string_of(reader.members()[0].value), plain);
    EXPECT_NE(reader.spare(JsonReader::kSpareBytes), nullptr) << "what a decoder may spell anew still fits";
  }
}

TEST(JsonWalk, GoesThroughNestedArraysAndObjects) {
  const std::string text = R"([ 1 , "a,]b" ,{"x":"}"},[[2]],true , null,"\"" ])";
  ASSERT_TRUE(is_valid_json(text));
  const std::vector<std::string_view> expected{"1", "\"a,]b\"", R"({"x":"}"})", "[[2]]", "true", "null", R"("\"")"};
  ArrayWalk walk{text};
  for (const std::string_view element : expected) {
    const std::optional<JsonValue> value = walk.next();
    ASSERT_TRUE(value.has_value());
    EXPECT_EQ(value->text, element);
  }
  EXPECT_FALSE(walk.next().has_value());
  EXPECT_FALSE(walk.next().has_value());
}

TEST(JsonWalk, GivesNamesAsWritten) {
  ObjectWalk walk{R"( {"a" : {"b":1}, "\u0063":"d" } )"};
  std::optional<JsonMember> member = walk.next();
  ASSERT_TRUE(member.has_value());
  EXPECT_EQ(member->name, "a");
  EXPECT_EQ(member->value.text, R"({"b":1})");
  member = walk.next();
  ASSERT_TRUE(member.has_value());
  EXPECT_EQ(member->name, R"(\u0063)");
  EXPECT_TRUE(member->name_has_escapes);
  EXPECT_TRUE(escaped_equals(member->name, "c"));
  EXPECT_FALSE(walk.next().has_value());
}

TEST(JsonWalk, OfTheWrongKindIsEmpty) {
  EXPECT_FALSE(ArrayWalk{"{}"}.next().has_value());
  EXPECT_FALSE(ArrayWalk{""}.next().has_value());
  EXPECT_FALSE(ObjectWalk{"[1]"}.next().has_value());
  EXPECT_FALSE(ObjectWalk{"1"}.next().has_value());
}

TEST(JsonWalk, EndsOnAnyTextAndStaysInsideIt) {
  std::mt19937 random{7};
  GuardedBytes guarded{100};
  constexpr std::string_view alphabet = "{}[]:,\"\\ 1tn";
  for (int round = 0; round < 2'000; ++round) {
    std::string text(random() % 24, ' ');
    for (char& c : text) {
      c = alphabet[random() % alphabet.size()];
    }
    const std::string_view placed = as_text(guarded.place(as_bytes(text)));
    std::size_t steps = 0;
    for (ArrayWalk walk{placed}; walk.next();) {
      ++steps;
    }
    for (ObjectWalk walk{placed}; walk.next();) {
      ++steps;
    }
    EXPECT_LE(steps, 2 * text.size());
  }
}

struct EqualsRow {
  std::string_view escaped, plain;
  bool equal;
};
constexpr EqualsRow kEqualsRows[] = {
    {"", "", true},
    {"abc", "abc", true},
    {"abc", "ab", false},
    {"ab", "abc", false},
    {R"(\u0061b)", "ab", true},
    {R"(a\nb)", "a\nb", true},
    {R"(\u20ac)", "\xE2\x82\xAC", true},
    {R"(\u20ac)", "\xE2\x82", false},
    {R"(\ud83d\ude00)", "\xF0\x9F\x98\x80", true},
    {R"(\ud83d)", "\xF0", false},
    {R"(\q)", "q", false},
};
TEST(JsonStrings, CompareByMeaning) {
  for (const EqualsRow& row : kEqualsRows) {
    EXPECT_EQ(escaped_equals(row.escaped, row.plain), row.equal) << row.escaped << " and " << row.plain;
  }
  char out[16];
  EXPECT_FALSE(unescape_json(R"(\ud83d)", out).has_value());
  EXPECT_FALSE(unescape_json("\\", out).has_value());
}

// --- random documents, with simdjson's DOM as the second opinion ---

class RandomJson {
 public:
  explicit RandomJson(std::uint32_t seed) : random_{seed} {}

  std::string value(int depth) {
    switch (pick(depth > 0 ? 6 : 4)) {
      case 0: return pick(2) == 0 ? "true" : pick(2) == 0 ? "false" : "null";
      case 1: return number();
      case 2:
      case 3: return string();
      case 4: return list('[', ']', depth, false);
      default: return list('{', '}', depth, true);
    }
  }
  std::uint32_t pick(std::uint32_t choices) { return static_cast<std::uint32_t>(random_() % choices); }

 private:
  std::string list(char open, char close, int depth, bool named) {
    std::string text(1, open);
    const std::uint32_t count = pick(4);
    for (std::uint32_t i = 0; i < count; ++i) {
      text += i == 0 ? space() : space() + ", ";  // the space keeps two numbers apart when a mutation takes the comma
      text += named ? string() + space() + ":" + space() : "";
      text += value(depth - 1);
    }
    return text + space() + close;
  }
  std::string space() {
    constexpr const char* kinds[] = {"", "", "", " ", "\n", "\t", "\r "};
    return kinds[pick(7)];
  }
  std::string number() {
    std::string text = pick(3) == 0 ? "-" : "";
    text += std::to_string(pick(2'000));
    text += pick(3) == 0 ? "." + std::to_string(pick(100)) : "";  // two digits: as an exponent still a double
    text += pick(5) == 0 ? (pick(2) == 0 ? "e" : "E-") + std::to_string(pick(9)) : "";
    return text;
  }
  std::string string() {
    constexpr const char* pieces[] = {"a",    "price",    "61737.63000000",   "\\n",
                                      "\\\"", "\\\\",     "\\u00e9",          "\\/",
                                      " ",    "\xC3\xA9", "\xF0\x9F\x98\x80", "\\ud83d\\ude00",
                                      "\x7F", "{[,:"};
    std::string text = "\"";
    for (std::uint32_t i = pick(6); i > 0; --i) {
      text += pieces[pick(14)];
    }
    return text + "\"";
  }
  std::mt19937 random_;
};

bool simdjson_accepts(simdjson::dom::parser& parser, const std::string& text) {
  return parser.parse(simdjson::padded_string{text}).error() == simdjson::SUCCESS;
}

TEST(Json, AgreesWithSimdjsonOnRandomTextsAndTheirMutations) {
  constexpr std::string_view bytes =
      "\"\\{}[]:, 0123456789eE+-.tfnul\n\x01\x1F\x7F\x80\xC2\xE0\xED\xF0\xF4\xFF\\\\\"\"ud8";
  simdjson::dom::parser parser;
  JsonReader reader;
  std::size_t broken = 0;
  for (std::uint32_t seed = 0; seed < 1'000; ++seed) {
    RandomJson random{seed};
    const std::string text = random.value(5);
    ASSERT_TRUE(is_valid_json(text)) << text;
    ASSERT_TRUE(simdjson_accepts(parser, text)) << text;
    for (int round = 0; round < 30; ++round) {
      std::string mutated = text;
      mutated[random.pick(static_cast<std::uint32_t>(text.size()))] =
          bytes[random.pick(static_cast<std::uint32_t>(bytes.size()))];
      const bool ours = is_valid_json(mutated);
      broken += ours ? 0 : 1;
      EXPECT_EQ(ours, simdjson_accepts(parser, mutated)) << mutated;
      EXPECT_LE(reader.read(mutated).has_value(), ours)
          << "a reader refuses more (duplicates), never less: " << mutated;
    }
  }
  EXPECT_GT(broken, 1'000U) << "the mutations must break texts, or this proves nothing";
}

TEST(Json, AgreesWithSimdjsonOnEveryRowBothCanJudge) {
  simdjson::dom::parser parser;
  for (const ValidityRow& row : kValidityRows) {
    const bool beyond_simdjson = row.text.find("1e400") == 0 || row.text.find("1234567890123456789012") == 0;
    if (!beyond_simdjson) {
      EXPECT_EQ(simdjson_accepts(parser, row.text), row.valid) << row.sentence;
    }
  }
}

}  // namespace
}  // namespace ringcast
