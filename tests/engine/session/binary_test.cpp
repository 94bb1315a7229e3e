// The binary dialect over one and two shards: records in, records out, JSON beside them (protocol.md section 3).
#include <gtest/gtest.h>

#include "engine/stats/counters.hpp"
#include "tests/doubles/binary_records.hpp"
#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

using Words = std::vector<std::string>;
constexpr std::string_view kOffer = "Sec-WebSocket-Protocol: ringcast.v1.bin\r\n";

/// What a client got: texts as they are, records in words; epochs and times replaced.
Words got(CoreClient& client) {
  Words words;
  for (const ReceivedFrame& frame : CoreHarness::take_frames(client)) {
    if (frame.opcode == Opcode::binary) {
      for (std::string& record : words_of(frame.payload)) words.push_back(std::move(record));
    } else if (frame.opcode == Opcode::text) {
      std::string text = frame.payload;
      for (std::size_t at = text.find(R"("epoch":")"); at != std::string::npos;
           at = text.find(R"("epoch":")", at + 9)) {
        text.replace(at + 9, 16, "X");
      }
      words.push_back(std::move(text));
    } else if (frame.opcode == Opcode::close) {
      words.push_back("close " + std::to_string(value(parse_close_payload(as_bytes(frame.payload))->code)));
    }
  }
  return words;
}

CoreOptions options_with(std::uint32_t shards, bool bytes_namespace = true) {
  CoreOptions options;
  options.shards = shards;
  if (bytes_namespace) {
    NamespaceRule rule;
    rule.match = "bytes.>";
    rule.payload = PayloadKind::binary;
    options.namespaces.push_back(rule);
  }
  return options;
}

class BinaryTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  CoreClient& binary(std::uint32_t shard = 0, std::string_view target = "/ws/connect") {
    CoreClient& client = node.open(target, shard, kOffer);
    const Words welcome = got(client);
    EXPECT_EQ(welcome.size(), 1U);
    EXPECT_TRUE(welcome[0].starts_with(R"({"type":"welcome")"));
    return client;
  }
  void subscribe(CoreClient& client, std::string_view name) {
    node.say(client, R"({"type":"subscribe","channels":[")" + std::string{name} + R"("]})");
    const Words answer = got(client);
    ASSERT_EQ(answer.size(), 1U);
    ASSERT_TRUE(answer[0].starts_with(R"({"type":"subscribed")")) << answer[0];
  }
  void send(CoreClient& client, std::string_view records) {
    node.bytes(client, CoreHarness::masked(Opcode::binary, records));
    node.run();
  }
  CoreHarness node{options_with(GetParam())};
  std::uint32_t last = GetParam() - 1;
  std::string channel = node.channel_on(last);  // its home is not where alice is, if there are two shards
  std::string raw = node.channel_on(last, "bytes");
  CoreClient& alice = binary(0);
  CoreClient& bob = binary(last);
};
INSTANTIATE_TEST_SUITE_P(Shards, BinaryTest, testing::Values(1U, 2U));

TEST_P(BinaryTest, WhoSubscribesIsToldTheChannelsIdAndGetsItsMessagesAsRecords) {
  node.say(alice, R"({"type":"subscribe","id":2,"channels":[")" + channel + R"("]})");
  const Words answer = got(alice);
  ASSERT_EQ(answer.size(), 1U);
  const std::size_t at = answer[0].find(R"("channel_id":)");
  ASSERT_NE(at, std::string::npos) << answer[0];
  const auto id = static_cast<std::uint32_t>(std::stoul(answer[0].substr(at + 13)));
  EXPECT_NE(id, 0U);

  send(bob, record_of({.channel = channel,
                       .data = R"({"a": 1})",
                       .event = "e",
                       .message_id = "m-1",
                       .request = 5,
                       .flags = RCB_ANSWER}));
  EXPECT_EQ(got(bob), (Words{"published 5 seq 1"}));
  const auto frames = CoreHarness::take_frames(alice);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].opcode, Opcode::binary);
  const auto records = read_records(frames[0].payload);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(words_of(records[0]), R"(message 1 event=e id=m-1 {"a": 1})");
  EXPECT_EQ(records[0].header.channel_id, id);
  EXPECT_EQ(records[0].header.time_ns, static_cast<std::uint64_t>(node.now.wall.time_since_epoch().count()));
}

