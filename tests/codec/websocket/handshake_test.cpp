#include "codec/websocket/handshake.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "codec/websocket/extension_offer.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kSampleKey = "dGhlIHNhbXBsZSBub25jZQ==";  // RFC 6455 section 1.3
constexpr std::string_view kSampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
constexpr std::array<std::string_view, 2> kSupported{"ringcast.v1.bin", "ringcast.v1.json"};

/// A good request with one field changed: value "-" leaves it out; a name that is not there is added.
std::string request(std::string_view name = "", std::string_view value = "",
                    std::string_view line = "GET /ws HTTP/1.1") {
  std::vector<std::pair<std::string, std::string>> fields{{"Host", "localhost"},
                                                          {"Upgrade", "websocket"},
                                                          {"Connection", "Upgrade"},
                                                          {"Sec-WebSocket-Version", "13"},
                                                          {"Sec-WebSocket-Key", std::string{kSampleKey}}};
  bool found = name.empty();
  std::string text = std::string{line} + "\r\n";
  for (auto& [key, content] : fields) {
    if (key == name) {
      found = true;
      if (value == "-") continue;
      content = value;
    }
    text.append(key).append(": ").append(content).append("\r\n");
  }
  if (!found) text.append(name).append(": ").append(value).append("\r\n");
  return text + "\r\n";
}

HandshakeResult answer_to(const std::string& text, RequestHead& head) {
  const auto parsed = parse_request_head(as_bytes(text), head);
  EXPECT_TRUE(parsed && *parsed) << text;
  return check_upgrade(head, kSupported);
}

TEST(Handshake, TheExampleOfRfc6455IsAccepted) {
  RequestHead head;
  const std::string text = request();
  const auto accepted = answer_to(text, head);
  ASSERT_TRUE(accepted);
  const AcceptKey direct = accept_key_of(kSampleKey);
  EXPECT_EQ((std::string_view{direct.data(), direct.size()}), kSampleAccept);
  std::string out;
  append_upgrade_response(out, *accepted);
  EXPECT_EQ(out,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
                std::string{kSampleAccept} + "\r\n\r\n");
}

