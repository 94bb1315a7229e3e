// tests/bench/system/limit_test.cpp: the parts of the limit program.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "bench/system/limit/audience.hpp"
#include "bench/system/limit/channel_log.hpp"
#include "bench/system/limit/sealing.hpp"
#include "bench/system/limit/send_path.hpp"
#include "bench/system/limit/sender.hpp"
#include "codec/websocket/message_assembler.hpp"

namespace ringcast {
namespace {

TEST(LimitOptions, AreChecked) {
  struct Row {
    std::string_view why;
    void (*change)(LimitOptions&);
  };
  constexpr Row kRows[] = {
      {"--connections", [](LimitOptions& o) { o.connections = 0; }},
      {"--channels", [](LimitOptions& o) { o.channels = o.connections + 1; }},
      {"--rate", [](LimitOptions& o) { o.rate = -1; }},
      {"--rate 0", [](LimitOptions& o) { o.rate = 0, o.batch = 0; }},
      {"--burst", [](LimitOptions& o) { o.burst = 0; }},
      {"--batch", [](LimitOptions& o) { o.batch = -2; }},
      {"--payload", [](LimitOptions& o) { o.payload = 60; }},
      {"--seconds", [](LimitOptions& o) { o.seconds = 0; }},
  };
  EXPECT_FALSE(check(LimitOptions{}).has_value());
  for (const Row& row : kRows) {
    LimitOptions options;
    row.change(options);
    ASSERT_TRUE(check(options).has_value()) << row.why;
    EXPECT_TRUE(check(options)->contains(row.why)) << *check(options);
  }
}

TEST(Sealing, CountsRecordsOfEveryCipherThatTls13Has) {
  for (const std::string_view cipher : {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"}) {
    SealOptions options{.cipher = std::string{cipher}, .bytes = 140, .readers = 3, .seconds = 0.001};
    for (const std::uint32_t bytes : {1U, 140U, kSealBytesMax}) {
      options.bytes = bytes;
      const auto result = measure_sealing(options);
      ASSERT_TRUE(result.has_value()) << cipher << ": " << result.error();
      EXPECT_GT(result->records, 0U);
      EXPECT_EQ(result->records % options.readers, 0U) << "a round is everybody's";
      EXPECT_GT(result->cpu_seconds, 0.0);
      EXPECT_TRUE(to_json(options, *result).contains(R"("cpu_ns_per_record":)"));
    }
  }
}

TEST(Sealing, RefusesWhatNoRecordIs) {
  struct Row {
    std::string_view why;
    void (*change)(SealOptions&);
  };
  constexpr Row kRows[] = {
      {"--seal", [](SealOptions& o) { o.cipher = "AES-256-CBC"; }},
      {"--seal", [](SealOptions& o) { o.cipher = "rot13"; }},
      {"--seal-bytes", [](SealOptions& o) { o.bytes = 0; }},
      {"--seal-bytes", [](SealOptions& o) { o.bytes = kSealBytesMax + 1; }},
      {"--connections", [](SealOptions& o) { o.readers = 0; }},
      {"--connections", [](SealOptions& o) { o.readers = kSealReadersMax + 1; }},
      {"--seconds", [](SealOptions& o) { o.seconds = 0; }},
  };
  for (const Row& row : kRows) {
    SealOptions options;
    row.change(options);
    const auto result = measure_sealing(options);
    ASSERT_FALSE(result.has_value()) << row.why;
    EXPECT_TRUE(result.error().contains(row.why)) << result.error();
  }
}

TEST(Audience, FindsTheChannelAtTheEndOfThePath) {
  EXPECT_EQ(channel_of_path("/sub/load.000000", 1), 0U);
  EXPECT_EQ(channel_of_path("/sub/load.000042", 100), 42U);
  for (const std::string_view path : {"/sub/load.000100", "/sub/load.00004x", "/pub/load.000000", "/sub/42", "/"}) {
    EXPECT_FALSE(channel_of_path(path, 100).has_value()) << path;
  }
}

TEST(LimitSchedule, GivesABurstOneInstantAndOneChannel) {
  LimitOptions options;
  options.rate = 1'000;
  options.burst = 4;
  options.channels = 2;
  options.seconds = 0.012;
  const LimitSchedule schedule{options};
  EXPECT_EQ(schedule.total(), 12U);
  EXPECT_EQ(schedule.due(3), nanoseconds{0});
  EXPECT_EQ(schedule.due(4), milliseconds{4});
  EXPECT_EQ(schedule.channel(3), 0U);
  EXPECT_EQ(schedule.channel(4), 1U);
  EXPECT_EQ(schedule.channel(8), 0U);
}

TEST(ChannelLog, KeepsWhatIsNotForgottenAndRefusesWhatDoesNotFit) {
  ChannelLog log{100, 3 * 102};
  EXPECT_EQ(log.frame_bytes(), 102U);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(log.has_room());
    log.append(Instant{seconds{i}});
  }
  EXPECT_FALSE(log.has_room());
  const std::string second{reinterpret_cast<const char*>(log.at(102)), 102};
  log.forget(102);
  EXPECT_TRUE(log.has_room());
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(log.at(102)), 102), second);
  log.append(Instant{seconds{3}});
  EXPECT_EQ(log.head(), 4U * 102);
  EXPECT_EQ(log.messages(), 4U);
}