TEST_P(BinaryTest, ThePublishersAnswerNamesTheChannelAndTheEpochThatSubscribersAreTold) {
  send(bob, record_of({.channel = channel, .data = "1", .request = 1, .flags = RCB_ANSWER}));
  const auto frames = CoreHarness::take_frames(bob);
  ASSERT_EQ(frames.size(), 1U);
  const ServerRecord published = read_records(frames[0].payload).at(0);
  node.say(alice, R"({"type":"subscribe","channels":[")" + channel + R"("]})");
  const std::string subscribed = CoreHarness::take_texts(alice).at(0);
  char epoch[17];
  std::snprintf(epoch, sizeof epoch, "%016lx", static_cast<unsigned long>(number_at(published, 8, 8)));
  EXPECT_NE(subscribed.find(R"("epoch":")" + std::string{epoch}), std::string::npos) << subscribed;
  EXPECT_NE(subscribed.find(R"("seq":1,"channel_id":)" + std::to_string(published.header.channel_id) + "}"),
            std::string::npos)
      << subscribed;
}

TEST_P(BinaryTest, EveryDialectReadsWhatAnyPublishes) {
  CoreClient& native = node.native(0);
  CoreClient& raw_stream = node.open("/ws/" + channel, last);
  subscribe(alice, channel);
  node.say(native, R"({"type":"subscribe","channels":[")" + channel + R"("]})");
  got(native);
  got(raw_stream);
  send(bob, record_of({.channel = channel, .data = " \t{\"n\": 1}\r\n"}));  // white space belongs to no payload
  node.say(native, R"({"type":"publish","channel":")" + channel + R"(","data":2})");
  send(bob,
       record_of({.channel = channel, .data = R"({"stream":")" + channel + R"(","data":3})"}));  // its own envelope
  EXPECT_EQ(got(alice), (Words{R"(message 1 {"n": 1})", "message 2 2", "message 3 3"}));
  EXPECT_EQ(got(raw_stream), (Words{R"({"n": 1})", "2", "3"}));
  const Words native_words = got(native);
  ASSERT_EQ(native_words.size(), 3U);
  EXPECT_TRUE(native_words[0].ends_with(R"("data":{"n": 1}})")) << native_words[0];
  EXPECT_TRUE(got(bob).empty()) << "who wants no answer gets none";
}

TEST_P(BinaryTest, CommandsOfTheConnectionAreJsonAndSoAreTheirAnswers) {
  EXPECT_TRUE(got(alice).empty());
  node.say(alice, R"({"type":"ping","id":7})");
  node.say(alice, R"({"type":"publish","id":"x","channel":")" + channel + R"(","data":1})");
  node.say(alice, R"({"type":"unsubscribe","id":8,"channels":[")" + channel + R"("]})");
  node.say(alice, R"({"type":"publish","id":9,"channel":"$sys","data":1})");
  const Words answers = got(alice);
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_EQ(answers[0], R"({"type":"pong","id":7})");
  EXPECT_EQ(answers[1],
            R"({"type":"published","id":"x","channel":")" + channel + R"(","epoch":"X","seq":1,"duplicate":false})");
  EXPECT_TRUE(answers[2].starts_with(R"({"type":"error","id":8,"code":"unknown_channel")"));
  EXPECT_TRUE(answers[3].starts_with(R"({"type":"error","id":9,"code":"unauthorized")"));
}

TEST_P(BinaryTest, TheRecordsOfAMessageAreTakenInOrderAndAnsweredTogether) {
  subscribe(alice, channel);
  std::string records;
  for (std::uint64_t i = 1; i <= 5; ++i) {
    const std::string data = std::to_string(i);
    records += record_of({.channel = channel,
                          .data = data,
                          .message_id = i == 4   ? "m-2"
                                        : i == 2 ? "m-2"
                                                 : "",
                          .request = i,
                          .flags = static_cast<std::uint16_t>(i == 3 ? 0 : RCB_ANSWER)});
  }
  send(bob, records);
  const auto frames = CoreHarness::take_frames(bob);
  if (GetParam() == 1) {
    EXPECT_EQ(frames.size(), 1U) << "one message answers one message";
  }
  Words words;
  for (const ReceivedFrame& frame : frames) {
    for (const std::string& word : words_of(frame.payload)) words.push_back(word);
  }
  EXPECT_EQ(words,
            (Words{"published 1 seq 1", "published 2 seq 2", "published 4 seq 2 duplicate", "published 5 seq 4"}));
  EXPECT_EQ(got(alice), (Words{"message 1 1", "message 2 id=m-2 2", "message 3 3", "message 4 5"}));
  EXPECT_EQ(node.count(CounterId::records_received), 5U);
  EXPECT_EQ(node.count(CounterId::messages_duplicate), 1U);
}

TEST_P(BinaryTest, AnswersOverflowingAReplyGoOutInSeveralMessages) {
  std::string records;
  constexpr std::uint64_t kRecords = 3'000;
  for (std::uint64_t i = 1; i <= kRecords; ++i) {
    records += record_of({.channel = channel, .data = "1", .request = i, .flags = RCB_ANSWER});
  }
  send(alice, records);
  std::uint64_t next = 1;
  for (const ReceivedFrame& frame : CoreHarness::take_frames(alice)) {
    EXPECT_LE(frame.payload.size(), kReplyBytesMax);
    for (const std::string& word : words_of(frame.payload)) {
      EXPECT_EQ(word, "published " + std::to_string(next) + " seq " + std::to_string(next));
      ++next;
    }
  }
  EXPECT_EQ(next, kRecords + 1);
}

TEST_P(BinaryTest, ABadRecordIsRefusedWithItsNumberAndEndsItsMessageOnly) {
  subscribe(bob, channel);
  std::string bad = record_of({.channel = channel, .data = "2", .request = 2});
  bad[1] = 99;  // no kind of ours
  send(alice, record_of({.channel = channel, .data = "1", .request = 1, .flags = RCB_ANSWER}) + bad +
                  record_of({.channel = channel, .data = "3", .request = 3, .flags = RCB_ANSWER}));
  Words answers = got(alice);
  std::ranges::sort(answers);  // an answer from another shard comes later
  EXPECT_EQ(answers, (Words{"error 2 code 1 a client sends records of kind publish", "published 1 seq 1"}));
  send(alice, record_of({.channel = channel, .data = "4", .request = 4, .flags = RCB_ANSWER}));
  EXPECT_EQ(got(alice), (Words{"published 4 seq 2"}));
  EXPECT_EQ(got(bob), (Words{"message 1 1", "message 2 4"}));
  EXPECT_EQ(node.count(CounterId::errors_sent_invalid_message), 1U);
}

struct RefusalRow {
  std::string_view sentence;
  std::string records;
  std::string answer;
  CounterId counted;
};

TEST_P(BinaryTest, EveryRefusalIsARecordWithACodeAndACounter) {
  const std::string named = " channel=" + channel;
  std::string other_version = record_of({.channel = channel, .data = "1", .request = 7});
  other_version[0] = 2;
  const RefusalRow rows[] = {
      {"nothing at all", "", "error 0 code 1 a record begins with a header of 32 bytes",
       CounterId::errors_sent_invalid_message},
      {"another version", other_version, "error 0 code 12 the record is of a version that is not spoken here",
       CounterId::errors_sent_not_supported},
      {"no JSON where the namespace wants it", record_of({.channel = channel, .data = "{\"a\":", .request = 7}),
       "error 7 code 1" + named + " the payload of this channel must be one JSON value",
       CounterId::errors_sent_invalid_message},
      {"bytes that are no UTF-8", record_of({.channel = channel, .data = "\"\xFF\"", .request = 7}),
       "error 7 code 1" + named + " the payload of this channel must be one JSON value",
       CounterId::errors_sent_invalid_message},
      {"no payload", record_of({.channel = channel, .request = 7}),
       "error 7 code 1" + named + " the payload of this channel must be one JSON value",
       CounterId::errors_sent_invalid_message},
      {"deeper than an envelope can hold",
       record_of({.channel = channel, .data = std::string(128, '[') + std::string(128, ']'), .request = 7}),
       "error 7 code 1" + named + " the payload of this channel must be one JSON value",
       CounterId::errors_sent_invalid_message},
      {"the server's channel", record_of({.channel = "$sys/stats", .data = "1", .request = 7}),
       "error 7 code 3 channel=$sys/stats only the server publishes to channels in '$'",
       CounterId::errors_sent_unauthorized},
      {"a pattern", record_of({.channel = "a.*", .data = "1", .request = 7}),
       "error 7 code 1 channel=a.* a message is published to a name, not to a pattern",
       CounterId::errors_sent_invalid_message},
  };
  for (const RefusalRow& row : rows) {
    CoreClient& client = binary();
    const std::uint64_t before = node.count(row.counted);
    send(client, row.records);
    EXPECT_EQ(got(client), Words{row.answer}) << row.sentence;
    EXPECT_EQ(node.count(row.counted), before + 1) << row.sentence;
    send(client, record_of({.channel = channel, .data = "1", .request = 8, .flags = RCB_ANSWER}));
    EXPECT_EQ(got(client).size(), 1U) << row.sentence << ": it goes on";
  }
}

TEST_P(BinaryTest, AClientOfTooManyMistakesIsClosedBehindTheLastAnswer) {
  for (int i = 0; i < 6; ++i) send(alice, "x");
  Words words = got(alice);
  ASSERT_EQ(words.size(), 7U);
  EXPECT_EQ(words[5], "error 0 code 1 a record begins with a header of 32 bytes");
  EXPECT_EQ(words[6], "close 4003");
  std::string records;
  CoreClient& carol = binary();
  for (std::uint64_t i = 0; i < 9; ++i) {
    records += record_of({.channel = "$sys", .data = "1", .request = i});
  }
  send(carol, records);
  words = got(carol);
  ASSERT_EQ(words.size(), 7U) << "nothing follows a close frame";
  EXPECT_EQ(words[6], "close 4003");
}

TEST_P(BinaryTest, ANamespaceOfBytesIsForTheBinaryDialectAlone) {
  using namespace std::string_view_literals;
  constexpr std::string_view kBytes = "\0\xFF\xFE no { JSON"sv;
  subscribe(alice, raw);
  send(bob, record_of({.channel = raw, .data = kBytes, .request = 1, .flags = RCB_ANSWER}) +
                record_of({.channel = raw, .data = "", .request = 2, .flags = RCB_ANSWER}) +
                record_of({.channel = raw, .data = " \n", .request = 3, .flags = RCB_ANSWER}));
  EXPECT_EQ(got(bob), (Words{"published 1 seq 1", "published 2 seq 2", "published 3 seq 3"}));
  EXPECT_EQ(got(alice), (Words{"message 1 " + std::string{kBytes}, "message 2 ", "message 3  \n"}));

  CoreClient& native = node.native(0);
  node.say(native, R"({"type":"subscribe","id":1,"channels":[")" + raw + R"(","other"]})");
  Words words = got(native);
  ASSERT_EQ(words.size(), 2U);
  EXPECT_TRUE(words[0].starts_with(R"({"type":"subscribed","id":1,"channels":[{"channel":"other")")) << words[0];
  EXPECT_EQ(words[1], R"({"type":"error","id":1,"code":"not_supported","message":"the channel carries bytes: )"
                      R"(read and publish them in the binary dialect","channel":")" +
                          raw + R"("})");
  for (CoreClient* client : {&native, &alice}) {  // JSON text is no way to publish bytes, whoever sends it
    node.say(*client, R"({"type":"publish","id":2,"channel":")" + raw + R"(","data":1})");
    words = got(*client);
    ASSERT_EQ(words.size(), 1U);
    EXPECT_EQ(words[0], R"({"type":"error","id":2,"code":"not_supported","message":"the channel carries bytes: )"
                        R"(read and publish them in the binary dialect","channel":")" +
                            raw + R"("})");
  }
  for (CoreClient* client : {&native, &alice}) {  // nor is a reply in JSON a way to read them
    node.say(*client, R"({"type":"history","id":3,"channel":")" + raw + R"("})");
    words = got(*client);
    ASSERT_EQ(words.size(), 1U);
    EXPECT_TRUE(words[0].starts_with(R"({"type":"error","id":3,"code":"not_supported","message":"the channel carries)"))
        << words[0];
  }
  CoreClient& stream = node.open("/ws/" + raw, 0);
  words = got(stream);
  ASSERT_EQ(words.size(), 1U);
  EXPECT_NE(words[0].find("not_supported"), std::string::npos) << words[0];
  EXPECT_EQ(node.count(CounterId::errors_sent_not_supported), 6U);
  EXPECT_EQ(node.count(CounterId::messages_published), 3U);
}

