// tests/tools/binary_commands_test.cpp: what pub, sub and load do in the binary dialect alone, and the reader of its
// records. What they do alike in both dialects is in both_dialects_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "codec/dialect/binary.hpp"
#include "codec/dialect/encode.hpp"
#include "codec/text/json.hpp"
#include "tests/doubles/temporary_file.hpp"
#include "tests/tools/command_runner.hpp"
#include "tests/tools/fake_server.hpp"
#include "tools/client/record_reader.hpp"

namespace ringcast {
namespace {

using Kind = ServerMessage::Kind;

std::string record_of(const MessageView& message) {
  std::string bytes(binary_message_size(message), '\0');
  (void)write_binary_message(message, reinterpret_cast<std::uint8_t*>(bytes.data()));
  return bytes;
}
std::string record_of(const GapView& gap) {
  std::string bytes(binary_gap_size(gap), '\0');
  (void)write_binary_gap(gap, reinterpret_cast<std::uint8_t*>(bytes.data()));
  return bytes;
}

// ---- the reader ----

TEST(RecordReader, SaysWhatTheNativeDialectWouldHaveSaid) {
  const MessageView message{.channel = "book",
                            .seq = Sequence{9},
                            .published_at = WallTime{seconds{1}},
                            .event = "depth",
                            .message_id = "m",
                            .data = R"({"b":[]})",
                            .snapshot = true,
                            .as_of = Sequence{7},
                            .stored = true,
                            .channel_id = 3};
  const GapView gap{
      .channel = "book", .from = Sequence{10}, .to = Sequence{12}, .reason = GapReason::conflated, .channel_id = 3};
  std::string records = record_of(message) + record_of(gap);
  append_binary_published(records, {.request = 5, .channel_id = 3, .epoch = Epoch{8}, .seq = Sequence{13}});
  append_binary_error(records, {.request = 6, .code = ErrorCode::rate_limited, .message = "too fast"});
  RecordReader reader;
  reader.name(3, "book");
  reader.begin(records);

  const ServerMessage first = reader.next()->value();
  EXPECT_EQ(first.kind, Kind::message);
  EXPECT_EQ(first.channel, "book");
  EXPECT_EQ(first.seq, Sequence{9});
  EXPECT_EQ(first.event, "depth");
  EXPECT_EQ(first.message_id, "m");
  EXPECT_EQ(first.data, R"({"b":[]})");
  EXPECT_TRUE(first.snapshot);
  EXPECT_EQ(first.as_of, Sequence{7});
  EXPECT_TRUE(first.stored);
  EXPECT_EQ(reader.json(), R"({"type":"message","channel":"book","seq":9,"event":"depth","timestamp":)"
                           R"("1970-01-01T00:00:01.000000Z","message_id":"m","state":"snapshot","as_of_seq":7,)"
                           R"("stored":true,"data":{"b":[]}})");

  const ServerMessage second = reader.next()->value();
  EXPECT_EQ(second.kind, Kind::gap);
  EXPECT_EQ(second.channel, "book");
  EXPECT_EQ(second.from, Sequence{10});
  EXPECT_EQ(second.to, Sequence{12});
  EXPECT_EQ(second.reason, "conflated");
  EXPECT_EQ(reader.json(), R"({"type":"gap","channel":"book","from":10,"to":12,"reason":"conflated"})");

  const ServerMessage third = reader.next()->value();
  EXPECT_EQ(third.kind, Kind::published);
  EXPECT_EQ(third.id, "5");
  EXPECT_EQ(third.seq, Sequence{13});
  EXPECT_EQ(third.epoch, Epoch{8});
  EXPECT_FALSE(third.duplicate);

  const ServerMessage fourth = reader.next()->value();
  EXPECT_EQ(fourth.kind, Kind::error);
  EXPECT_EQ(fourth.id, "6");
  EXPECT_EQ(fourth.code, "rate_limited");
  EXPECT_EQ(fourth.words, "too fast");
  EXPECT_FALSE(reader.next()->has_value()) << "that was all";
}

TEST(RecordReader, FollowsAChannelToItsNewIdWhenItsEpochChanges) {
  RecordReader reader;
  reader.name(3, "c");
  const GapView gap{.channel = "c",
                    .from = Sequence{4},
                    .to = Sequence{4},
                    .reason = GapReason::epoch,
                    .epoch = Epoch{0x5f3c'9a1e'07d2'b846},
                    .channel_id = 11};
  const std::string records =
      record_of(gap) + record_of(MessageView{.seq = Sequence{1}, .data = "1", .channel_id = 11});
  reader.begin(records);
  const ServerMessage notice = reader.next()->value();
  EXPECT_EQ(notice.reason, "epoch");
  EXPECT_EQ(notice.epoch, Epoch{0x5f3c'9a1e'07d2'b846});
  EXPECT_EQ(reader.json(),
            R"({"type":"gap","channel":"c","from":4,"to":4,"reason":"epoch","epoch":"5f3c9a1e07d2b846"})");
  EXPECT_EQ(reader.next()->value().channel, "c");

  const std::string old = record_of(MessageView{.seq = Sequence{5}, .data = "1", .channel_id = 3});
  reader.begin(old);
  EXPECT_FALSE(reader.next().has_value()) << "its earlier id comes no more";
}

TEST(RecordReader, SaysWhereAMessageCannotBeRead) {
  const std::string whole = record_of(MessageView{.seq = Sequence{1}, .data = "1", .channel_id = 3});
  std::string other_version = whole;
  other_version[0] = 2;
  struct Row {
    std::string_view sentence;
    std::string rest;
  };
  const Row rows[] = {
      {"cut short", whole.substr(0, whole.size() - 1)},
      {"half a header", whole.substr(0, 20)},
      {"another version", other_version + whole},
      {"a channel that nobody named", record_of(MessageView{.seq = Sequence{1}, .channel_id = 4}) + whole}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    RecordReader reader;
    reader.name(3, "c");
    const std::string records = whole + row.rest;
    reader.begin(records);
    EXPECT_EQ(reader.next()->value().seq, Sequence{1});
    EXPECT_FALSE(reader.next().has_value());
    EXPECT_FALSE(reader.next()->has_value()) << "the rest of it is given up";
  }
}

TEST(RecordReader, SkipsKindsThatALaterVersionAdds) {
  std::string unknown = record_of(MessageView{.seq = Sequence{1}, .data = "news", .channel_id = 3});
  unknown[1] = 60;
  const std::string records = unknown + record_of(MessageView{.seq = Sequence{2}, .data = "2", .channel_id = 3});
  RecordReader reader;
  reader.name(3, "c");
  reader.begin(records);
  EXPECT_EQ(reader.next()->value().seq, Sequence{2});
}

TEST(RecordReader, WritesBytesInBase64WhereTheyAreNoJson) {
  RecordReader reader;
  reader.name(3, "c");
  const std::string record =
      record_of(MessageView{.seq = Sequence{1}, .data = std::string_view{"\0\xff", 2}, .channel_id = 3});
  reader.begin(record);
  (void)reader.next();
  EXPECT_EQ(reader.json(), R"({"type":"message","channel":"c","seq":1,"timestamp":"1970-01-01T00:00:00.000000Z",)"
                           R"("data_base64":"AP8="})");
}

TEST(TerminalText, IsTextThatDoesATerminalNoHarm) {
  struct Row {
    std::string_view data, printed;
  };
  const Row rows[] = {{"{\"a\": 1}", "{\"a\": 1}"},
                      {"two\nlines\tand more", "two\nlines\tand more"},
                      {"é", "é"},
                      {"", ""},
                      {"\x1b[2J", "base64:G1sySg=="},
                      {"\xff", "base64:/w=="},
                      {std::string_view{"a\0", 2}, "base64:YQA="}};
  for (const Row& row : rows) EXPECT_EQ(terminal_text(row.data), row.printed);
}

// ---- the commands ----

TEST(BinaryPub, PublishesBytesAsTheyAreAndPrintsTheirSeqs) {
  FakeServer server;
  std::string bytes(256, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i);
  const TemporaryFile file{bytes}, empty{""};
  EXPECT_EQ(run({"pub", "--url", server.url(), "b", "--binary", "--file", file.path()}).output, "1\n");
  EXPECT_EQ(run({"pub", "--url", server.url(), "b", "--binary", "--file", empty.path()}).output, "2\n");
  EXPECT_EQ(run({"pub", "--url", server.url(), "b", "--binary", "not JSON"}).output, "3\n");
  {
    const StandardInputFrom input{"one\r\n\ntwo\nthree"};
    EXPECT_EQ(run({"pub", "--url", server.url(), "b", "--binary"}).output, "4\n5\n6\n");
  }
  std::vector<std::string> data;
  for (const auto& message : server.messages()) data.push_back(message.data);
  EXPECT_EQ(data, (std::vector<std::string>{bytes, "", "not JSON", "one\r", "two", "three"}));
}

TEST(BinaryCommands, FailWhereTheServerDoesNotSpeakIt) {
  const FakeServer other{{.speaks_binary = false}};
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"pub", "--url", other.url(), "--binary", "c", "1"},
           {"sub", "--url", other.url(), "--binary", "c"},
           {"load", "--url", other.url(), "--binary", "--connections", "1", "--duration", "0.1"}}) {
    const Ran refused = run(command);
    EXPECT_EQ(refused.exit_code, kExitFailure) << command[0];
    EXPECT_TRUE(refused.errors.contains("the server does not speak ringcast.v1.bin there")) << refused.errors;
  }
}

TEST(BinarySub, BeginsWithHistoryWhichIsJson) {
  FakeServer server;
  for (int i = 1; i <= 5; ++i) server.publish("orders", std::to_string(i));
  ASSERT_EQ(run({"pub", "--url", server.url(), "other", "1"}).output, "1\n") << "all of them are there";
  std::thread publisher{[&] {
    wait_until([&] { return server.subscribers() == 1; });
    server.publish("orders", "6");
  }};
  const Ran ran = run({"sub", "--url", server.url(), "--binary", "orders", "--history", "2", "--count", "3"});
  publisher.join();
  EXPECT_EQ(ran.output, "orders 4 4\norders 5 5\norders 6 6\n") << ran.errors;
}

TEST(BinarySub, PrintsWhatATerminalCanShow) {
  FakeServer server;
  const TemporaryFile bytes{std::string_view{"\0\1", 2}};
  ASSERT_EQ(run({"pub", "--url", server.url(), "--binary", "b", "--file", bytes.path()}).output, "1\n");
  ASSERT_EQ(run({"pub", "--url", server.url(), "--binary", "b", "plain words", "--event", "note"}).output, "2\n");
  const std::vector<std::string> command{
      "sub", "--url", server.url(), "--binary", "b", "--since", "5f3c9a1e07d2b846:0", "--count", "2"};
  EXPECT_EQ(run(command).output, "b 1 base64:AAE=\nb 2 note plain words\n");
}

TEST(BinaryLoad, IsChosenByTheNameOfItsWireToo) {
  FakeServer server;
  const Ran ran = run(load_arguments(server.url(), {"--wire", "binary", "--connections", "5"}));
  EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.output << ran.errors;
  EXPECT_TRUE(ran.output.contains("expected      4000   delivered 4000   lost 0")) << ran.output;
}

TEST(BinaryLoad, SaysBeforeItBeginsWhatItCannotDo) {
  const TemporaryFile capture{"1 {\"stream\":\"a\",\"data\":1}\n"};
  for (const std::vector<std::string>& more :
       std::vector<std::vector<std::string>>{{"--binary", "--feed", capture.path()},
                                             {"--binary", "--wire", "raw"},
                                             {"--binary", "--prefix", std::string(250, 'x')}}) {
    std::vector<std::string> arguments{"load", "--url", "ws://127.0.0.1:1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.exit_code, kExitUsage) << more[1] << ran.errors;
  }
}

}  // namespace
}  // namespace ringcast