/// Reads a socket to its end and gives the payloads, checked.
std::vector<std::uint64_t> counters_of(int fd, std::uint32_t payload_bytes) {
  MessageAssembler assembler{Role::client, {.message_bytes_max = 1U << 20}};
  const PayloadTemplate reader{payload_bytes};
  std::vector<std::uint64_t> counters;
  std::vector<std::uint8_t> buffer(4'096);
  while (true) {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) return counters;
    MutableBytes input{buffer.data(), static_cast<std::size_t>(got)};
    while (const auto event = assembler.next(input)) {
      EXPECT_EQ(event->kind, WsEvent::Kind::text);
      const auto fields = reader.read(event->text());
      counters.push_back(fields ? fields->counter : 0);
    }
  }
}

struct SendRow {
  std::string_view sentence;
  double rate;
  std::uint32_t burst;
  std::int64_t batch;
  bool io_uring;
};
constexpr SendRow kSendRows[] = {
    {"one frame a send", 20'000, 1, 1, false},
    {"bursts, and more in the batch than there are at the end", 20'000, 8, 32, false},
    {"rolling", 20'000, 1, 0, false},
    {"one frame a send, by the ring", 20'000, 1, 1, true},
    {"bursts, by the ring", 20'000, 8, 8, true},
    {"rolling, by the ring", 20'000, 4, 0, true},
    {"closed loop, by the ring", 0, 1, 32, true},
};

TEST(Sender, SendsEveryMessageOnceInOrderAlsoIntoFullSockets) {
  for (const SendRow& row : kSendRows) {
    SCOPED_TRACE(row.sentence);
    LimitOptions options;
    options.connections = 6;
    options.channels = 2;
    options.rate = row.rate;
    options.burst = row.burst;
    options.batch = row.batch;
    options.seconds = 0.1;
    std::vector<Reader> readers;
    std::vector<UniqueFd> ends;
    std::vector<std::vector<std::uint64_t>> seen(options.connections);
    for (std::uint32_t i = 0; i < options.connections; ++i) {
      int pair[2];
      ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
      const int small = 4'096;  // so that sends are short
      setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
      readers.push_back({UniqueFd{pair[0]}, i % 2});
      ends.emplace_back(pair[1]);
    }
    auto path = plain_send_path();
    if (row.io_uring) {
      auto ring = io_uring_send_path();
      if (!ring) GTEST_SKIP() << ring.error();
      path = std::move(*ring);
    }
    Sender sender{options, readers, *path};
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < options.connections; ++i) {
      threads.emplace_back([&, i] { seen[i] = counters_of(ends[i].get(), options.payload); });
    }
    const LimitResult result = sender.run(monotonic_now());
    for (Reader& reader : readers) reader.fd.reset();
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(result.lost_readers, 0U);
    EXPECT_GT(result.messages, 0U);
    EXPECT_EQ(result.deliveries, result.messages * 3);
    EXPECT_TRUE(row.rate == 0 || result.messages == 2'000U) << result.messages;
    for (std::uint32_t i = 0; i < options.connections; ++i) {
      ASSERT_EQ(seen[i].size(), sender.messages(i % 2));
      for (std::size_t m = 0; m < seen[i].size(); ++m) ASSERT_EQ(seen[i][m], m + 1);
    }
  }
}

TEST(Sender, LeavesOutAReaderThatIsGone) {
  LimitOptions options;
  options.connections = 2;
  options.rate = 10'000;
  options.seconds = 0.05;
  std::vector<Reader> readers;
  std::vector<UniqueFd> ends;
  for (int i = 0; i < 2; ++i) {
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    readers.push_back({UniqueFd{pair[0]}, 0});
    ends.emplace_back(pair[1]);
  }
  ends[0].reset();
  std::vector<std::uint64_t> seen;
  std::thread other{[&] { seen = counters_of(ends[1].get(), options.payload); }};
  const auto path = plain_send_path();
  Sender sender{options, readers, *path};
  const LimitResult result = sender.run(monotonic_now());
  for (Reader& reader : readers) reader.fd.reset();
  other.join();
  EXPECT_EQ(result.lost_readers, 1U);
  EXPECT_EQ(seen.size(), 500U);
}

}  // namespace
}  // namespace ringcast