TEST_P(BinaryTest, AReaderThatIsConflatedIsToldByARecord) {
  CoreOptions options = options_with(GetParam());
  options.namespaces[0].match = "latest.>";
  options.namespaces[0].payload = PayloadKind::json;
  options.namespaces[0].slow = SlowPolicy::conflate;
  options.namespaces[0].lag.messages = 5;
  CoreHarness other{options};
  const std::string latest = other.channel_on(last, "latest");
  CoreClient& reader = other.open("/ws/connect", 0, kOffer);
  other.say(reader, R"({"type":"subscribe","channels":[")" + latest + R"("]})");
  got(reader);
  CoreClient& writer = other.open("/ws", last, kOffer);
  reader.room = 0;
  for (int i = 1; i <= 20; ++i) {
    other.bytes(writer, CoreHarness::masked(Opcode::binary, record_of({.channel = latest, .data = std::to_string(i)})));
    other.run();
  }
  other.make_room(reader);
  other.run();
  EXPECT_EQ(got(reader), (Words{"gap 1 to 19 conflated", "message 20 20"}));
  EXPECT_EQ(other.count(CounterId::gap_notices_conflated), 1U);
  EXPECT_EQ(other.count(CounterId::gap_messages_conflated), 19U);
}

TEST_P(BinaryTest, AResumedReaderGoesOnWhereItWas) {
  CoreClient& keeper = binary(0);  // a log that is read is kept
  subscribe(keeper, channel);
  node.say(alice, R"({"type":"subscribe","channels":[")" + channel + R"("]})");
  const std::string subscribed = CoreHarness::take_texts(alice).at(0);
  const std::string epoch = subscribed.substr(subscribed.find(R"("epoch":")") + 9, 16);
  for (int i = 1; i <= 4; ++i) send(bob, record_of({.channel = channel, .data = std::to_string(i)}));
  node.end(alice);
  CoreClient& again = binary(0);
  node.say(again, R"({"type":"subscribe","channels":[")" + channel + R"("],"resume":{")" + channel + R"(":{"epoch":")" +
                      epoch + R"(","seq":2}}})");
  const Words words = got(again);
  ASSERT_EQ(words.size(), 3U);
  EXPECT_NE(words[0].find(R"("recovered":true,"channel_id":)"), std::string::npos) << words[0];
  EXPECT_EQ(words[1], "message 3 3");
  EXPECT_EQ(words[2], "message 4 4");
}

