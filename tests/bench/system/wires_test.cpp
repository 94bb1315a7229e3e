// tests/bench/system/wires_test.cpp: what each compared server is told, and what is made of what it says.
#include <gtest/gtest.h>

#include "bench/system/limit_wire.hpp"
#include "bench/system/nats_protocol.hpp"
#include "bench/system/nats_wire.hpp"
#include "bench/system/peer_wires.hpp"
#include "tests/doubles/temporary_file.hpp"
#include "tools/load/feed_verifier.hpp"
#include "tools/load/payload.hpp"

namespace ringcast {
namespace {

using Kind = NatsOperation::Kind;

struct Operation {
  Kind kind;
  std::string text;
  bool operator==(const Operation&) const = default;
};
std::vector<Operation> operations_of(std::string_view stream, std::size_t piece) {
  NatsStream nats;
  std::vector<Operation> seen;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    nats.feed(stream.substr(at, piece), [&](const NatsOperation& operation) {
      seen.push_back({operation.kind, std::string{operation.text}});
    });
  }
  return seen;
}

struct NatsRow {
  std::string_view sentence, stream;
  std::vector<Operation> operations;
};
const NatsRow kNatsRows[] = {
    {"a message", "MSG a.b 1 5\r\nhello\r\n", {{Kind::message, "hello"}}},
    {"with a reply subject", "MSG a 1 inbox 2\r\nhi\r\n", {{Kind::message, "hi"}}},
    {"whose payload has line ends", "MSG a 1 6\r\na\r\nb\r\n\r\n", {{Kind::message, "a\r\nb\r\n"}}},
    {"an empty one", "MSG a 1 0\r\n\r\nPING\r\n", {{Kind::message, ""}, {Kind::ping, ""}}},
    {"several", "MSG a 1 1\r\nx\r\nMSG a 1 1\r\ny\r\n", {{Kind::message, "x"}, {Kind::message, "y"}}},
    {"what else there is",
     "INFO {\"a\":1}\r\nPING\r\nPONG\r\n+OK\r\n-ERR 'No'\r\n",
     {{Kind::info, "{\"a\":1}"}, {Kind::ping, ""}, {Kind::pong, ""}, {Kind::ok, ""}, {Kind::error, "'No'"}}},
    {"a payload that is longer than it says",
     "MSG a 1 1\r\nxy\r\n",
     {{Kind::malformed, "MSG a 1 1"}, {Kind::malformed, "xy"}}},
    {"a size that is no number", "MSG a 1 x\r\n", {{Kind::malformed, "MSG a 1 x"}}},
    {"a size beyond any server's", "MSG a 1 99999999999\r\n", {{Kind::malformed, "MSG a 1 99999999999"}}},
    {"an unknown word", "HMSG a\r\n", {{Kind::malformed, "HMSG a"}}},
    {"an incomplete message", "MSG a 1 5\r\nhell", {}},
};

TEST(NatsStream, CutsOperationsHoweverTheyArrive) {
  for (const NatsRow& row : kNatsRows) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{1'000}}) {
      EXPECT_EQ(operations_of(row.stream, piece), row.operations) << row.sentence << ", pieces of " << piece;
    }
  }
}

/// One subscriber of the channel load.000000.
class WireBench {
 public:
  explicit WireBench(std::unique_ptr<Wire> wire) : wire_{std::move(wire)} {
    options.connections = 1;
    options.payload = 61;
    plan_ = plan_synthetic(options);
    verifier_ = wire_->verifier({options, plan_, control_}, plan_.connections);
  }
  Verifier::Taken say(std::string_view text) { return verifier_->take(0, text, Instant{seconds{2}}); }
  std::string payload(std::uint64_t counter) { return std::string{writer_.write({Instant{seconds{1}}, counter, 0})}; }
  const Tally& settle(std::uint64_t published) {
    verifier_->publishing_ended({published});
    verifier_->settle({true});
    return verifier_->ordinary();
  }
  Verifier& verifier() { return *verifier_; }
  LoadOptions options;

 private:
  LoadPlan plan_;
  RunControl control_;
  std::unique_ptr<Wire> wire_;
  std::unique_ptr<Verifier> verifier_;
  PayloadTemplate writer_{61};
};

TEST(HubWire, JoinsByTheServersWord) {
  WireBench bench{make_hub_wire()};
  EXPECT_EQ(bench.verifier().target(0, ""), "/sub/load.000000");
  EXPECT_EQ(bench.verifier().greeting(0), "");
  EXPECT_FALSE(bench.verifier().opened(0));
  EXPECT_EQ(bench.say("joined"), Verifier::Taken::joined);
  EXPECT_EQ(bench.say(bench.payload(1)), Verifier::Taken::message);
  EXPECT_TRUE(bench.settle(1).clean());
  WireBench other{make_hub_wire()};
  EXPECT_EQ(other.say("no"), Verifier::Taken::refused);
}

