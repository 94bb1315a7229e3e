// One connection's TLS without a socket: certificates, versions, tickets, and everything a peer may do wrong.
#include "engine/transport/tls_stream.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/doubles/test_certificates.hpp"
#include "tests/doubles/tls_client.hpp"

namespace ringcast {
namespace {

using test::TestCertificate;
using test::TlsClient;
using test::TlsClientOptions;

/// Certificates are made once: keys cost time.
struct Pki {
  TestCertificate authority{""};
  TestCertificate first{"DNS:first.example,DNS:*.wild.example", &authority};
  TestCertificate second{"DNS:second.example", &authority, TestCertificate::Key::rsa2048};
  TestCertificate client{"DNS:client", &authority};
  TestCertificate stranger_authority{""};
  TestCertificate stranger{"DNS:client", &stranger_authority};
};
const Pki& pki() {
  static const Pki made;
  return made;
}
TlsOptions options_of(std::initializer_list<const TestCertificate*> certificates) {
  TlsOptions options;
  for (const TestCertificate* certificate : certificates) {
    options.certificates.push_back(certificate->certificate_file());
    options.keys.push_back(certificate->key_file());
  }
  return options;
}
std::shared_ptr<const TlsContext> context_of(const TlsOptions& options, const TlsContext* before = nullptr,
                                             Instant now = Instant{hours{1}}) {
  auto context = TlsContext::load(options, before, now);
  EXPECT_TRUE(context) << context.error();
  return *context;
}

/// The server's end, with what it heard and has to send.
class Server {
 public:
  explicit Server(std::shared_ptr<const TlsContext> context) : stream{std::move(context), wire} {}

  /// In pieces of `chunk` bytes, through a plaintext buffer of `room`.
  void take(std::string_view bytes, std::size_t chunk = SIZE_MAX, std::size_t room = kTlsRecordPlainMax) {
    std::vector<std::uint8_t> plain(room);
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, chunk);
      bytes.remove_prefix(piece.size());
      const std::vector<std::uint8_t> own(piece.begin(), piece.end());
      stream.begin(own, out);
      while (const std::size_t size = stream.step(plain)) heard.append(as_text(Bytes{plain}.first(size)));
    }
  }
  std::string give() {
    std::string bytes{as_text(out)};
    out.clear();
    return bytes;
  }
  void say(std::string_view text) {
    while (!text.empty()) {
      const std::size_t taken = stream.write(as_bytes(text), out);
      ASSERT_NE(taken, 0U);
      text.remove_prefix(taken);
    }
  }

  TlsWire wire;
  TlsStream stream;
  std::vector<std::uint8_t> out;
  std::string heard;
};

/// Bytes go to and fro until nobody has any.
void talk(Server& server, TlsClient& client, std::size_t chunk = SIZE_MAX) {
  for (int i = 0; i < 100; ++i) {
    const std::string to_server = client.give();
    server.take(to_server, chunk);
    const std::string to_client = server.give();
    client.take(to_client);
    if (to_server.empty() && to_client.empty()) return;
  }
  FAIL() << "a conversation ends";
}

class EachVersion : public testing::TestWithParam<int> {
 protected:
  TlsClientOptions only(TlsClientOptions options = {}) const {
    options.version_min = options.version_max = GetParam();
    return options;
  }
};