TEST_P(BinaryTest, WhoResumesFromHistoryGetsRecordsOfTheSameChannelId) {
  for (int i = 1; i <= 4; ++i) send(bob, record_of({.channel = channel, .data = std::to_string(i)}));
  node.say(alice, R"({"type":"subscribe","channels":[")" + channel + R"("]})");
  const std::string subscribed = CoreHarness::take_texts(alice).at(0);
  const std::string epoch = subscribed.substr(subscribed.find(R"("epoch":")") + 9, 16);
  node.end(alice);
  CoreClient& again = binary(0);  // its shard's log begins behind all of them
  node.say(again, R"({"type":"subscribe","channels":[")" + channel + R"("],"resume":{")" + channel + R"(":{"epoch":")" +
                      epoch + R"(","seq":1}}})");
  const auto frames = CoreHarness::take_frames(again);
  ASSERT_EQ(frames.size(), 4U);
  EXPECT_NE(frames[0].payload.find(R"("recovered":true)"), std::string::npos) << frames[0].payload;
  const std::size_t at = frames[0].payload.find(R"("channel_id":)");
  ASSERT_NE(at, std::string::npos);
  for (std::size_t i = 1; i < frames.size(); ++i) {
    EXPECT_EQ(frames[i].opcode, Opcode::binary);
    const ServerRecord record = read_records(frames[i].payload).at(0);
    EXPECT_EQ(words_of(record), "message " + std::to_string(i + 1) + " " + std::to_string(i + 1));
    EXPECT_EQ(record.header.channel_id, std::stoul(frames[0].payload.substr(at + 13)));
  }
}

