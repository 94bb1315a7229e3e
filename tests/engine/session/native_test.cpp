// Commands of the native dialect and their answers (protocol.md section 3).
#include <gtest/gtest.h>

#include "codec/dialect/command.hpp"
#include "engine/stats/counters.hpp"
#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

using Texts = std::vector<std::string>;

/// The text with every epoch and time replaced: tests compare the rest.
std::string plain(std::string text) {
  for (const auto& [member, bytes] : {std::pair{std::string_view{R"("epoch":")"}, std::size_t{16}},
                                      {std::string_view{R"("timestamp":")"}, std::size_t{27}}}) {
    for (std::size_t at = text.find(member); at != std::string::npos; at = text.find(member, at + member.size())) {
      text.replace(at + member.size(), bytes, "X");
    }
  }
  return text;
}
Texts plain(Texts texts) {
  for (std::string& text : texts) text = plain(std::move(text));
  return texts;
}
std::string epoch_of(std::string_view text) {
  const std::size_t at = text.find(R"("epoch":")");
  return std::string{text.substr(at + 9, 16)};
}

class NativeTest : public testing::Test {
 protected:
  Texts answers(CoreClient& client, std::string_view command) {
    node.say(client, command);
    return plain(CoreHarness::take_texts(client));
  }
  Texts got(CoreClient& client) { return plain(CoreHarness::take_texts(client)); }
  CoreHarness node;
  CoreClient& alice = node.native();
  CoreClient& bob = node.native();
};

TEST_F(NativeTest, WhoSubscribesGetsWhatIsPublishedAfterwards) {
  EXPECT_EQ(answers(bob, R"({"type":"publish","id":1,"channel":"orders","data":1})"),
            Texts{R"({"type":"published","id":1,"channel":"orders","epoch":"X","seq":1,"duplicate":false})"});
  EXPECT_EQ(answers(alice, R"({"type":"subscribe","id":2,"channels":["orders"]})"),
            Texts{R"({"type":"subscribed","id":2,"channels":[{"channel":"orders","epoch":"X","seq":1}]})"});
  node.say(bob, R"({"type":"publish","channel":"orders","event":"e","message_id":"m-1","data":{"order_id": 17}})");
  EXPECT_EQ(got(bob), Texts{});  // no id, no answer
  EXPECT_EQ(got(alice), Texts{R"({"type":"message","channel":"orders","seq":2,"event":"e","timestamp":"X",)"
                              R"("message_id":"m-1","data":{"order_id": 17}})"});
}

TEST_F(NativeTest, APublisherThatSubscribesGetsItsOwnMessagesToo) {
  node.say(alice, R"({"type":"subscribe","channels":["orders"]})");
  got(alice);
  EXPECT_EQ(answers(alice, R"({"type":"publish","id":1,"channel":"orders","data":"x"})"),
            (Texts{R"({"type":"published","id":1,"channel":"orders","epoch":"X","seq":1,"duplicate":false})",
                   R"({"type":"message","channel":"orders","seq":1,"timestamp":"X","data":"x"})"}));
}

struct CommandRow {
  std::string_view sentence;
  std::string_view command;
  Texts answers;
  std::optional<ErrorCode> counted;
};

TEST_F(NativeTest, EveryMistakeIsAnsweredWithItsCodeAndCounted) {
  const auto error = [](std::string_view head, std::string_view code, std::string_view sentence,
                        std::string_view tail = "") {
    return std::string{R"({"type":"error",)"} + std::string{head} + R"("code":")" + std::string{code} +
           R"(","message":")" + std::string{sentence} + "\"" + std::string{tail} + "}";
  };
  using enum ErrorCode;
  const std::string long_name(256, 'x');
  const CommandRow rows[] = {
      {"a type nobody knows", R"({"type":"dance","id":1})",
       {error(R"("id":1,)", "invalid_message", "the type of the message is not known")}, invalid_message},
      {"no type", R"({"id":"a"})", {error(R"("id":"a",)", "invalid_message", "a message must have a type")}, invalid_message},
      {"no object", R"([1])", {error("", "invalid_message", "a message must be a JSON object")}, invalid_message},
      {"a type twice", R"({"type":"ping","type":"ping"})", {}, invalid_message},
      {"a payload that is only nearly JSON", R"({"type":"publish","id":1,"channel":"c","data":{"a":nonsense 12}})", {}, invalid_message},
      {"a lone surrogate", R"({"type":"publish","id":1,"channel":"c","data":"\ud800"})", {}, invalid_message},
      {"trailing bytes", R"({"type":"ping"} x)", {}, invalid_message},
      {"an empty channel", R"({"type":"publish","id":1,"channel":"","data":1})",
       {error(R"("id":1,)", "invalid_message", "a channel name must not be empty")}, invalid_message},
      {"a channel with a control character", R"({"type":"subscribe","id":1,"channels":["a\u0007"]})", {}, invalid_message},
      {"publish to a server channel", R"({"type":"publish","id":1,"channel":"$sys/stats","data":1})",
       {error(R"("id":1,)", "unauthorized", "only the server publishes to channels in '$'", R"(,"channel":"$sys/stats")")}, unauthorized},
      {"publish to nobody's channel", R"({"type":"publish","id":1,"channel":"user:","data":1})",
       {error(R"("id":1,)", "invalid_message", "a personal channel names one user", R"(,"channel":"user:")")}, invalid_message},
      {"publish to a pattern", R"({"type":"publish","id":1,"channel":"a.*","data":1})",
       {error(R"("id":1,)", "invalid_message", "a message is published to a name, not to a pattern", R"(,"channel":"a.*")")}, invalid_message},
      {"subscribe to a server channel", R"({"type":"subscribe","id":1,"channels":["$sys/stats"]})",
       {error(R"("id":1,)", "unauthorized", "channels in '$' are for administrators", R"(,"channel":"$sys/stats")")}, unauthorized},
      {"subscribe to another's channel", R"({"type":"subscribe","id":1,"channels":["user:42"]})",
       {error(R"("id":1,)", "unauthorized", "a personal channel is its user's alone", R"(,"channel":"user:42")")}, unauthorized},
      {"subscribe to what is no pattern", R"({"type":"subscribe","id":1,"channels":["a.>.b"]})",
       {error(R"("id":1,)", "invalid_message", "in a pattern '>' may only be the last character", R"(,"channel":"a.>.b")")}, invalid_message},
      {"unsubscribe what was not subscribed", R"({"type":"unsubscribe","id":1,"channels":["c"]})",
       {error(R"("id":1,)", "unknown_channel", "the connection is not subscribed to this channel", R"(,"channel":"c")")}, unknown_channel},
      {"history of a channel that nobody knows", R"({"type":"history","id":1,"channel":"c"})",
       {error(R"("id":1,)", "unknown_channel", "nothing is known of this channel", R"(,"channel":"c")")}, unknown_channel},
      {"history of a pattern", R"({"type":"history","id":1,"channel":"c.*"})",
       {error(R"("id":1,)", "invalid_message", "history is that of one channel, not of a pattern", R"(,"channel":"c.*")")}, invalid_message},
      {"more history than there is in one answer", R"({"type":"history","id":1,"channel":"c","limit":1001})",
       {error(R"("id":1,)", "invalid_message", "limit is at most 1000; ask on from the last message", R"(,"channel":"c")")}, invalid_message},
      {"history of another's channel", R"({"type":"history","id":1,"channel":"user:42"})",
       {error(R"("id":1,)", "unauthorized", "a personal channel is its user's alone", R"(,"channel":"user:42")")}, unauthorized},
      {"presence where it is off", R"({"type":"presence","id":1,"channel":"c"})",
       {error(R"("id":1,)", "not_supported", "the channel's namespace does not list its users", R"(,"channel":"c")")}, not_supported},
      {"ack of a channel that it does not subscribe", R"({"type":"ack","id":1,"channel":"c","seq":1})",
       {error(R"("id":1,)", "unknown_channel", "the connection is not subscribed to this channel", R"(,"channel":"c")")}, unknown_channel},
      {"auth", R"({"type":"auth","id":1,"token":"x"})", {}, not_supported},
      {"ping", R"({"type":"ping","id":"p"})", {R"({"type":"pong","id":"p"})"}, {}},
      {"ping without an id", R"({"type":"ping"})", {R"({"type":"pong"})"}, {}},
  };
  for (const CommandRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    CoreHarness fresh;
    CoreClient& client = fresh.native();
    fresh.say(client, row.command);
    const Texts texts = CoreHarness::take_texts(client);
    if (row.answers.empty()) {
      ASSERT_EQ(texts.size(), 1U);
      EXPECT_NE(texts[0].find("\"code\":\"" + std::string{name_of(*row.counted)} + "\""), std::string::npos)
          << texts[0];
    } else {
      EXPECT_EQ(texts, row.answers);
    }
    for (std::uint8_t code = 0; code < static_cast<std::uint8_t>(ErrorCode::end); ++code) {
      EXPECT_EQ(fresh.count(error_counter(code)),
                row.counted && code == static_cast<std::uint8_t>(*row.counted) ? 1U : 0U);
    }
    EXPECT_FALSE(client.closed);
    fresh.say(client, R"({"type":"ping"})");  // and it goes on
    EXPECT_EQ(CoreHarness::take_texts(client), Texts{R"({"type":"pong"})"});
  }
}

TEST_F(NativeTest, ASubscribeOfSeveralIsAnsweredByOneForThoseGrantedAndOneErrorForEachRefused) {
  EXPECT_EQ(answers(alice, R"({"type":"subscribe","id":1,"channels":["a","$x","b","user:1"]})"),
            (Texts{R"({"type":"subscribed","id":1,"channels":[{"channel":"a","epoch":"X","seq":0},{"channel":"b","epoch":"X","seq":0}]})",
                   R"({"type":"error","id":1,"code":"unauthorized","message":"channels in '$' are for administrators","channel":"$x"})",
                   R"({"type":"error","id":1,"code":"unauthorized","message":"a personal channel is its user's alone","channel":"user:1"})"}));
  EXPECT_EQ(node.count(CounterId::subscriptions), 2U);
}

TEST_F(NativeTest, SubscribingTwiceIsAnsweredAgainAndDeliversOnce) {
  const Texts subscribed{R"({"type":"subscribed","id":1,"channels":[{"channel":"c","epoch":"X","seq":0}]})"};
  EXPECT_EQ(answers(alice, R"({"type":"subscribe","id":1,"channels":["c"]})"), subscribed);
  EXPECT_EQ(answers(alice, R"({"type":"subscribe","id":1,"channels":["c"]})"), subscribed);
  EXPECT_EQ(answers(alice, R"({"type":"subscribe","id":1,"channels":["c","c"]})"), subscribed);
  node.say(bob, R"({"type":"publish","channel":"c","data":1})");
  EXPECT_EQ(got(alice).size(), 1U);
  EXPECT_EQ(node.count(CounterId::subscriptions), 1U);
  EXPECT_EQ(answers(alice, R"({"type":"unsubscribe","id":2,"channels":["c"]})"),
            Texts{R"({"type":"unsubscribed","id":2,"channels":["c"]})"});
  EXPECT_EQ(node.count(CounterId::subscriptions), 0U);
}

TEST_F(NativeTest, UnsubscribingEndsDeliveryAndNamesWhatWasNotSubscribed) {
  node.say(alice, R"({"type":"subscribe","channels":["a","b"]})");
  got(alice);
  EXPECT_EQ(answers(alice, R"({"type":"unsubscribe","id":1,"channels":["a","x","y"]})"),
            (Texts{R"({"type":"error","id":1,"code":"unknown_channel","message":"the connection is not subscribed to this channel","channel":"x"})",
                   R"({"type":"error","id":1,"code":"unknown_channel","message":"the connection is not subscribed to this channel","channel":"y"})",
                   R"({"type":"unsubscribed","id":1,"channels":["a"]})"}));
  node.say(bob, R"({"type":"publish","channel":"a","data":1})");
  node.say(bob, R"({"type":"publish","channel":"b","data":2})");
  EXPECT_EQ(got(alice), Texts{R"({"type":"message","channel":"b","seq":1,"timestamp":"X","data":2})"});
}

TEST_F(NativeTest, OlderClientsSubscribeInTheirOwnWords) {
  EXPECT_EQ(answers(alice, R"({"type":"subscription","data":{"action":"subscribe","project_id":"X"}})"),
            Texts{R"({"type":"subscribed","channels":[{"channel":"project:X","epoch":"X","seq":0}]})"});
  EXPECT_EQ(answers(alice, R"({"type":"subscribe","data":{"bill_id":123}})"),
            Texts{R"({"type":"subscribed","channels":[{"channel":"bill:123","epoch":"X","seq":0}]})"});
  EXPECT_EQ(answers(alice, R"({"type":"subscription","data":{"action":"unsubscribe","project_id":"X"}})"),
            Texts{R"({"type":"unsubscribed","channels":["project:X"]})"});
}

TEST_F(NativeTest, ADuplicateIsAnsweredAsOneAndDeliveredOnce) {
  node.say(alice, R"({"type":"subscribe","channels":["c"]})");
  got(alice);
  constexpr std::string_view kPublish = R"({"type":"publish","id":1,"channel":"c","message_id":"m","data":1})";
  EXPECT_EQ(answers(bob, kPublish),
            Texts{R"({"type":"published","id":1,"channel":"c","epoch":"X","seq":1,"duplicate":false})"});
  EXPECT_EQ(answers(bob, kPublish),
            Texts{R"({"type":"published","id":1,"channel":"c","epoch":"X","seq":1,"duplicate":true})"});
  EXPECT_EQ(got(alice).size(), 1U);
  EXPECT_EQ(node.count(CounterId::messages_duplicate), 1U);
}

TEST_F(NativeTest, AMessageIdIsItsPublishersAndOneUserIsOnePublisher) {
  CoreClient& one = node.open("/ws/connect?user=42");
  CoreClient& same = node.open("/ws/connect?user=42");
  CoreClient& other = node.open("/ws/connect?user=43");
  for (CoreClient* client : {&one, &same, &other}) got(*client);  // the welcome, and the personal channel
  const auto duplicate = [&](CoreClient& client) {
    const Texts texts = answers(client, R"({"type":"publish","id":1,"channel":"c","message_id":"m","data":1})");
    return texts.at(0).ends_with(R"("duplicate":true})");
  };
  EXPECT_FALSE(duplicate(one));
  EXPECT_TRUE(duplicate(same));
  EXPECT_FALSE(duplicate(other));
  EXPECT_FALSE(duplicate(alice));
  EXPECT_FALSE(duplicate(bob));
  EXPECT_TRUE(duplicate(alice));
}

TEST_F(NativeTest, APublishersOwnEnvelopeIsUnwrapped) {
  node.say(alice, R"({"type":"subscribe","channels":["c"]})");
  got(alice);
  node.say(bob, R"({"type":"publish","channel":"c","data":{"stream":"c","data":{"x":1}}})");
  node.say(bob, R"({"type":"publish","channel":"c","data":{"stream":"other","data":{"x":1}}})");
  const Texts texts = got(alice);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_TRUE(texts[0].ends_with(R"("data":{"x":1}})"));
  EXPECT_TRUE(texts[1].ends_with(R"("data":{"stream":"other","data":{"x":1}}})"));
}

TEST_F(NativeTest, ASnapshotIsMarkedAsOne) {
  node.say(alice, R"({"type":"subscribe","channels":["c"]})");
  got(alice);
  node.say(bob, R"({"type":"publish","channel":"c","state":"snapshot","data":1})");
  EXPECT_EQ(got(alice), Texts{R"({"type":"message","channel":"c","seq":1,"timestamp":"X","state":"snapshot","data":1})"});
}

struct ResumeRow {
  std::string_view sentence;
  std::uint64_t seq;
  bool same_epoch;
  bool recovered;
  std::uint64_t first_message;  // 0: none
};

TEST_F(NativeTest, AResumeGivesWhatWasMissedOrSaysThatItCannot) {
  node.say(bob, R"({"type":"subscribe","channels":["c"]})");  // somebody keeps the log
  for (int i = 0; i < 5; ++i) node.say(bob, R"({"type":"publish","channel":"c","data":1})");
  node.say(bob, R"({"type":"publish","channel":"c","data":1})");
  const ResumeRow rows[] = {
      {"nothing missed", 6, true, true, 0},
      {"one missed", 5, true, true, 6},
      {"everything missed", 0, true, true, 1},
      {"another epoch", 5, false, false, 0},
      {"a seq that has not been", 7, true, false, 0},
      {"the largest seq there is", ~std::uint64_t{0}, true, false, 0},
  };
  CoreClient& probe = node.native();
  node.say(probe, R"({"type":"subscribe","channels":["c"]})");
  const std::string real_epoch = epoch_of(CoreHarness::take_texts(probe).at(0));
  std::uint64_t recovered = 0;
  std::uint64_t refused = 0;
  for (const ResumeRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    CoreClient& client = node.native();
    node.say(client, R"({"type":"subscribe","id":1,"channels":["c"],"resume":{"c":{"epoch":")" +
                         (row.same_epoch ? real_epoch : std::string(16, '0')) + R"(","seq":)" +
                         std::to_string(row.seq) + "}}}");
    const Texts texts = got(client);
    EXPECT_EQ(texts.at(0), std::string{R"({"type":"subscribed","id":1,"channels":[{"channel":"c","epoch":"X","seq":6,"recovered":)"} +
                               (row.recovered ? "true}]}" : "false}]}"));
    ASSERT_EQ(texts.size(), row.first_message == 0 ? 1U : 1 + 6 - row.first_message + 1);
    for (std::size_t i = 1; i < texts.size(); ++i) {
      EXPECT_NE(texts[i].find("\"seq\":" + std::to_string(row.first_message + i - 1) + ","), std::string::npos);
    }
    (row.recovered ? recovered : refused) += 1;
    EXPECT_EQ(node.count(CounterId::resumes_recovered), recovered);
    EXPECT_EQ(node.count(CounterId::resumes_refused), refused);
    node.end(client);
  }
}

TEST_F(NativeTest, AResumeOfWhatLogAndHistoryHaveDroppedIsNotRecoveredAndLiveMessagesFollow) {
  CoreOptions options;
  options.namespaces.emplace_back();
  options.namespaces[0].lag.messages = 5;
  options.namespaces[0].history.messages = 5;
  CoreHarness small{options};
  CoreClient& reader = small.native();
  small.say(reader, R"({"type":"subscribe","channels":["c"]})");
  const std::string epoch = epoch_of(CoreHarness::take_texts(reader).at(0));
  CoreClient& publisher = small.native();
  for (int i = 0; i < 200; ++i) small.say(publisher, R"({"type":"publish","channel":"c","data":1})");
  CoreClient& late = small.native();
  small.say(late, R"({"type":"subscribe","channels":["c"],"resume":{"c":{"epoch":")" + epoch + R"(","seq":1}}})");
  EXPECT_EQ(plain(CoreHarness::take_texts(late)),
            Texts{R"({"type":"subscribed","channels":[{"channel":"c","epoch":"X","seq":200,"recovered":false}]})"});
  small.say(publisher, R"({"type":"publish","channel":"c","data":1})");
  EXPECT_EQ(CoreHarness::take_texts(late).size(), 1U);
}

TEST_F(NativeTest, ANamespaceMaySayThatNothingIsResumed) {
  CoreOptions options;
  options.namespaces.emplace_back();
  options.namespaces[0].resume = false;
  CoreHarness strict{options};
  CoreClient& client = strict.native();
  strict.say(client, R"({"type":"subscribe","channels":["c"]})");
  const std::string epoch = epoch_of(CoreHarness::take_texts(client).at(0));
  CoreClient& other = strict.native();
  strict.say(other, R"({"type":"subscribe","channels":["c"],"resume":{"c":{"epoch":")" + epoch + R"(","seq":0}}})");
  EXPECT_NE(CoreHarness::take_texts(other).at(0).find(R"("recovered":false)"), std::string::npos);
}

TEST_F(NativeTest, MoreSubscriptionsThanAConnectionMayHaveAreRefusedOneByOne) {
  CoreOptions options;
  options.limits.subscriptions = 3;
  CoreHarness small{options};
  CoreClient& client = small.native();
  small.say(client, R"({"type":"subscribe","id":1,"channels":["a","b"]})");
  small.say(client, R"({"type":"subscribe","id":2,"channels":["c","d"]})");
  Texts texts = plain(CoreHarness::take_texts(client));
  ASSERT_EQ(texts.size(), 3U);
  EXPECT_EQ(texts[1], R"({"type":"subscribed","id":2,"channels":[{"channel":"c","epoch":"X","seq":0}]})");
  EXPECT_NE(texts[2].find(R"("code":"too_many_subscriptions")"), std::string::npos);
  EXPECT_EQ(small.count(CounterId::errors_sent_too_many_subscriptions), 1U);
  small.say(client, R"({"type":"subscribe","id":3,"channels":["a"]})");  // one that it has is no more
  texts = plain(CoreHarness::take_texts(client));
  EXPECT_EQ(texts, Texts{R"({"type":"subscribed","id":3,"channels":[{"channel":"a","epoch":"X","seq":0}]})"});
  small.say(client, R"({"type":"subscribe","id":4,"channels":["e","f","g","h"]})");  // more in one command than at all
  EXPECT_NE(CoreHarness::take_texts(client).at(0).find(R"("code":"too_many_subscriptions")"), std::string::npos);
  small.say(client, R"({"type":"unsubscribe","channels":["a"]})");
  CoreHarness::take_texts(client);
  small.say(client, R"({"type":"subscribe","id":5,"channels":["d"]})");
  EXPECT_TRUE(CoreHarness::take_texts(client).at(0).starts_with(R"({"type":"subscribed","id":5)"));
}

TEST_F(NativeTest, MoreChannelsThanTheNodeMayHaveAreRefusedAndNobodyIsBlamed) {
  CoreOptions options;
  options.limits.channels = 2;
  CoreHarness small{options};
  CoreClient& client = small.native();
  small.say(client, R"({"type":"publish","id":1,"channel":"a","data":1})");
  small.say(client, R"({"type":"subscribe","id":2,"channels":["b"]})");
  CoreHarness::take_texts(client);
  for (int i = 0; i < 20; ++i) {  // more than the error budget: it is not the client's mistake
    small.say(client, R"({"type":"publish","id":3,"channel":"c","data":1})");
    small.say(client, R"({"type":"subscribe","id":4,"channels":["d"]})");
    const Texts texts = CoreHarness::take_texts(client);
    ASSERT_EQ(texts.size(), 2U);
    EXPECT_NE(texts[0].find(R"("code":"overloaded")"), std::string::npos);
    EXPECT_NE(texts[0].find(R"("retry_after_ms":1000)"), std::string::npos);
    EXPECT_NE(texts[1].find(R"("code":"overloaded")"), std::string::npos);
  }
  small.say(client, R"({"type":"publish","id":5,"channel":"a","data":1})");  // the known ones go on
  EXPECT_TRUE(CoreHarness::take_texts(client).at(0).starts_with(R"({"type":"published","id":5)"));
}

TEST_F(NativeTest, TheSixthMistakeInTenMinutesClosesWith4003) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(answers(alice, "{}").size(), 1U);
  node.say(alice, "{}");
  EXPECT_EQ(CoreHarness::take_close(alice), 4003);
  EXPECT_EQ(node.count(CounterId::closed_4003), 1U);
  EXPECT_TRUE(alice.server_fin);
  EXPECT_EQ(node.count(CounterId::errors_sent_invalid_message), 6U);
}

TEST_F(NativeTest, MistakesAreForgottenWithTheirWindow) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(answers(alice, "{}").size(), 1U);
      node.pong(alice);
    }
    for (int minute = 0; minute < 22; ++minute) {
      node.advance(seconds{29});
      node.pong(alice);
      node.pong(bob);
    }
    CoreHarness::take_frames(alice);
  }
  EXPECT_FALSE(alice.closed);
  EXPECT_FALSE(alice.server_fin);
}

