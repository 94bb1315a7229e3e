// What OpenSSL takes for a connection: the constants of tls_stream.hpp are what is charged to the budget, and these
// tests hold them to what is measured. A program of its own, because OpenSSL takes an allocator only before its first
// use.
#include <gtest/gtest.h>

#include <malloc.h>
#include <openssl/crypto.h>

#include <cstdlib>

#include "engine/transport/tls_stream.hpp"
#include "tests/doubles/test_certificates.hpp"
#include "tests/doubles/tls_client.hpp"

namespace ringcast {
namespace {

std::size_t held = 0, peak = 0;

void count(void* pointer, bool taken) {
  const std::size_t bytes = pointer != nullptr ? malloc_usable_size(pointer) : 0;
  held = taken ? held + bytes : held - bytes;
  if (held > peak) peak = held;
}
void* take(std::size_t bytes, const char*, int) {
  void* const pointer = std::malloc(bytes);
  count(pointer, true);
  return pointer;
}
void* take_again(void* old, std::size_t bytes, const char*, int) {
  count(old, false);
  void* const pointer = std::realloc(old, bytes);
  count(pointer, true);
  return pointer;
}
void give(void* pointer, const char*, int) {
  count(pointer, false);
  std::free(pointer);
}
const bool kCounts = CRYPTO_set_mem_functions(take, take_again, give) == 1;

struct Row {
  std::string_view sentence;
  int version;
  test::TestCertificate::Key key;
};

class TlsMemory : public testing::TestWithParam<Row> {};

TEST_P(TlsMemory, IsWhatTheBudgetIsCharged) {
  ASSERT_TRUE(kCounts);
  const test::TestCertificate certificate{"DNS:a.example", nullptr, GetParam().key};
  const auto context = TlsContext::load(
      {.certificates = {certificate.certificate_file()}, .keys = {certificate.key_file()}}, nullptr, Instant{});
  ASSERT_TRUE(context) << context.error();
  std::vector<std::uint8_t> out, plain(kTlsRecordPlainMax);
  TlsWire wire;
  const auto feed = [&](TlsStream& stream, const std::string& bytes) {
    stream.begin(as_bytes(bytes), out);
    while (stream.step(plain) != 0) {}
  };
  constexpr std::size_t kStreams = 20;  // the first few also fill OpenSSL's own tables
  std::vector<std::unique_ptr<TlsStream>> streams;
  std::vector<std::unique_ptr<test::TlsClient>> clients;
  std::size_t most_handshake = 0, most_idle = 0;
  for (std::size_t i = 0; i < kStreams; ++i) {
    clients.push_back(std::make_unique<test::TlsClient>(
        test::TlsClientOptions{.version_min = GetParam().version, .version_max = GetParam().version}));
    test::TlsClient& client = *clients.back();
    std::string bytes = client.give();
    const std::size_t before = held;
    std::size_t client_bytes = 0, handshake = 0;
    streams.push_back(std::make_unique<TlsStream>(*context, wire));
    TlsStream& stream = *streams.back();
    for (int turn = 0; turn < 4; ++turn) {
      peak = held;
      feed(stream, bytes);
      handshake = std::max(handshake, peak - before - client_bytes);
      const std::size_t between = held;
      client.take(as_text(out));
      out.clear();
      bytes = client.give();
      client_bytes += held - between;
    }
    ASSERT_TRUE(client.open());
    client.say("hello");  // and once to and fro
    const std::size_t said = held;
    const std::string record = client.give();
    client_bytes += held - said;
    feed(stream, record);
    ASSERT_NE(stream.write(as_bytes(std::string(10'000, 'x')), out), 0U);
    out.clear();
    const std::size_t idle = held - before - client_bytes;
    if (i >= 5) {
      most_handshake = std::max(most_handshake, handshake);
      most_idle = std::max(most_idle, idle);
    }
  }
  RecordProperty("handshake", static_cast<int>(most_handshake));
  RecordProperty("idle", static_cast<int>(most_idle));
  std::printf("%s: %zu bytes in the handshake, %zu when idle\n", std::string{GetParam().sentence}.c_str(),
              most_handshake, most_idle);
  EXPECT_LE(most_handshake, kTlsHandshakeBytes);
  EXPECT_LE(most_idle, kTlsSessionBytes);
  EXPECT_GE(most_idle, kTlsSessionBytes / 3) << "the charge is near the truth";
}

TEST(TlsMemoryOfARecord, IsHeldOnlyWhileARecordIsIncomplete) {
  const test::TestCertificate certificate{"DNS:a.example"};
  const auto context = TlsContext::load(
      {.certificates = {certificate.certificate_file()}, .keys = {certificate.key_file()}}, nullptr, Instant{});
  std::vector<std::uint8_t> out, plain(kTlsRecordPlainMax);
  TlsWire wire;
  TlsStream stream{*context, wire};
  test::TlsClient client;
  const auto feed = [&](std::string_view bytes) {
    stream.begin(as_bytes(bytes), out);
    while (stream.step(plain) != 0) {}
  };
  for (int turn = 0; turn < 4; ++turn) {
    feed(client.give());
    client.take(as_text(out));
    out.clear();
  }
  client.say(std::string(5'000, 'x'));
  const std::string record = client.give();
  const std::size_t idle = held;
  feed(std::string_view{record}.substr(0, 3'000));
  EXPECT_TRUE(stream.mid_record());
  EXPECT_GT(held, idle + 10'000);
  EXPECT_LE(held, idle + kTlsRecordBytes);
  feed(std::string_view{record}.substr(3'000));
  EXPECT_FALSE(stream.mid_record());
  EXPECT_LE(held, idle + 512);
}

INSTANTIATE_TEST_SUITE_P(Each, TlsMemory,
                         testing::Values(Row{"TLS 1.2, P-256", TLS1_2_VERSION, test::TestCertificate::Key::p256},
                                         Row{"TLS 1.3, P-256", TLS1_3_VERSION, test::TestCertificate::Key::p256},
                                         Row{"TLS 1.3, RSA", TLS1_3_VERSION, test::TestCertificate::Key::rsa2048}),
                         [](const auto& row) { return "row" + std::to_string(row.index); });

}  // namespace
}  // namespace ringcast
