#include "codec/capture/depth_continuity.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringcast {
namespace {

using Verdict = DepthContinuity::Verdict;

struct StepRow {
  std::string_view sentence, payload;
  Verdict verdict;
};

constexpr StepRow kSpotRows[] = {
    {"the first update", R"({"e":"depthUpdate","E":1,"s":"BTCUSDT","U":189,"u":202,"b":[["1","2"]],"a":[]})",
     Verdict::first},
    {"one that follows", R"({"e":"depthUpdate","U":203,"u":207,"b":[],"a":[]})", Verdict::continuous},
    {"a trade between", R"({"e":"trade","E":3,"t":1,"u":5})", Verdict::not_depth},
    {"a book ticker between, which also has a u", R"({"u":50093239212,"s":"BTCUSDT","b":"1","B":"2"})",
     Verdict::not_depth},
    {"one update of one id", R"({"e":"depthUpdate","U":208,"u":208})", Verdict::continuous},
    {"one after a missing one", R"({"e":"depthUpdate","U":210,"u":211})", Verdict::broken},
    {"one that follows the one after the hole", R"({"e":"depthUpdate","U":212,"u":213})", Verdict::continuous},
    {"the same again", R"({"e":"depthUpdate","U":212,"u":213})", Verdict::broken},
    {"members in another order, with spaces", R"({ "u" : 215 , "U" : 214 , "e" : "depthUpdate" })",
     Verdict::continuous},
    {"an update without u", R"({"e":"depthUpdate","U":216})", Verdict::not_depth},
    {"an update whose ids are strings", R"({"e":"depthUpdate","U":"216","u":"217"})", Verdict::not_depth},
    {"an array", "[]", Verdict::not_depth},
    {"no JSON", R"({"e":"depthUpdate","U":2)", Verdict::not_depth},
    {"nothing", "", Verdict::not_depth},
    {"one that follows after all these", R"({"e":"depthUpdate","U":216,"u":217})", Verdict::continuous},
};

TEST(DepthContinuity, OfSpotIsEachFirstIdAfterTheLast) {
  DepthContinuity tracker;
  for (const StepRow& row : kSpotRows) {
    EXPECT_EQ(tracker.feed(row.payload), row.verdict) << row.sentence;
  }
  EXPECT_EQ(tracker.breaks(), 2U);
  EXPECT_EQ(tracker.updates(), 8U);
  EXPECT_EQ(tracker.others(), 7U);
  EXPECT_EQ(tracker.last_id(), 217U);
}

constexpr StepRow kFuturesRows[] = {
    {"the first update", R"({"e":"depthUpdate","T":1,"U":2006,"u":7557,"pu":1937,"b":[],"a":[]})", Verdict::first},
    {"one that follows, with a U of its own", R"({"e":"depthUpdate","U":7601,"u":7700,"pu":7557})",
     Verdict::continuous},
    {"one after a missing one", R"({"e":"depthUpdate","U":7701,"u":7900,"pu":7800})", Verdict::broken},
    {"one that follows again", R"({"e":"depthUpdate","U":8000,"u":8001,"pu":7900})", Verdict::continuous},
};

TEST(DepthContinuity, OfFuturesIsThePreviousLastId) {
  DepthContinuity tracker;
  for (const StepRow& row : kFuturesRows) {
    EXPECT_EQ(tracker.feed(row.payload), row.verdict) << row.sentence;
  }
  EXPECT_EQ(tracker.breaks(), 1U);
}

}  // namespace
}  // namespace ringcast