TEST_F(NativeTest, AnErrorThresholdOfZeroNeverCloses) {
  CoreOptions options;
  options.errors.errors_max = 0;
  CoreHarness patient{options};
  CoreClient& client = patient.native();
  for (int i = 0; i < 100; ++i) patient.say(client, "{}");
  EXPECT_EQ(CoreHarness::take_texts(client).size(), 100U);
  EXPECT_FALSE(client.server_fin);
}

TEST_F(NativeTest, TheMistakeThatClosesInTheMiddleOfACommandIsTheLastThatIsSaid) {
  const std::string_view commands[] = {
      R"({"type":"subscribe","channels":["a","$1","$2","$3"]})",
      R"({"type":"unsubscribe","channels":["x","y","z"]})",
      R"({"type":"publish","channel":"$x","data":1})",
  };
  for (const std::string_view command : commands) {
    SCOPED_TRACE(command);
    CoreHarness fresh;
    CoreClient& client = fresh.native();
    for (int i = 0; i < 5; ++i) fresh.say(client, "{}");
    fresh.say(client, command);
    fresh.say(client, R"({"type":"ping"})");  // it is not listened to any more
    const auto frames = CoreHarness::take_frames(client);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      EXPECT_EQ(frames[i].opcode == Opcode::close, i + 1 == frames.size());
    }
    EXPECT_EQ(fresh.count(CounterId::subscriptions), 0U);
  }
}

TEST_F(NativeTest, EveryRefusedChannelIsCountedThoughTheCommandIsOneMistake) {
  node.say(alice, R"({"type":"subscribe","channels":["$1","$2","$3","user:1"]})");
  EXPECT_EQ(got(alice).size(), 4U);
  EXPECT_EQ(node.count(CounterId::errors_sent_unauthorized), 4U);
  node.say(alice, R"({"type":"unsubscribe","channels":["x","y","z"]})");
  EXPECT_EQ(got(alice).size(), 3U);
  EXPECT_EQ(node.count(CounterId::errors_sent_unknown_channel), 3U);
  for (int i = 0; i < 3; ++i) node.say(alice, "{}");
  EXPECT_FALSE(alice.server_fin);  // five mistakes so far
  node.say(alice, "{}");
  EXPECT_TRUE(alice.server_fin);
}

}  // namespace
}  // namespace ringcast
