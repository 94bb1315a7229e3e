#include "codec/dialect/command.hpp"

#include <gtest/gtest.h>

namespace ringcast {
namespace {

struct PointRow {
  std::string_view sentence, text;
  std::optional<std::uint64_t> seq;  // nothing: it is no point
};
constexpr PointRow kPoints[] = {
    {"as a URL has it", "5f3c9a1e07d2b846:41", 41},
    {"before the first message", "5f3c9a1e07d2b846:0", 0},
    {"the largest seq there is", "5f3c9a1e07d2b846:18446744073709551615", ~std::uint64_t{0}},
    {"a seq beyond that", "5f3c9a1e07d2b846:18446744073709551616", {}},
    {"no seq", "5f3c9a1e07d2b846:", {}},
    {"no colon", "5f3c9a1e07d2b846", {}},
    {"no epoch", ":41", {}},
    {"an epoch of 15 digits", "5f3c9a1e07d2b84:41", {}},
    {"an epoch of 17 digits", "5f3c9a1e07d2b8460:41", {}},
    {"an epoch that is no number", "5f3c9a1e07d2b84g:41", {}},
    {"a sign", "5f3c9a1e07d2b846:-1", {}},
    {"two seqs", "5f3c9a1e07d2b846:1:2", {}},
    {"nothing", "", {}},
};

TEST(ResumePoint, IsAnEpochAndASeqAndNothingElse) {
  for (const PointRow& row : kPoints) {
    const auto point = parse_resume_point(row.text);
    ASSERT_EQ(point.has_value(), row.seq.has_value()) << row.sentence;
    if (!point) continue;
    EXPECT_EQ(point->epoch, Epoch{0x5f3c'9a1e'07d2'b846}) << row.sentence;
    EXPECT_EQ(point->seq, Sequence{*row.seq}) << row.sentence;
  }
}

}  // namespace
}  // namespace ringcast
