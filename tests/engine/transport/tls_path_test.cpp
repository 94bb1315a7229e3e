// TLS connections on real sockets and a real ring: what the core says arrives, and what a peer does wrong is told.
#include "engine/transport/tls_path.hpp"

#include <gtest/gtest.h>

#include "tests/doubles/test_certificates.hpp"
#include "tests/doubles/tls_client.hpp"
#include "tests/engine/transport/harness.hpp"

namespace ringcast {
namespace {

using test::entry;
using test::Harness;
using test::HarnessOptions;
using test::numbered;
using test::Peer;
using test::TlsClient;
using test::TlsClientOptions;

std::shared_ptr<const TlsContext> tls_context() {
  static const test::TestCertificate certificate{"DNS:a.example"};
  static const std::shared_ptr<const TlsContext> context = *TlsContext::load(
      {.certificates = {certificate.certificate_file()}, .keys = {certificate.key_file()}}, nullptr, Instant{});
  return context;
}

/// A client on a socket: what it gives is written, what comes is taken.
struct Remote {
  Peer peer;
  Handle handle;
  TlsClient tls;

  Remote(Peer socket, Handle of_server, const TlsClientOptions& options = {})
      : peer{std::move(socket)}, handle{of_server}, tls{options} {}
  /// Whether anything moved.
  bool move() {
    unsent += tls.give();
    unsent.erase(0, peer.write(unsent));
    const std::string got = peer.read();
    if (!got.empty()) tls.take(got);
    return !got.empty();
  }
  std::string unsent;
};

class TlsPathTest : public testing::TestWithParam<bool> {
 protected:
  static HarnessOptions options(int send_buffer_bytes = 0) {
    return {.silent_sends = GetParam(), .send_buffer_bytes = send_buffer_bytes, .tls = tls_context()};
  }
  /// A client whose handshake is done, and its server's handle.
  static std::unique_ptr<Remote> open(Harness& harness, int receive_buffer_bytes = 0,
                                      const TlsClientOptions& options = {}) {
    auto [peer, handle] = harness.accept_one(receive_buffer_bytes);
    auto remote = std::make_unique<Remote>(std::move(peer), handle, options);
    remote->tls.say("hello");
    EXPECT_TRUE(until(harness, *remote, [&] { return harness.events.received[handle.slot] == "hello"; }))
        << remote->tls.trouble();
    until(harness, *remote,
          [&] { return remote->tls.session() != nullptr; });  // the ticket is in, nothing is in flight
    for (int i = 0; i < 3; ++i) harness.turn();
    harness.events.received[handle.slot].clear();
    return remote;
  }
  template <class Condition>
  static bool until(Harness& harness, Remote& remote, Condition&& condition) {
    return harness.turn_until([&] {
      remote.move();
      return condition();
    });
  }
};

TEST_P(TlsPathTest, WhatIsSaidArrivesOnBothSides) {
  Harness harness{options()};
  auto remote = open(harness);
  ASSERT_EQ(harness.events.peers.size(), 1U);
  EXPECT_TRUE(harness.events.peers[0].tls);
  const std::string text = numbered(10'000);
  EXPECT_TRUE(harness.send({entry(remote->handle, text)}).empty());
  EXPECT_TRUE(until(harness, *remote, [&] { return remote->tls.heard() == text; }));
  remote->tls.say(numbered(100'000));
  EXPECT_TRUE(until(harness, *remote, [&] { return harness.events.received[remote->handle.slot].size() == 100'000; }));
  EXPECT_EQ(harness.events.received[remote->handle.slot], numbered(100'000));
  EXPECT_EQ(harness.transport->tls().counters().handshakes, 1U);
  EXPECT_EQ(harness.transport->tls().handshaking(), 0U);
}

TEST_P(TlsPathTest, ABatchMayHavePlainAndEncryptedNeighbours) {
  Harness harness{options()};
  std::vector<std::unique_ptr<Remote>> remotes;
  for (int i = 0; i < 5; ++i) remotes.push_back(open(harness));
  std::vector<std::string> texts;
  std::vector<SendEntry> batch;
  for (std::size_t i = 0; i < remotes.size(); ++i) texts.push_back(numbered(1'000 * (i + 1), i));
  for (std::size_t i = 0; i < remotes.size(); ++i) batch.push_back(entry(remotes[i]->handle, texts[i]));
  EXPECT_TRUE(harness.send(batch).empty());
  for (std::size_t i = 0; i < remotes.size(); ++i) {
    EXPECT_TRUE(until(harness, *remotes[i], [&] { return remotes[i]->tls.heard() == texts[i]; }));
  }
}

TEST_P(TlsPathTest, ATurnThatIsLongerThanARecordIsReportedShort) {
  Harness harness{options()};
  auto remote = open(harness);
  const std::string text = numbered(40'000);
  const auto reports = harness.send({entry(remote->handle, text)});
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].result, static_cast<std::int32_t>(kTlsRecordPlainMax));
  EXPECT_TRUE(until(harness, *remote, [&] { return remote->tls.heard().size() == kTlsRecordPlainMax; }));
  EXPECT_EQ(remote->tls.heard(), text.substr(0, kTlsRecordPlainMax));
}

TEST_P(TlsPathTest, ARemainderOfAnySizeArrivesWholeAndIsToldOnce) {
  Harness harness{options(8'192)};
  auto remote = open(harness, 8'192);
  const std::string text = numbered(1U << 20);
  EXPECT_TRUE(harness.send({entry(remote->handle, text, true)}).empty());
  EXPECT_TRUE(until(harness, *remote, [&] { return !harness.events.remainders.empty(); }));
  ASSERT_EQ(harness.events.remainders.size(), 1U);
  EXPECT_EQ(harness.events.remainders[0].first, remote->handle);
  EXPECT_EQ(harness.events.remainders[0].second, static_cast<std::int32_t>(text.size()));
  EXPECT_TRUE(until(harness, *remote, [&] { return remote->tls.heard().size() == text.size(); }));
  EXPECT_EQ(remote->tls.heard(), text);
}

// Whatever the kernel takes, the stream has neither a hole nor a repeat, and what was reported as sent arrives.
TEST_P(TlsPathTest, AReaderThatReadsLittleGetsExactlyWhatWasReportedAsSent) {
  Harness harness{options(8'192)};
  auto remote = open(harness, 8'192);
  std::string sent;
  bool was_full = false;
  for (int round = 0; round < 3'000 && (sent.size() < 300'000 || !was_full); ++round) {
    const std::string text = numbered(1 + static_cast<std::size_t>(round) * 977 % 20'000, sent.size());
    const auto reports = harness.send({entry(remote->handle, text)});
    std::size_t taken = text.size();
    if (!reports.empty()) {
      was_full = was_full || reports[0].result == -EAGAIN;
      taken = reports[0].result == -EAGAIN ? 0 : static_cast<std::size_t>(std::max(reports[0].result, 0));
      ASSERT_TRUE(reports[0].result > 0 || reports[0].result == -EAGAIN) << reports[0].result;
    }
    sent += text.substr(0, taken);
    if (taken == 0) {  // as the core does it: it waits for writable(), and hears of it
      harness.events.writables.clear();
      harness.act(ActionKind::wait_writable, remote->handle);
      ASSERT_TRUE(until(harness, *remote, [&] { return !harness.events.writables.empty(); }));
      ASSERT_EQ(harness.events.writables.size(), 1U);
    }
    if (round % 7 == 0) harness.turn();
  }
  EXPECT_TRUE(was_full);
  EXPECT_TRUE(until(harness, *remote, [&] { return remote->tls.heard().size() >= sent.size(); }));
  EXPECT_EQ(remote->tls.heard(), sent);
}

TEST_P(TlsPathTest, TheEndIsSaidInTlsBehindEverythingElse) {
  Harness harness{options(8'192)};
  auto remote = open(harness, 8'192);
  std::string sent;
  for (int i = 0; i < 100; ++i) {  // until something waits in the kernel's place
    const std::string text = numbered(8'000, sent.size());
    const auto reports = harness.send({entry(remote->handle, text)});
    if (!reports.empty() && reports[0].result == -EAGAIN) break;
    sent += text;
  }
  harness.act(ActionKind::shutdown_write, remote->handle);
  EXPECT_TRUE(until(harness, *remote, [&] { return remote->peer.at_end(); }));
  EXPECT_EQ(remote->tls.heard(), sent);
  EXPECT_TRUE(remote->tls.server_ended()) << "close_notify, so that nobody can cut the stream short unnoticed";
}

TEST_P(TlsPathTest, APeerThatEndsInTlsHasEnded) {
  Harness harness{options()};
  auto remote = open(harness);
  remote->tls.say("last words");
  remote->tls.shut_down();
  EXPECT_TRUE(until(harness, *remote, [&] { return !harness.events.ended.empty(); }));
  EXPECT_EQ(harness.events.received[remote->handle.slot], "last words");
  EXPECT_EQ(harness.events.ended[0], (std::pair{remote->handle, 0}));
  remote->peer.shutdown();
  for (int i = 0; i < 5; ++i) harness.turn();
  EXPECT_EQ(harness.events.ended.size(), 1U) << "it is told once, although the socket ends, too";
}

struct WrongRow {
  std::string_view sentence;
  std::string bytes;
  TlsFailure failure;
  std::string_view answer;  // begins with
};

TEST_P(TlsPathTest, WhatIsNotTlsIsAnsweredCountedAndEnded) {
  const WrongRow rows[] = {
      {"plain HTTP", "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", TlsFailure::not_tls, "HTTP/1.1 400 "},
      {"zeros", std::string(64, '\0'), TlsFailure::not_tls, ""},  // who knows what it would understand
      {"a record that is too long", "\x16\x03\x01\xff\xff\x01" + std::string(10, 'x'), TlsFailure::record, "\x15\x03"},
  };
  for (const WrongRow& row : rows) {
    Harness harness{options()};
    auto [peer, handle] = harness.accept_one();
    peer.write(row.bytes);
    ASSERT_TRUE(harness.turn_until([&] { return !harness.events.ended.empty(); })) << row.sentence;
    EXPECT_EQ(harness.events.ended[0].second, 0)
        << row.sentence << ": its handshake ends in order, so the answer arrives";
    EXPECT_EQ(harness.events.tls_failures, std::vector{row.failure}) << row.sentence;
    EXPECT_EQ(harness.transport->tls().counters().failed[std::to_underlying(row.failure)], 1U) << row.sentence;
    harness.act(ActionKind::close, handle);
    harness.turn();
    EXPECT_TRUE(peer.read().starts_with(row.answer)) << row.sentence;
    EXPECT_EQ(harness.transport->tls().handshaking(), 0U) << row.sentence;
    EXPECT_TRUE(harness.events.received[handle.slot].empty()) << row.sentence;
  }
}

TEST_P(TlsPathTest, ABrokenRecordResets) {
  Harness harness{options()};
  auto remote = open(harness);
  remote->tls.say("spoiled");
  std::string record = remote->tls.give();
  record.back() = static_cast<char>(record.back() ^ 1);
  remote->peer.write(record);
  ASSERT_TRUE(harness.turn_until([&] { return !harness.events.ended.empty(); }));
  EXPECT_EQ(harness.events.ended[0].second, EPROTO);
  EXPECT_EQ(harness.events.tls_failures, std::vector{TlsFailure::record});
  const std::string text = "late";
  const auto reports = harness.send({entry(remote->handle, text)});
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].result, -EPIPE) << "nothing is sent on a stream that is broken";
}

struct EndRow {
  std::string_view sentence;
  bool within_a_record;
  int error;
};

TEST_P(TlsPathTest, WhoEndsWithoutSayingSoInTlsWasCutOffOnlyWithinARecord) {
  for (const EndRow& row : {EndRow{"between two records", false, 0}, EndRow{"within a record", true, EPROTO}}) {
    Harness harness{options()};
    auto remote = open(harness);
    remote->tls.say(numbered(1'000));
    std::string record = remote->tls.give();
    if (row.within_a_record) record.resize(record.size() / 2);
    remote->peer.write(record);
    remote->peer.shutdown();
    ASSERT_TRUE(harness.turn_until([&] { return !harness.events.ended.empty(); })) << row.sentence;
    EXPECT_EQ(harness.events.ended[0].second, row.error) << row.sentence;
    EXPECT_EQ(harness.events.received[remote->handle.slot].size(), row.within_a_record ? 0U : 1'000U) << row.sentence;
    EXPECT_EQ(harness.events.tls_failures.size(), row.within_a_record ? 1U : 0U) << row.sentence;
    EXPECT_EQ(harness.transport->tls().counters().failed[std::to_underlying(TlsFailure::truncated)],
              row.within_a_record ? 1U : 0U)
        << row.sentence;
  }
}

TEST_P(TlsPathTest, AHandshakeThatWaitsForATurnIsHeldWithSoMuchInputAndNoMore) {
  HarnessOptions with = options();
  with.buffers = 512;
  with.buffer_bytes = 16'384;
  Harness harness{with};
  std::vector<std::unique_ptr<Remote>> remotes;
  for (std::uint32_t i = 0; i < 3 * kTlsStepsPerTurn; ++i) {
    auto [peer, handle] = harness.accept_one();
    remotes.push_back(std::make_unique<Remote>(std::move(peer), handle));
  }
  for (auto& remote : remotes) remote->peer.write(remote->tls.give() + std::string(2 * kTlsHeldBytesMax, '\x17'));
  const auto& failed = harness.transport->tls().counters().failed;
  EXPECT_TRUE(harness.turn_until([&] { return harness.events.ended.size() == remotes.size(); }));
  EXPECT_GT(failed[std::to_underlying(TlsFailure::flood)], 0U);
  EXPECT_EQ(harness.events.tls_failures.size(), remotes.size());
  EXPECT_EQ(harness.transport->tls().handshaking(), 0U);
  EXPECT_FALSE(harness.transport->has_work());
}

TEST_P(TlsPathTest, BeforeTheHandshakeIsDoneNothingIsSent) {
  Harness harness{options()};
  auto [peer, handle] = harness.accept_one();
  const std::string text = "HTTP/1.1 408 \r\n\r\n";
  const auto reports = harness.send({entry(handle, text)});
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].result, -EPIPE);
  harness.act(ActionKind::reset, handle);
  EXPECT_TRUE(harness.turn_until([&] { return !harness.events.closed_handles.empty(); }));
  EXPECT_EQ(harness.transport->tls().counters().unfinished, 1U);
  EXPECT_EQ(peer.read(), "") << "least of all in the clear";
}

TEST_P(TlsPathTest, ASocketThatBreaksUnderARemainderSaysSo) {
  Harness harness{options(8'192)};
  auto remote = open(harness, 8'192);
  const std::string text = numbered(1U << 20);
  (void)harness.send({entry(remote->handle, text, true)});
  for (int i = 0; i < 5; ++i) harness.turn();
  remote->peer.reset();
  EXPECT_TRUE(harness.turn_until([&] { return !harness.events.remainders.empty(); }));
  ASSERT_EQ(harness.events.remainders.size(), 1U);
  EXPECT_LT(harness.events.remainders[0].second, 0);
  const auto reports = harness.send({entry(remote->handle, text)});
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].result, -EPIPE);
  EXPECT_TRUE(harness.send({entry(remote->handle, text, true)}).empty()) << "a remainder is never among the reports";
  EXPECT_TRUE(harness.turn_until([&] { return harness.events.remainders.size() == 2; }));
}

TEST_P(TlsPathTest, WhoClosesSaysSoInTls) {
  for (const ActionKind kind : {ActionKind::close, ActionKind::shutdown_write}) {
    Harness harness{options()};
    auto remote = open(harness);
    harness.act(kind, remote->handle);
    EXPECT_TRUE(until(harness, *remote, [&] { return remote->tls.server_ended(); })) << static_cast<int>(kind);
  }
}

TEST_P(TlsPathTest, ClosingAmidARemainderEndsIt) {
  Harness harness{options(8'192)};
  auto remote = open(harness, 8'192);
  const std::string text = numbered(1U << 20);
  (void)harness.send({entry(remote->handle, text, true)});
  harness.turn();
  harness.act(ActionKind::reset, remote->handle);
  EXPECT_TRUE(harness.turn_until([&] { return !harness.events.closed_handles.empty(); }));
  EXPECT_EQ(harness.budget.used(Purpose::tls), 0U);
}

TEST_P(TlsPathTest, MoreHandshakesThanMayBeWaitTheirTurn) {
  HarnessOptions with = options();
  with.tls_handshakes_max = 2;
  Harness harness{with};
  std::vector<std::unique_ptr<Remote>> remotes;
  for (int i = 0; i < 5; ++i) {
    auto [peer, handle] = harness.accept_one();
    remotes.push_back(std::make_unique<Remote>(std::move(peer), handle));
  }
  EXPECT_EQ(harness.transport->tls().handshaking(), 0U) << "who says nothing takes nobody's place";
  for (auto& remote : remotes) {
    remote->tls.say("hello");
    remote->peer.write(remote->tls.give());
    for (int i = 0; i < 3; ++i) harness.turn();
  }
  EXPECT_EQ(harness.transport->tls().handshaking(), 2U);
  EXPECT_EQ(harness.transport->tls().counters().waited, 3U);
  // The third gives up; the two that hold the places go through, and then the others.
  harness.act(ActionKind::close, remotes[2]->handle);
  for (const std::size_t i : {0U, 1U, 3U, 4U}) {
    EXPECT_TRUE(until(harness, *remotes[i], [&] {
      return harness.events.received[remotes[i]->handle.slot] == "hello";
    })) << i;
  }
  EXPECT_EQ(harness.transport->tls().counters().handshakes, 4U);
  EXPECT_EQ(harness.transport->tls().handshaking(), 0U);
}

TEST_P(TlsPathTest, AHandshakeThatTakesASecondMakesRoomForOthersAndForNobodyElse) {
  HarnessOptions with = options();
  with.tls_handshakes_max = 1;
  Harness harness{with};
  auto [silent, silent_handle] = harness.accept_one();
  const auto& counters = harness.transport->tls().counters();
  silent.write(std::string{"\x16\x03\x01\x02\x00\x01", 6});  // the beginning of a hello
  const auto second_later = harness.now + kTlsPatience + milliseconds{100};
  EXPECT_TRUE(harness.turn_until([&] { return harness.now >= second_later; }));
  EXPECT_EQ(harness.transport->tls().handshaking(), 1U);
  EXPECT_TRUE(harness.events.ended.empty()) << "nobody wants its place";
  EXPECT_FALSE(harness.transport->next_deadline().has_value());
  for (int i = 0; i < 3; ++i) {
    auto [peer, handle] = harness.accept_one();
    Remote remote{std::move(peer), handle};
    remote.tls.say("hello");
    EXPECT_TRUE(until(harness, remote, [&] { return harness.events.received[handle.slot] == "hello"; })) << i;
  }
  EXPECT_EQ(counters.failed[std::to_underlying(TlsFailure::slow)], 1U);
  ASSERT_FALSE(harness.events.ended.empty());
  EXPECT_EQ(harness.events.ended[0].first, silent_handle);
  EXPECT_NE(harness.events.ended[0].second, 0);
  EXPECT_EQ(counters.handshakes, 3U);
  EXPECT_FALSE(harness.transport->has_work());
}

TEST_P(TlsPathTest, WhatTheCoreTakesInFrontOfTlsIsNotDecrypted) {
  const std::string header = "PROXY TCP4 10.1.2.3 127.0.0.1 4096 8192\r\n";
  for (const bool together : {true, false}) {
    Harness harness{options()};
    harness.events.in_the_clear = header.size();
    auto [peer, handle] = harness.accept_one();
    Remote remote{std::move(peer), handle};
    remote.tls.say("hello");
    remote.peer.write(together ? header + remote.tls.give() : header);
    EXPECT_TRUE(until(harness, remote, [&] { return harness.events.received[handle.slot] == header + "hello"; }))
        << remote.tls.trouble();
    EXPECT_TRUE(harness.events.tls_failures.empty());
  }
}

TEST_P(TlsPathTest, AStreamThatBreaksWhileARecordOfARemainderIsTakenSendsNoMoreOfIt) {
  for (int round = 0; round < 20; ++round) {
    Harness harness{options(8'192)};
    auto remote = open(harness, 8'192);
    const std::string text = numbered(1U << 20);
    (void)harness.send({entry(remote->handle, text, true)});
    for (int i = 0; i < 3; ++i) harness.turn();
    // A record that cannot be opened, and room for what is at the kernel: both are told in one turn.
    remote->peer.write(std::string{"\x17\x03\x03\x00\x20"} + std::string(32, 'x'));
    (void)remote->peer.read();
    for (int i = 0; i < 3; ++i) (void)remote->peer.read();
    EXPECT_TRUE(harness.turn_until([&] {
      (void)remote->peer.read();
      return !harness.events.remainders.empty() && !harness.events.ended.empty();
    })) << round;
    ASSERT_EQ(harness.events.remainders.size(), 1U);
    EXPECT_LT(harness.events.remainders[0].second, 0);
    ASSERT_EQ(harness.events.tls_failures.size(), 1U);
    EXPECT_EQ(harness.events.tls_failures[0], TlsFailure::record);
  }
}

TEST_P(TlsPathTest, ATurnDoesSoManyStepsAndTheNextTheRest) {
  Harness harness{options()};
  std::vector<std::unique_ptr<Remote>> remotes;
  for (std::uint32_t i = 0; i < 2 * kTlsStepsPerTurn + 3; ++i) {
    auto [peer, handle] = harness.accept_one();
    remotes.push_back(std::make_unique<Remote>(std::move(peer), handle));
  }
  for (auto& remote : remotes) {
    remote->tls.say("hello");
    remote->peer.write(remote->tls.give());
  }
  EXPECT_TRUE(harness.turn_until([&] { return harness.transport->tls().counters().deferred > kTlsStepsPerTurn; }));
  EXPECT_TRUE(harness.transport->has_work());
  for (auto& remote : remotes) {
    EXPECT_TRUE(until(harness, *remote, [&] { return harness.events.received[remote->handle.slot] == "hello"; }));
  }
  EXPECT_FALSE(harness.transport->has_work());
}

TEST_P(TlsPathTest, AnIdleConnectionIsChargedItsSessionAndNothingElse) {
  Harness harness{options()};
  auto remote = open(harness);
  const std::size_t idle = harness.budget.used(Purpose::tls);
  EXPECT_LE(idle, kTlsSessionBytes + sizeof(TlsConnection));
  remote->tls.say(numbered(50'000));
  EXPECT_TRUE(until(harness, *remote, [&] { return harness.events.received[remote->handle.slot].size() == 50'000; }));
  const std::string text = numbered(16'000);
  EXPECT_TRUE(harness.send({entry(remote->handle, text)}).empty());
  EXPECT_TRUE(until(harness, *remote, [&] { return remote->tls.heard().size() == text.size(); }));
  EXPECT_EQ(harness.budget.used(Purpose::tls), idle);
  harness.act(ActionKind::close, remote->handle);
  EXPECT_TRUE(harness.turn_until([&] { return !harness.events.closed_handles.empty(); }));
  EXPECT_EQ(harness.budget.used(Purpose::tls), 0U);
}

TEST_P(TlsPathTest, NewCertificatesAreForNewConnections) {
  Harness harness{options()};
  auto old_one = open(harness);
  static const test::TestCertificate other{"DNS:b.example"};
  harness.transport->use_tls(*TlsContext::load({.certificates = {other.certificate_file()}, .keys = {other.key_file()}},
                                               tls_context().get(), Instant{}));
  auto new_one = open(harness);
  EXPECT_TRUE(old_one->tls.server_is("a.example"));
  EXPECT_TRUE(new_one->tls.server_is("b.example"));
  const std::string text = "still here";
  EXPECT_TRUE(harness.send({entry(old_one->handle, text)}).empty());
  EXPECT_TRUE(until(harness, *old_one, [&] { return old_one->tls.heard() == text; }));
}

INSTANTIATE_TEST_SUITE_P(EachShape, TlsPathTest, testing::Values(true, false),
                         [](const auto& row) { return row.param ? "silent" : "reported"; });

}  // namespace
}  // namespace ringcast
