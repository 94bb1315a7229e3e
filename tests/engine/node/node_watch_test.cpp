#include "engine/node/node_watch.hpp"

#include <gtest/gtest.h>

namespace ringcast {
namespace {

struct PressureRow {
  const char* sentence;
  double share;
  PressureLevel before;
  PressureLevel level;
};
constexpr PressureRow kPressureRows[] = {
    {"plenty", 0.10, PressureLevel::normal, PressureLevel::normal},
    {"just below the first bound", 0.699, PressureLevel::normal, PressureLevel::normal},
    {"at the first bound", 0.70, PressureLevel::normal, PressureLevel::warning},
    {"at the second", 0.85, PressureLevel::normal, PressureLevel::critical},
    {"at the third", 0.95, PressureLevel::normal, PressureLevel::emergency},
    {"beyond the budget", 1.5, PressureLevel::warning, PressureLevel::emergency},
    {"a little below a bound that was passed", 0.66, PressureLevel::warning, PressureLevel::warning},
    {"well below it", 0.64, PressureLevel::warning, PressureLevel::normal},
    {"from the top by one level", 0.89, PressureLevel::emergency, PressureLevel::critical},
    {"from the top to the bottom", 0.10, PressureLevel::emergency, PressureLevel::normal},
};

TEST(Pressure, HasFourLevelsAndDoesNotFlutter) {
  for (const PressureRow& row : kPressureRows) EXPECT_EQ(pressure_of(row.share, row.before), row.level) << row.sentence;
}

}  // namespace
}  // namespace ringcast