TEST_P(BinaryTest, AJoinerOfABookGetsTheSnapshotRecordWithItsAsOfAndThenTheDeltas) {
  CoreOptions options = options_with(GetParam());
  options.namespaces[0].match = "book.>";
  options.namespaces[0].state = StateKeeping::snapshot_delta;
  for (const PayloadKind payload : {PayloadKind::json, PayloadKind::binary}) {
    options.namespaces[0].payload = payload;
    CoreHarness other{options};
    const std::string book = other.channel_on(last, "book");
    CoreClient& writer = other.open("/ws", last, kOffer);
    const auto publish = [&](const PublishRecord& what) {
      other.bytes(writer, CoreHarness::masked(Opcode::binary, record_of(what)));
      other.run();
    };
    for (const std::string_view data : {"1", "2", "3"}) publish({.channel = book, .data = data});
    publish({.channel = book, .data = "0", .flags = RCB_SNAPSHOT, .has_as_of = true, .as_of = 3});
    publish({.channel = book, .data = "5"});
    CoreClient& reader = other.open("/ws", 0, kOffer);
    got(reader);
    other.say(reader, R"({"type":"subscribe","channels":[")" + book + R"("]})");
    const auto frames = CoreHarness::take_frames(reader);
    ASSERT_GE(frames.size(), 2U);
    EXPECT_NE(frames[0].payload.find(R"("state":"snapshot","as_of_seq":3)"), std::string::npos) << frames[0].payload;
    Words words;
    for (std::size_t i = 1; i < frames.size(); ++i) words.push_back(words_of(read_records(frames[i].payload).at(0)));
    EXPECT_EQ(words, (Words{"message 4 snapshot 0", "message 3 3", "message 4 snapshot 0", "message 5 5"}));
    EXPECT_EQ(number_at(read_records(frames[1].payload).at(0), 0, 8), 3U) << "as_of_seq of the snapshot";
  }
}