TEST_P(EachVersion, WhatIsSaidArrivesHoweverTheBytesAreCut) {
  const auto context = context_of(options_of({&pki().first}));
  std::mt19937 random{5};
  for (const std::size_t chunk : {SIZE_MAX, std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{1'000}}) {
    Server server{context};
    TlsClient client{only({.server_name = "first.example", .authority = &pki().authority})};
    talk(server, client, chunk);
    ASSERT_EQ(server.stream.state(), TlsStream::State::open);
    ASSERT_TRUE(client.open()) << client.trouble();
    EXPECT_EQ(server.stream.version(), client.version());
    EXPECT_EQ(server.stream.server_name(), "first.example");
    std::string to_server, to_client;
    for (const std::size_t size : {1U, 100U, 16'383U, 16'384U, 16'385U, 70'000U}) {
      std::string text(size, '\0');
      for (char& c : text) c = static_cast<char>(random());
      to_server += text;
      client.say(text);
      server.say(text);
      to_client += text;
      talk(server, client, chunk);
    }
    EXPECT_EQ(server.heard, to_server);
    EXPECT_EQ(client.heard(), to_client);
    EXPECT_FALSE(server.stream.mid_record());
  }
}

TEST_P(EachVersion, ASmallPlaintextBufferIsFilledAsOftenAsItTakes) {
  Server server{context_of(options_of({&pki().first}))};
  TlsClient client{only()};
  talk(server, client);
  client.say(std::string(50'000, 'x'));
  server.take(client.give(), SIZE_MAX, 100);
  EXPECT_EQ(server.heard, std::string(50'000, 'x'));
}

TEST_P(EachVersion, ATurnIsOneRecord) {
  Server server{context_of(options_of({&pki().first}))};
  TlsClient client{only()};
  talk(server, client);
  const std::string text(100'000, 'y');
  EXPECT_EQ(server.stream.write(as_bytes(text), server.out), kTlsRecordPlainMax);
  EXPECT_LE(server.out.size(), kTlsRecordBytesMax);
  client.take(server.give());
  EXPECT_EQ(client.heard().size(), kTlsRecordPlainMax);
}

TEST_P(EachVersion, EachSideMayEndAndTheOtherIsTold) {
  const auto context = context_of(options_of({&pki().first}));
  Server server{context};
  TlsClient client{only()};
  talk(server, client);
  client.say("last words");
  client.shut_down();
  server.take(client.give());
  EXPECT_EQ(server.heard, "last words");
  EXPECT_EQ(server.stream.state(), TlsStream::State::ended);
  server.say("still heard");
  server.stream.shut_down(server.out);
  Server other{context};
  TlsClient second{only()};
  talk(other, second);
  other.say("goodbye");
  other.stream.shut_down(other.out);
  second.take(other.give());
  EXPECT_EQ(second.heard(), "goodbye");
  EXPECT_TRUE(second.server_ended());
}

struct NameRow {
  std::string_view sentence, asked, got;
};
constexpr NameRow kNames[] = {
    {"the first certificate's name", "first.example", "first.example"},
    {"the second certificate's name", "second.example", "second.example"},
    {"in capitals", "SECOND.EXAMPLE", "second.example"},
    {"a name under a wildcard", "a.wild.example", "a.wild.example"},
    {"two labels under a wildcard: the first", "a.b.wild.example", "first.example"},
    {"nobody's name: the first", "unknown.example", "first.example"},
    {"no name: the first", "", "first.example"},
};

TEST_P(EachVersion, TheClientsServerNameChoosesTheCertificate) {
  const auto context = context_of(options_of({&pki().first, &pki().second}));
  ASSERT_EQ(context->names().size(), 2U);
  EXPECT_EQ(context->names()[0], "first.example, *.wild.example");
  for (const NameRow& row : kNames) {
    Server server{context};
    TlsClient client{only({.server_name = std::string{row.asked}, .authority = &pki().authority})};
    talk(server, client);
    EXPECT_TRUE(client.open()) << row.sentence << client.trouble();
    EXPECT_TRUE(client.server_is(std::string{row.got})) << row.sentence;
  }
}

struct AlpnRow {
  std::string_view sentence;
  std::vector<std::string> offered;
  std::string_view chosen;
  bool good;
};

TEST_P(EachVersion, Http11IsChosenOrNothing) {
  const AlpnRow rows[] = {
      {"nothing offered", {}, "", true},
      {"http/1.1", {"http/1.1"}, "http/1.1", true},
      {"among others", {"h2", "http/1.1"}, "http/1.1", true},
      {"only others", {"h2", "h3"}, "", false},
  };
  const auto context = context_of(options_of({&pki().first}));
  for (const AlpnRow& row : rows) {
    Server server{context};
    TlsClient client{only({.protocols = row.offered})};
    talk(server, client);
    EXPECT_EQ(client.open() && !client.failed(), row.good) << row.sentence;
    EXPECT_EQ(client.protocol(), row.chosen) << row.sentence;
    if (row.good) continue;
    EXPECT_EQ(server.stream.failure(), TlsFailure::alpn) << server.stream.detail();
    EXPECT_TRUE(client.failed()) << "it is told by an alert";
  }
}

TEST_P(EachVersion, ATicketResumesWithWhoeverHasItsKey) {
  const TlsOptions options = options_of({&pki().first, &pki().second});
  const Instant start{hours{100}};
  const auto context = context_of(options, nullptr, start);
  const auto reloaded = context_of(options, context.get(), start + minutes{5});
  const auto rotated = context_of(options, reloaded.get(), start + kTicketKeyTime);
  const auto rotated_again = context_of(options, rotated.get(), start + 2 * kTicketKeyTime);
  EXPECT_EQ(reloaded->ticket_key_made(), start);
  EXPECT_EQ(rotated->ticket_key_made(), start + kTicketKeyTime);
  const auto stranger = context_of(options, nullptr, start);
  for (const std::string name : {"first.example", "second.example"}) {
    Server server{context};
    TlsClient client{only({.server_name = name})};
    talk(server, client);
    client.say("x");
    talk(server, client);
    ASSERT_NE(client.session(), nullptr);
    struct Row {
      std::string_view sentence;
      const std::shared_ptr<const TlsContext>& context;
      bool resumed;
    };
    for (const Row& row : {Row{"the same context", context, true}, Row{"certificates read anew", reloaded, true},
                           Row{"a new key, the old one kept", rotated, true}, Row{"two new keys", rotated_again, false},
                           Row{"another process", stranger, false}}) {
      Server second{row.context};
      TlsClient again{only({.server_name = name, .session = client.session()})};
      talk(second, again);
      EXPECT_TRUE(again.open()) << row.sentence << again.trouble();
      EXPECT_EQ(again.resumed(), row.resumed) << row.sentence << " " << name;
      EXPECT_EQ(second.stream.resumed(), row.resumed) << row.sentence;
      again.say("hello");
      talk(second, again);
      EXPECT_EQ(second.heard, "hello");
    }
  }
}

struct CertificateRow {
  std::string_view sentence;
  const TestCertificate* shown;
  bool good;
};

TEST_P(EachVersion, WhereAClientMustShowACertificateOnlyAGoodOneLetsItIn) {
  TlsOptions options = options_of({&pki().first});
  options.client_ca = pki().authority.certificate_file();
  const auto context = context_of(options);
  for (const CertificateRow& row :
       {CertificateRow{"none", nullptr, false}, CertificateRow{"a good one", &pki().client, true},
        CertificateRow{"a stranger's", &pki().stranger, false}}) {
    Server server{context};
    TlsClient client{only({.certificate = row.shown})};
    talk(server, client);
    client.say("hello");
    talk(server, client);
    EXPECT_EQ(server.heard, row.good ? "hello" : "") << row.sentence;
    EXPECT_EQ(server.stream.state(), row.good ? TlsStream::State::open : TlsStream::State::failed) << row.sentence;
    if (row.good) continue;
    EXPECT_EQ(server.stream.failure(), TlsFailure::certificate) << row.sentence << server.stream.detail();
    EXPECT_TRUE(client.failed()) << "it is told by an alert";
  }
}

TEST_P(EachVersion, ATicketOfOtherAuthoritiesIsNoneSoThatTheCertificateIsAskedFor) {
  const TlsOptions open_to_all = options_of({&pki().first});
  TlsOptions strict = open_to_all, others = open_to_all;
  strict.client_ca = pki().authority.certificate_file();
  others.client_ca = pki().stranger_authority.certificate_file();
  struct Row {
    std::string_view sentence;
    const TlsOptions &before, &after;
    const TestCertificate *shown_before, *shown_after;
    bool gets_in, resumed;
  };
  for (const Row& row : {Row{"none was asked for before", open_to_all, strict, nullptr, nullptr, false, false},
                         Row{"a good one is shown at last", open_to_all, strict, nullptr, &pki().client, true, false},
                         Row{"another authority's", strict, others, &pki().client, &pki().client, false, false},
                         Row{"the same authority", strict, strict, &pki().client, nullptr, true, true}}) {
    const auto before = context_of(row.before);
    Server first{before};
    TlsClient client{only({.certificate = row.shown_before})};
    talk(first, client);
    client.say("x");
    talk(first, client);
    ASSERT_NE(client.session(), nullptr) << row.sentence;
    Server second{context_of(row.after, before.get())};
    TlsClient again{only({.certificate = row.shown_after, .session = client.session()})};
    talk(second, again);
    again.say("hello");
    talk(second, again);
    EXPECT_EQ(second.heard, row.gets_in ? "hello" : "") << row.sentence;
    EXPECT_EQ(row.gets_in && second.stream.resumed(), row.resumed) << row.sentence;
  }
}

TEST_P(EachVersion, AClientThatDoesNotTrustUsSaysSo) {
  Server server{context_of(options_of({&pki().first}))};
  TlsClient client{only({.authority = &pki().stranger_authority})};
  talk(server, client);
  EXPECT_TRUE(client.failed());
  EXPECT_EQ(server.stream.failure(), TlsFailure::refused) << server.stream.detail();
}

TEST_P(EachVersion, ARecordThatWasTamperedWithEndsIt) {
  Server server{context_of(options_of({&pki().first}))};
  TlsClient client{only()};
  talk(server, client);
  client.say("one");
  std::string record = client.give();
  record[record.size() - 1] = static_cast<char>(record.back() ^ 1);
  server.take(record);
  EXPECT_EQ(server.stream.state(), TlsStream::State::failed);
  EXPECT_EQ(server.stream.failure(), TlsFailure::record);
  EXPECT_EQ(server.heard, "");
  client.say("two");
  server.take(client.give());
  EXPECT_EQ(server.heard, "") << "nothing is taken after a failure";
}

TEST_P(EachVersion, ATruncatedRecordIsWaitedFor) {
  Server server{context_of(options_of({&pki().first}))};
  TlsClient client{only()};
  talk(server, client);
  client.say(std::string(1'000, 'z'));
  const std::string record = client.give();
  server.take(record.substr(0, 500));
  EXPECT_EQ(server.stream.state(), TlsStream::State::open);
  EXPECT_EQ(server.heard, "");
  EXPECT_TRUE(server.stream.mid_record());
  server.take(record.substr(500));
  EXPECT_EQ(server.heard.size(), 1'000U);
  EXPECT_FALSE(server.stream.mid_record());
}

INSTANTIATE_TEST_SUITE_P(Tls, EachVersion, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& row) { return row.param == TLS1_2_VERSION ? "v12" : "v13"; });

struct RefusedRow {
  std::string_view sentence;
  TlsClientOptions options;
  TlsFailure failure;
};

TEST(TlsStream, WhatIsWeakIsRefused) {
  const auto context = context_of(options_of({&pki().first}));
  const RefusedRow rows[] = {
      {"TLS 1.1", {.version_min = TLS1_VERSION, .version_max = TLS1_1_VERSION}, TlsFailure::version},
      {"no authenticated cipher",
       {.version_max = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-SHA"},
       TlsFailure::parameters},
      {"no forward secrecy", {.version_max = TLS1_2_VERSION, .ciphers = "AES128-GCM-SHA256"}, TlsFailure::parameters},
      {"a group that is none of ours", {.version_min = TLS1_3_VERSION, .groups = "P-521"}, TlsFailure::parameters},
  };
  for (const RefusedRow& row : rows) {
    Server server{context};
    TlsClient client{row.options};
    talk(server, client);
    EXPECT_EQ(server.stream.state(), TlsStream::State::failed) << row.sentence;
    EXPECT_EQ(server.stream.failure(), row.failure) << row.sentence << ": " << server.stream.detail();
    EXPECT_TRUE(client.failed()) << row.sentence << ": it is told by an alert";
  }
}

TEST(TlsStream, RenegotiationEndsIt) {
  Server server{context_of(options_of({&pki().first}))};
  TlsClient client{{.version_max = TLS1_2_VERSION}};
  talk(server, client);
  client.say("before");
  talk(server, client);
  client.renegotiate();
  server.take(client.give());
  EXPECT_EQ(server.heard, "before");
  EXPECT_EQ(server.stream.state(), TlsStream::State::failed);
  EXPECT_EQ(server.stream.failure(), TlsFailure::renegotiation);
}

TEST(TlsStream, WhatIsNotTlsIsKnownByItsFirstBytes) {
  struct Row {
    std::string_view sentence;
    std::string bytes;
    TlsFailure failure;
  };
  using namespace std::string_literals;
  const Row rows[] = {
      {"a plain request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", TlsFailure::not_tls},
      {"a plain POST", "POST / HTTP/1.1\r\n\r\n", TlsFailure::not_tls},
      {"SSH", "SSH-2.0-OpenSSH_9.2\r\n", TlsFailure::not_tls},
      {"zeros", std::string(100, '\0'), TlsFailure::not_tls},
      {"noise", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4", TlsFailure::not_tls},
      {"a ClientHello that is empty", "\x16\x03\x01\x00\x04\x01\x00\x00\x00"s, TlsFailure::record},
      {"a record that is too long", "\x16\x03\x01\xff\xff\x01\x00\x00\x00"s + std::string(100, 'x'),
       TlsFailure::record},
  };
  const auto context = context_of(options_of({&pki().first}));
  for (const Row& row : rows) {
    for (const std::size_t chunk : {SIZE_MAX, std::size_t{1}}) {
      Server server{context};
      server.take(row.bytes, chunk);
      EXPECT_EQ(server.stream.state(), TlsStream::State::failed) << row.sentence;
      EXPECT_EQ(server.stream.failure(), row.failure) << row.sentence << ": " << server.stream.detail();
    }
  }
  Server server{context};
  server.take("GET /ws HTTP/1.1\r\n");
  EXPECT_EQ(server.stream.detail(), "http request") << "TlsPath answers it in its own words";
}

TEST(TlsStream, NoiseOfAnyKindNeverGetsThrough) {
  const auto context = context_of(options_of({&pki().first}));
  std::mt19937 random{17};
  for (int round = 0; round < 300; ++round) {
    Server server{context};
    TlsClient client;
    std::string hello = client.give();
    for (int i = 0; i < 1 + round % 5; ++i) hello[random() % hello.size()] = static_cast<char>(random());
    server.take(hello);
    client.take(server.give());
    server.take(client.give());
    EXPECT_EQ(server.heard, "");
  }
}

TEST(TlsContext, SaysWhichFileIsWrongAndWhy) {
  struct Row {
    std::string_view sentence;
    std::string certificate, key, client_ca, trouble;
  };
  const TemporaryFile text{"hello\n"}, encrypted{pki().first.key_pem("secret")}, empty{""};
  const std::string good = pki().first.certificate_file(), good_key = pki().first.key_file();
  const Row rows[] = {
      {"a certificate that is not there", "/nowhere.pem", good_key, "",
       "the certificate '/nowhere.pem' cannot be used: "},
      {"a certificate that is no PEM", text.path(), good_key, "", "the certificate '" + text.path()},
      {"an empty certificate", empty.path(), good_key, "", "the certificate '" + empty.path()},
      {"a key that is not there", good, "/nowhere.pem", "", "the key '/nowhere.pem' cannot be used: "},
      {"a key that is a certificate", good, good, "", "the key '" + good},
      {"an encrypted key", good, encrypted.path(), "", "the key '" + encrypted.path()},
      {"another's key", good, pki().second.key_file(), "", "the key '" + pki().second.key_file()},
      {"another's key of the same kind", good, pki().client.key_file(), "", "the key '" + pki().client.key_file()},
      {"an authority that is not there", good, good_key, "/nowhere.pem", "the clients' authority '/nowhere.pem'"},
      {"an authority that is no PEM", good, good_key, text.path(), "the clients' authority '" + text.path()},
  };
  for (const Row& row : rows) {
    const auto context = TlsContext::load(
        {.certificates = {row.certificate}, .keys = {row.key}, .client_ca = row.client_ca}, nullptr, Instant{});
    ASSERT_FALSE(context) << row.sentence;
    EXPECT_TRUE(context.error().starts_with(row.trouble)) << row.sentence << ": " << context.error();
  }
}

TEST(TlsContext, AConnectionKeepsTheCertificatesThatItBeganWith) {
  auto context = context_of(options_of({&pki().first}));
  Server server{context};
  TlsClient client;
  const std::string hello = client.give();
  context.reset();  // a reload: nobody else has it
  server.take(hello);
  client.take(server.give());
  talk(server, client);
  EXPECT_TRUE(client.server_is("first.example"));
}

}  // namespace
}  // namespace ringcast