TEST(HubWire, CarriesACapturedFeedOneStreamAConnection) {
  const TemporaryFile file{
      "1000 {\"stream\":\"b@trade\",\"data\":{\"t\":1}}\n"
      "2000 {\"stream\":\"b@trade\",\"data\":{\"t\":2}}\n"};
  const auto feed = Feed::load({file.path()});
  ASSERT_TRUE(feed.has_value()) << feed.error();
  LoadOptions options;
  options.feed = {file.path()};
  options.connections = 1;
  EXPECT_TRUE(make_hub_wire()->check(options).has_value()) << "by default a subscriber takes several streams";
  options.streams_per_connection = 1;
  EXPECT_FALSE(make_hub_wire()->check(options).has_value());

  FeedClock clock;
  const auto wire = make_hub_wire()->for_feed(*feed, clock);
  ASSERT_NE(wire, nullptr);
  const LoadPlan plan = plan_feed(options, *feed);
  RunControl control;
  const auto verifier = wire->verifier({options, plan, control}, plan.connections);
  EXPECT_EQ(verifier->target(0, ""), "/sub/b@trade");
  EXPECT_EQ(verifier->greeting(0), "");
  EXPECT_EQ(verifier->take(0, "no", Instant{}), Verifier::Taken::refused);
  EXPECT_EQ(verifier->take(0, "joined", Instant{}), Verifier::Taken::joined);
  EXPECT_EQ(verifier->take(0, R"({"t":1})", Instant{}), Verifier::Taken::message);
  EXPECT_EQ(verifier->take(0, R"({"t":2})", Instant{}), Verifier::Taken::message);
  verifier->publishing_ended({2});
  verifier->settle({true});
  EXPECT_TRUE(verifier->ordinary().clean());
  EXPECT_EQ(verifier->ordinary().delivered, 2U);
}

TEST(Wires, OfWhichOthersTakeNoFeedsOfTheirOwn) {
  Feed feed;
  FeedClock clock;
  EXPECT_EQ(make_nchan_wire()->for_feed(feed, clock), nullptr);
  EXPECT_EQ(make_nats_wire()->for_feed(feed, clock), nullptr);
}

TEST(NchanWire, JoinsByTheHandshakeAndHasOnePublisherAChannel) {
  WireBench bench{make_nchan_wire()};
  EXPECT_EQ(bench.verifier().target(0, ""), "/sub/load.000000");
  EXPECT_TRUE(bench.verifier().opened(0));
  EXPECT_EQ(bench.say(bench.payload(1)), Verifier::Taken::message);
  EXPECT_TRUE(bench.settle(1).clean());
  bench.options.channels = 7;
  EXPECT_EQ(make_nchan_wire()->publishers(bench.options), 7U);
}

TEST(NatsWire, JoinsByThePongAndAnswersPings) {
  WireBench bench{make_nats_wire()};
  EXPECT_EQ(bench.verifier().opcode(), Opcode::binary);
  EXPECT_TRUE(bench.verifier().greeting(0).starts_with("CONNECT {"));
  EXPECT_TRUE(bench.verifier().greeting(0).ends_with("}\r\nSUB load.000000 1\r\nPING\r\n"));
  EXPECT_EQ(bench.say("INFO {}\r\n"), Verifier::Taken::message);
  EXPECT_EQ(bench.say("PONG\r\n"), Verifier::Taken::joined);
  EXPECT_EQ(bench.say("MSG load.000000 1 61\r\n" + bench.payload(1)), Verifier::Taken::message);
  EXPECT_EQ(bench.say("\r\nPING\r\nMSG load.000000 1 61\r\n" + bench.payload(2) + "\r\n"), Verifier::Taken::reply);
  EXPECT_EQ(bench.verifier().reply(), "PONG\r\n");
  const Tally& tally = bench.settle(2);
  EXPECT_EQ(tally.delivered, 2U);
  EXPECT_TRUE(tally.clean());
}

TEST(NatsWire, ReportsWhatTheServerComplainsOf) {
  WireBench bench{make_nats_wire()};
  EXPECT_EQ(bench.say("-ERR 'Authorization Violation'\r\n"), Verifier::Taken::refused);
  EXPECT_TRUE(bench.verifier().trouble().contains("Authorization Violation"));
  (void)bench.say("nonsense\r\n");
  EXPECT_EQ(bench.verifier().ordinary().altered, 1U);
}

TEST(LimitWire, ReadsItsTwoNotices) {
  EXPECT_EQ(parse_limit_notice("start 17")->kind, LimitNotice::Kind::start);
  EXPECT_EQ(parse_limit_notice("start 17")->number, 17U);
  EXPECT_EQ(parse_limit_notice("end 0")->kind, LimitNotice::Kind::end);
  for (const std::string_view text : {"", "start", "start ", "start x", "stop 1", "end -1", "end 1 "}) {
    EXPECT_FALSE(parse_limit_notice(text).has_value()) << text;
  }
}

TEST(LimitWire, HasEverybodyAgreeOnStartAndEnd) {
  WireBench bench{make_limit_wire()};
  EXPECT_TRUE(bench.verifier().opened(0));
  EXPECT_EQ(bench.say("start 5"), Verifier::Taken::notice);
  EXPECT_EQ(bench.say(bench.payload(1)), Verifier::Taken::message);
  EXPECT_EQ(bench.say("end 1"), Verifier::Taken::notice);
  EXPECT_EQ(bench.say("end 2"), Verifier::Taken::refused);
  EXPECT_TRUE(bench.settle(1).clean());

  LimitAccount account{2};
  EXPECT_TRUE(account.agree_start(5));
  EXPECT_TRUE(account.agree_start(5));
  EXPECT_FALSE(account.agree_start(6));
  EXPECT_TRUE(account.agree_end(0, 0));
  EXPECT_FALSE(account.ended());
  EXPECT_TRUE(account.agree_end(1, 9));
  EXPECT_TRUE(account.ended());
  EXPECT_EQ(account.published(), (std::vector<std::uint64_t>{0, 9}));
}

TEST(PeerWires, SayWhatTheyCannotDo) {
  LoadOptions options;
  options.connections = 10;
  options.channels = 20;
  for (const auto make : {make_hub_wire, make_nchan_wire, make_nats_wire, make_limit_wire}) {
    EXPECT_TRUE(make()->check(options)->contains("--connections"));
  }
  options.channels = 10;
  options.connect_only = true;
  EXPECT_TRUE(make_limit_wire()->check(options)->contains("--connect-only"));
  EXPECT_FALSE(make_nats_wire()->check(options).has_value());
}

}  // namespace
}  // namespace ringcast