TEST_P(BinaryTest, ASnapshotOfWhatIsStillToComeIsRefusedByARecord) {
  send(
      alice,
      record_of({.channel = channel, .data = "1", .request = 6, .flags = RCB_SNAPSHOT, .has_as_of = true, .as_of = 9}));
  EXPECT_EQ(got(alice),
            Words{"error 6 code 1 channel=" + channel + " as_of_seq lies beyond the channel's newest message"});
}

TEST_P(BinaryTest, IdsOfChannelsAreNodeWideAndAnotherIncarnationHasAnother) {
  std::vector<std::uint32_t> ids;
  const auto join = [&](std::string_view name) {
    CoreClient& client = binary(0);
    node.say(client, R"({"type":"subscribe","channels":[")" + std::string{name} + R"("]})");
    const std::string text = CoreHarness::take_texts(client).at(0);
    ids.push_back(static_cast<std::uint32_t>(std::stoul(text.substr(text.find(R"("channel_id":)") + 13))));
    node.end(client);
  };
  for (std::uint32_t shard = 0; shard < GetParam(); ++shard) {
    for (int i = 0; i < 10; ++i) join(node.channel_on(shard, "stem" + std::to_string(i)));
  }
  join(channel);
  join(channel);
  EXPECT_EQ(ids[ids.size() - 1], ids[ids.size() - 2]) << "the same channel, the same id";
  ids.pop_back();
  node.advance(hours{1});  // it expires
  join(channel);
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end()) << "no id twice";
  EXPECT_NE(ids.front(), 0U);
}