struct UpgradeRow {
  std::string_view sentence;
  std::string text;
  std::uint16_t status;  // 101: accepted
};
const UpgradeRow kUpgrades[] = {
    {"Upgrade in capitals", request("Upgrade", "WebSocket"), 101},
    {"Upgrade among others", request("Upgrade", "h2c, websocket"), 101},
    {"Connection among others, in lower case", request("Connection", "keep-alive, upgrade"), 101},
    {"an Origin is not our business", request("Origin", "http://example.com"), 101},
    {"an absolute target", request("", "", "GET http://localhost/ws HTTP/1.1"), 101},
    {"Content-Length of 0", request("Content-Length", "0"), 101},
    {"a key with unused bits set", request("Sec-WebSocket-Key", "abcdefghijklmnopqrstuv=="), 101},
    {"an unknown extension", request("Sec-WebSocket-Extensions", "x-webkit-deflate-frame"), 101},
    {"POST", request("", "", "POST /ws HTTP/1.1"), 405},
    {"get in lower case is another method", request("", "", "get /ws HTTP/1.1"), 405},
    {"HTTP/1.0", request("", "", "GET /ws HTTP/1.0"), 400},
    {"no Upgrade", request("Upgrade", "-"), 400},
    {"another Upgrade", request("Upgrade", "h2c"), 400},
    {"Upgrade that only contains the word", request("Upgrade", "websockets"), 400},
    {"no Connection", request("Connection", "-"), 400},
    {"another Connection", request("Connection", "keep-alive"), 400},
    {"no version", request("Sec-WebSocket-Version", "-"), 400},
    {"version 8", request("Sec-WebSocket-Version", "8"), 426},
    {"version 14", request("Sec-WebSocket-Version", "14"), 426},
    {"version 013", request("Sec-WebSocket-Version", "013"), 426},
    {"versions 13, 8", request("Sec-WebSocket-Version", "13, 8"), 426},
    {"an empty version", request("Sec-WebSocket-Version", ""), 426},
    {"no key", request("Sec-WebSocket-Key", "-"), 400},
    {"an empty key", request("Sec-WebSocket-Key", ""), 400},
    {"a key of 15 bytes", request("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAA"), 400},
    {"a key of 17 bytes", request("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAAA="), 400},
    {"a key of 18 bytes", request("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAAAA"), 400},
    {"a key with a foreign character", request("Sec-WebSocket-Key", "AAAAAAAAAA!AAAAAAAAAAA=="), 400},
    {"a key whose last digit is foreign", request("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAA!=="), 400},
    {"a key with padding inside", request("Sec-WebSocket-Key", "AAAAAAAAAA==AAAAAAAAAA=="), 400},
    {"a second key", request("sec-websocket-key", kSampleKey), 400},
    {"a second version", request("sec-websocket-version", "13"), 400},
    {"a body", request("Content-Length", "5"), 400},
    {"a chunked body", request("Transfer-Encoding", "chunked"), 400},
    {"a plain request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 426},
    {"subprotocols that are no tokens", request("Sec-WebSocket-Protocol", "a b"), 400},
    {"an empty list of subprotocols", request("Sec-WebSocket-Protocol", ","), 400},
    {"the same subprotocol twice", request("Sec-WebSocket-Protocol", "a, a"), 400},
    {"a malformed extension", request("Sec-WebSocket-Extensions", "permessage-deflate; =1"), 400},
    {"an extension with a space in its name", request("Sec-WebSocket-Extensions", "a b"), 400},
};

TEST(Handshake, EachRowIsAcceptedOrRefusedWithItsStatus) {
  for (const UpgradeRow& row : kUpgrades) {
    RequestHead head;
    const auto answer = answer_to(row.text, head);
    EXPECT_EQ(answer ? 101 : answer.error().status, row.status)
        << row.sentence << (answer ? "" : answer.error().sentence);
  }
}

TEST(Handshake, ARefusalSaysWhatWouldHaveBeenRight) {
  struct Row {
    std::uint16_t status;
    std::string_view line;
  };
  for (const Row& row : {Row{426, "Sec-WebSocket-Version: 13\r\n"}, Row{426, "Upgrade: websocket\r\n"},
                         Row{405, "Allow: GET\r\n"}, Row{400, "Connection: close\r\n"}, Row{400, "why\n"}}) {
    std::string out;
    append_refusal(out, {row.status, "why"});
    EXPECT_TRUE(out.starts_with("HTTP/1.1 " + std::to_string(row.status))) << out;
    EXPECT_NE(out.find(row.line), std::string::npos) << out;
    ResponseHead head;
    const auto parsed = parse_response_head(as_bytes(out), head);
    ASSERT_TRUE(parsed && *parsed);
    EXPECT_EQ(head.content_length, out.size() - **parsed);
  }
  EXPECT_EQ(refusal_of(HeadError::too_large).status, 431);
}

TEST(Handshake, TheClientsFirstSupportedSubprotocolIsChosen) {
  struct Row {
    std::string_view offers, chosen;
  };
  for (const Row& row :
       {Row{"ringcast.v1.json", "ringcast.v1.json"}, Row{"ringcast.v1.json, ringcast.v1.bin", "ringcast.v1.json"},
        Row{"ringcast.v1.bin,ringcast.v1.json", "ringcast.v1.bin"}, Row{"chat, ringcast.v1.bin", "ringcast.v1.bin"},
        Row{"RINGCAST.V1.BIN", ""}, Row{"chat", ""}}) {
    RequestHead head;
    const std::string text = request("Sec-WebSocket-Protocol", row.offers);
    const auto accepted = answer_to(text, head);
    ASSERT_TRUE(accepted) << row.offers;
    EXPECT_EQ(accepted->subprotocol, row.chosen) << row.offers;
    EXPECT_TRUE(accepted->subprotocols_offered);
    EXPECT_EQ(offers_subprotocol(head, "ringcast.v1.bin"),
              row.offers.find("ringcast.v1.bin") != std::string_view::npos);
    std::string out;
    append_upgrade_response(out, *accepted);
    EXPECT_EQ(out.find("Sec-WebSocket-Protocol") != std::string::npos, !row.chosen.empty());
  }
}

TEST(Handshake, TheFirstDeflateOfferThatCanBeTakenUpIs) {
  struct Row {
    std::string_view sentence, offers, answer;  // answer: empty when declined
  };
  constexpr std::string_view kBare = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  const std::string in_window = std::string{kBare} + "; server_max_window_bits=10";
  const Row rows[] = {
      {"one offer", "permessage-deflate", kBare},
      {"its name in capitals", "PERMESSAGE-Deflate", kBare},
      {"behind another extension", "foo; bar=1, permessage-deflate", kBare},
      {"a quoted value", "foo, permessage-deflate;server_max_window_bits=\"10\" ; client_no_context_takeover", in_window},
      {"the second, the first being malformed", "permessage-deflate; server_max_window_bits=7, "
                                                "permessage-deflate; server_max_window_bits=10", in_window},
      {"the first of two good ones", "permessage-deflate; server_max_window_bits=10, permessage-deflate", in_window},
      {"none: all are malformed", "permessage-deflate; x, permessage-deflate; client_max_window_bits=0", ""},
      {"none: another extension", "x-webkit-deflate-frame", ""},
  };
  for (const Row& row : rows) {
    RequestHead head;
    const std::string text = request("Sec-WebSocket-Extensions", row.offers);
    auto accepted = answer_to(text, head);
    ASSERT_TRUE(accepted) << row.sentence;
    EXPECT_EQ(accepted->deflate.has_value(), !row.answer.empty()) << row.sentence;
    std::string out;
    append_upgrade_response(out, *accepted);
    if (row.answer.empty()) {
      EXPECT_EQ(out.find("Extensions"), std::string::npos) << row.sentence;
    } else {
      EXPECT_NE(out.find("Sec-WebSocket-Extensions: " + std::string{row.answer} + "\r\n"), std::string::npos)
          << row.sentence << out;
    }
    accepted->deflate.reset();  // declined by the engine
    out.clear();
    append_upgrade_response(out, *accepted);
    EXPECT_EQ(out.find("Extensions"), std::string::npos) << row.sentence;
  }
}

TEST(Handshake, OffersInSeveralFieldsAreLookedAtInOrder) {
  RequestHead head;
  std::string text = request("Sec-WebSocket-Extensions", "permessage-deflate; unknown");
  text.insert(text.size() - 2, "sec-websocket-extensions: permessage-deflate; server_max_window_bits=9\r\n");
  const auto accepted = answer_to(text, head);
  ASSERT_TRUE(accepted && accepted->deflate);
  EXPECT_EQ(accepted->deflate->server_window_bits, 9);
}

TEST(ExtensionOffer, EachRowIsReadOrRefused) {
  struct Row {
    std::string_view element;
    bool good;
  };
  for (const Row& row : {Row{"a", true}, Row{"a;b", true}, Row{"a ; b = 1 ; c", true}, Row{"a;b=\"1\"", true},
                         Row{"", false}, Row{";b", false}, Row{"a;", false}, Row{"a;;b", false}, Row{"a;b=", false},
                         Row{"a;b=\"\"", false}, Row{"a;b=\"1", false}, Row{"a;b=c d", false}, Row{"a=b", false}}) {
    ExtensionOffer offer;
    EXPECT_EQ(read_extension_offer(row.element, offer), row.good) << row.element;
  }
}

// -- client --

const UpgradeRequest kRequest{.host = "localhost:9001",
                              .target = "/ws",
                              .nonce = {'t', 'h', 'e', ' ', 's', 'a', 'm', 'p', 'l', 'e', ' ', 'n', 'o', 'n', 'c', 'e'},
                              .subprotocols = kSupported};

TEST(ClientHandshake, ItsRequestIsAcceptedByOurServerAndTheAnswerByIt) {
  UpgradeRequest asked = kRequest;
  const HeaderField more[] = {{"Authorization", "Bearer x"}};
  asked.more_fields = more;
  asked.origin = "http://localhost";
  std::string text;
  append_upgrade_request(text, asked);
  RequestHead head;
  const auto accepted = answer_to(text, head);
  ASSERT_TRUE(accepted);
  EXPECT_EQ(head.fields.find("Sec-WebSocket-Key"), kSampleKey);
  EXPECT_EQ(head.fields.find("Authorization"), "Bearer x");
  EXPECT_EQ(head.fields.find("Origin"), "http://localhost");
  std::string out;
  append_upgrade_response(out, *accepted);
  ResponseHead response;
  ASSERT_TRUE(parse_response_head(as_bytes(out), response).value());
  const auto verified = verify_upgrade_response(response, asked);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->subprotocol, "ringcast.v1.bin");
}

