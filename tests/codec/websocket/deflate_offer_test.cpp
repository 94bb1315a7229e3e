#include "codec/websocket/deflate_offer.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ringcast {
namespace {

struct OfferRow {
  std::string_view sentence;  // RFC 7692 section in front
  std::string_view parameters;
  std::string_view answer;  // behind the two takeovers; "declined"
};
constexpr std::string_view kDeclined = "declined";
constexpr OfferRow kOffers[] = {
    {"7.1 no parameters", "", ""},
    {"7.1.1.1 the server is asked to forget", "server_no_context_takeover", ""},
    {"7.1.1.1 with a value", "server_no_context_takeover=1", kDeclined},
    {"7.1.1.1 twice", "server_no_context_takeover; server_no_context_takeover", kDeclined},
    {"7.1.1.2 the client may forget", "client_no_context_takeover", ""},
    {"7.1.1.2 with a value", "client_no_context_takeover=\"1\"", kDeclined},
    {"7.1.1.2 twice", "client_no_context_takeover; client_no_context_takeover", kDeclined},
    {"7.1.2.1 the smallest window", "server_max_window_bits=8", "; server_max_window_bits=8"},
    {"7.1.2.1 the largest window", "server_max_window_bits=15", "; server_max_window_bits=15"},
    {"7.1.2.1 a quoted window", "server_max_window_bits=\"12\"", "; server_max_window_bits=12"},
    {"7.1.2.1 blanks around it", "server_max_window_bits = 12", "; server_max_window_bits=12"},
    {"7.1.2.1 too small", "server_max_window_bits=7", kDeclined},
    {"7.1.2.1 too large", "server_max_window_bits=16", kDeclined},
    {"7.1.2.1 nothing", "server_max_window_bits=0", kDeclined},
    {"7.1.2.1 a leading zero", "server_max_window_bits=08", kDeclined},
    {"7.1.2.1 a number that wraps", "server_max_window_bits=264", kDeclined},
    {"7.1.2.1 no number", "server_max_window_bits=a", kDeclined},
    {"7.1.2.1 a sign", "server_max_window_bits=+9", kDeclined},
    {"7.1.2.1 a fraction", "server_max_window_bits=9.0", kDeclined},
    {"7.1.2.1 no value", "server_max_window_bits", kDeclined},
    {"7.1.2.1 twice", "server_max_window_bits=10; server_max_window_bits=10", kDeclined},
    {"7.1.2.2 the client would take a limit", "client_max_window_bits", ""},
    {"7.1.2.2 the client says its limit", "client_max_window_bits=9", "; client_max_window_bits=9"},
    {"7.1.2.2 too small", "client_max_window_bits=7", kDeclined},
    {"7.1.2.2 too large", "client_max_window_bits=16", kDeclined},
    {"7.1.2.2 twice, once without a value", "client_max_window_bits; client_max_window_bits=9", kDeclined},
    {"7 an unknown parameter", "x", kDeclined},
    {"7 an unknown parameter behind good ones", "client_max_window_bits; server_no_context_takeover; x=1", kDeclined},
    {"7 a parameter in capitals is another one", "Server_no_context_takeover", kDeclined},
    {"7 all of them",
     "server_no_context_takeover;client_no_context_takeover; server_max_window_bits=10 ;"
     "client_max_window_bits=11",
     "; server_max_window_bits=10; client_max_window_bits=11"},
};

TEST(DeflateOffer, EachRowIsAnsweredOrDeclined) {
  for (const OfferRow& row : kOffers) {
    const auto agreement = accept_deflate_offer(row.parameters);
    EXPECT_EQ(agreement.has_value(), row.answer != kDeclined) << row.sentence;
    if (!agreement) continue;
    std::string answer;
    append_deflate_answer(answer, *agreement);
    EXPECT_EQ(answer,
              "permessage-deflate; server_no_context_takeover; client_no_context_takeover" + std::string{row.answer})
        << row.sentence;
  }
}

TEST(DeflateOffer, WithoutALimitTheWindowIsTheLargest) {
  EXPECT_EQ(accept_deflate_offer("")->server_window_bits, 15);
  EXPECT_EQ(accept_deflate_offer("server_max_window_bits=11")->server_window_bits, 11);
}

TEST(DeflateOffer, OurClientUnderstandsWhatOurServerAnswersToIt) {
  ExtensionOffer offer;
  ASSERT_TRUE(read_extension_offer(kDeflateOffer, offer));
  std::string answer;
  append_deflate_answer(answer, *accept_deflate_offer(offer.parameters));
  ExtensionOffer answered;
  ASSERT_TRUE(read_extension_offer(answer, answered));
  EXPECT_EQ(verify_deflate_answer(answered.parameters), DeflateAgreement{});
}

TEST(DeflateOffer, AnAnswerWithoutForgettingIsNoneToOurOffer) {
  for (const std::string_view answer :
       {"", "client_no_context_takeover", "server_no_context_takeover; client_max_window_bits=15",
        "server_no_context_takeover; client_max_window_bits", "server_no_context_takeover; server_max_window_bits",
        "server_no_context_takeover; server_no_context_takeover", "server_no_context_takeover; x"}) {
    EXPECT_FALSE(verify_deflate_answer(answer)) << answer;
  }
}

}  // namespace
}  // namespace ringcast