TEST_P(BinaryTest, WithoutANumberLeftAChannelIsNotReadInBinaryAndInEverythingElse) {
  CoreOptions options = options_with(GetParam());
  CoreHarness other{options, 0, 0xffff'ffffUL / GetParam() + 1};
  const std::string name = other.channel_on(last);
  CoreClient& reader = other.open("/ws/connect", 0, kOffer);
  got(reader);
  other.say(reader, R"({"type":"subscribe","id":1,"channels":[")" + name + R"("]})");
  const Words words = got(reader);
  ASSERT_EQ(words.size(), 1U);
  EXPECT_TRUE(words[0].starts_with(R"({"type":"error","id":1,"code":"overloaded")")) << words[0];
  CoreClient& native = other.native(0);
  other.say(native, R"({"type":"subscribe","channels":[")" + name + R"("]})");
  got(native);
  other.bytes(reader,
              CoreHarness::masked(Opcode::binary,
                                  record_of({.channel = name, .data = "1", .request = 4, .flags = RCB_ANSWER})));
  other.run();
  EXPECT_EQ(got(reader), Words{"published 4 seq 1"});
  EXPECT_EQ(got(native).size(), 1U);
}

TEST_P(BinaryTest, AnotherDialectsConnectionIsClosedForABinaryMessage) {
  CoreClient& native = node.native(0);
  send(native, record_of({.channel = channel, .data = "1"}));
  EXPECT_EQ(got(native), Words{"close 1003"});
}

TEST(BinaryHandshake, TheSubprotocolIsChosenInTheClientsOrder) {
  struct Row {
    std::string_view target, offer, chosen;
  };
  constexpr Row kRows[] = {
      {"/ws", "ringcast.v1.bin", "ringcast.v1.bin"},
      {"/ws/connect", "ringcast.v1.bin", "ringcast.v1.bin"},
      {"/ws", "ringcast.v1.bin, ringcast.v1.json", "ringcast.v1.bin"},
      {"/ws", "ringcast.v1.json, ringcast.v1.bin", "ringcast.v1.json"},
      {"/ws/connect", "mqtt, ringcast.v1.bin", "ringcast.v1.bin"},
      {"/ws/connect", "RINGCAST.V1.BIN", ""},
      {"/ws/orders", "ringcast.v1.bin", ""},
  };
  for (const Row& row : kRows) {
    CoreHarness node;
    CoreClient& client = node.connect();
    node.bytes(client, CoreHarness::request(row.target, "Sec-WebSocket-Protocol: " + std::string{row.offer} + "\r\n"));
    node.run();
    const std::string head = node.take_head(client);
    const std::string field = "Sec-WebSocket-Protocol: " + std::string{row.chosen} + "\r\n";
    EXPECT_EQ(head.find("Sec-WebSocket-Protocol:") != std::string::npos, !row.chosen.empty()) << row.offer;
    EXPECT_EQ(head.find(field) != std::string::npos, !row.chosen.empty()) << row.offer;
    got(client);
    node.bytes(client,
               CoreHarness::masked(Opcode::binary,
                                   record_of({.channel = "c", .data = "1", .request = 1, .flags = RCB_ANSWER})));
    node.run();
    EXPECT_EQ(got(client), Words{row.chosen == "ringcast.v1.bin" ? "published 1 seq 1" : "close 1003"}) << row.offer;
  }
}

// ---- back pressure ----

class RecordsInALane : public testing::Test {
 protected:
  static CoreOptions two_shards() {
    CoreOptions options;
    options.shards = 2;
    options.limits.message_bytes = 8'000;
    return options;
  }
  CoreHarness node{two_shards(), 65'536};
  std::string channel = node.channel_on(1);
  CoreClient& publisher = node.open("/ws/connect", 0, kOffer);
  CoreClient& reader = node.open("/ws/connect", 1, kOffer);

  RecordsInALane() {
    node.say(reader, R"({"type":"subscribe","channels":[")" + channel + R"("]})");
    got(reader);
    got(publisher);
  }
  std::string batch(std::uint64_t first, std::uint64_t count) {
    std::string records;
    for (std::uint64_t i = first; i < first + count; ++i) {
      const std::string data = '"' + std::to_string(i) + std::string(900, '.') + '"';
      records += record_of({.channel = channel, .data = data, .request = i, .flags = RCB_ANSWER});
    }
    return CoreHarness::masked(Opcode::binary, records);
  }
};

TEST_F(RecordsInALane, ARecordWithoutRoomHoldsBackThoseBehindItAndNothingIsLostOrOvertaken) {
  node.asleep[1] = true;  // the home does not come to its turn
  constexpr std::uint64_t kMessages = 40, kRecords = 8;
  for (std::uint64_t i = 0; i < kMessages; ++i) {
    node.bytes(publisher, batch(1 + i * kRecords, kRecords));
    node.run();
  }
  EXPECT_GT(node.count(CounterId::publishes_parked), 0U);
  EXPECT_TRUE(publisher.paused);
  EXPECT_TRUE(got(publisher).empty());
  EXPECT_GT(node.budget(0).used(Purpose::inboxes), 0U);

  node.asleep[1] = false;
  node.run();
  const Words answers = got(publisher);
  ASSERT_EQ(answers.size(), kMessages * kRecords);
  const Words messages = got(reader);
  ASSERT_EQ(messages.size(), kMessages * kRecords);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    EXPECT_EQ(answers[i], "published " + number + " seq " + number);
    EXPECT_TRUE(messages[i].starts_with("message " + number + " \"" + number + "."));
  }
  EXPECT_FALSE(publisher.paused);
  EXPECT_EQ(node.budget(0).used(Purpose::inboxes), 0U);
}

TEST_F(RecordsInALane, APublisherThatGoesAwayWhileItsRecordsAreHeldLeavesNothingBehind) {
  node.asleep[1] = true;
  for (std::uint64_t i = 0; i < 20; ++i) {
    node.bytes(publisher, batch(1 + i * 8, 8));
    node.run();
  }
  EXPECT_GT(node.budget(0).used(Purpose::inboxes), 0U);
  node.end(publisher, ECONNRESET);
  node.asleep[1] = false;
  node.run();
  EXPECT_TRUE(publisher.closed);
  EXPECT_EQ(node.budget(0).used(Purpose::inboxes), 0U);
}

TEST(BinaryBackPressure, WhoLeavesItsAnswersUnreadIsHeldBackInTheMiddleOfAMessage) {
  CoreHarness node;
  CoreClient& client = node.open("/ws/connect", 0, kOffer);
  got(client);
  client.room = 0;
  std::string records;
  constexpr std::uint64_t kRecords = 10'000;  // their answers are larger than all that may wait
  for (std::uint64_t i = 1; i <= kRecords; ++i) {
    records += record_of({.channel = "c", .data = "1", .request = i, .flags = RCB_ANSWER});
  }
  node.bytes(client, CoreHarness::masked(Opcode::binary, records));
  node.run();
  EXPECT_EQ(node.count(CounterId::control_overflows), 1U);
  EXPECT_LE(node.budget().used(Purpose::control), kControlBytesMax + kReplyBytesMax);
  EXPECT_LT(node.count(CounterId::records_received), kRecords);
  node.make_room(client);
  node.run();
  const Words answers = got(client);
  ASSERT_EQ(answers.size(), kRecords);
  EXPECT_EQ(answers.back(), "published 10000 seq 10000");
  EXPECT_EQ(node.budget().used(Purpose::inboxes), 0U);
  EXPECT_EQ(node.count(CounterId::records_received), kRecords);
}

}  // namespace
}  // namespace ringcast