TEST(ClientHandshake, EachWrongAnswerIsRefused) {
  const std::string accept = "Sec-WebSocket-Accept: " + std::string{kSampleAccept} + "\r\n";
  const std::string upgrade = "Upgrade: WebSocket\r\n";
  const std::string connection = "Connection: upgrade\r\n";
  struct Row {
    std::string_view sentence;
    std::string text;
    bool good;
  };
  const std::string line = "HTTP/1.1 101 Switching Protocols\r\n";
  const Row rows[] = {
      {"as it should be", line + upgrade + connection + accept, true},
      {"200", "HTTP/1.1 200 OK\r\n" + upgrade + connection + accept, false},
      {"503", "HTTP/1.1 503 Busy\r\n", false},
      {"HTTP/1.0", "HTTP/1.0 101 Yes\r\n" + upgrade + connection + accept, false},
      {"no Upgrade", line + connection + accept, false},
      {"no Connection", line + upgrade + accept, false},
      {"no Accept", line + upgrade + connection, false},
      {"another Accept", line + upgrade + connection + "Sec-WebSocket-Accept: AAAA\r\n", false},
      {"Accept twice", line + upgrade + connection + accept + accept, false},
      {"an extension", line + upgrade + connection + accept + "Sec-WebSocket-Extensions: permessage-deflate\r\n", false},
      {"an extension that nobody offers", line + upgrade + connection + accept + "Sec-WebSocket-Extensions: foo\r\n", false},
      {"a subprotocol that was not offered", line + upgrade + connection + accept + "Sec-WebSocket-Protocol: chat\r\n", false},
      {"a subprotocol twice", line + upgrade + connection + accept +
           "Sec-WebSocket-Protocol: ringcast.v1.bin\r\nSec-WebSocket-Protocol: ringcast.v1.bin\r\n", false},
  };
  for (const Row& row : rows) {
    const std::string text = row.text + "\r\n";
    ResponseHead head;
    ASSERT_TRUE(parse_response_head(as_bytes(text), head).value()) << row.sentence;
    const auto verified = verify_upgrade_response(head, kRequest);
    EXPECT_EQ(verified.has_value(), row.good) << row.sentence;
    if (!verified) {
      EXPECT_EQ(verified.error().status, head.status) << row.sentence;
    }
  }
}

TEST(ClientHandshake, ADeflateAnswerIsWhatWasOffered) {
  struct Row {
    std::string_view sentence, fields;
    bool good, agreed;
  };
  constexpr Row kRows[] = {
      {"declined", "", true, false},
      {"an empty field", "Sec-WebSocket-Extensions: \r\n", true, false},
      {"agreed", "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n", true, true},
      {"agreed, and we are to forget, too",
       "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n", true,
       true},
      {"agreed, with a smaller window",
       "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; server_max_window_bits=9\r\n", true,
       true},
      {"it would remember", "Sec-WebSocket-Extensions: permessage-deflate\r\n", false, false},
      {"a limit to what was not offered to be limited",
       "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_max_window_bits=9\r\n", false,
       false},
      {"an unknown parameter", "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; x\r\n", false,
       false},
      {"twice",
       "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover, permessage-deflate; "
       "server_no_context_takeover\r\n",
       false, false},
      {"something else besides",
       "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\nSec-WebSocket-Extensions: foo\r\n",
       false, false},
      {"malformed", "Sec-WebSocket-Extensions: permessage-deflate;\r\n", false, false},
  };
  UpgradeRequest offering = kRequest;
  offering.offers_deflate = true;
  std::string out;
  append_upgrade_request(out, offering);
  EXPECT_TRUE(out.contains("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"));
  for (const Row& row : kRows) {
    const std::string text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: " + std::string{kSampleAccept} + "\r\n" + std::string{row.fields} +
                             "\r\n";
    ResponseHead head;
    ASSERT_TRUE(parse_response_head(as_bytes(text), head).value()) << row.sentence;
    const auto verified = verify_upgrade_response(head, offering);
    EXPECT_EQ(verified.has_value(), row.good) << row.sentence;
    if (verified) {
      EXPECT_EQ(verified->deflate.has_value(), row.agreed) << row.sentence;
    }
  }
}

TEST(ClientHandshake, NothingThatBreaksTheRequestInTwoIsSent) {
  UpgradeRequest bad = kRequest;
  std::string out;
  bad.target = "/ws HTTP/1.1\r\nX: y";
  EXPECT_DEATH(append_upgrade_request(out, bad), "a request target is a path without spaces");
  bad = kRequest;
  bad.host = "a\r\nX: y";
  EXPECT_DEATH(append_upgrade_request(out, bad), "a request field is one line");
}

}  // namespace
}  // namespace ringcast
