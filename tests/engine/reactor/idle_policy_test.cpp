#include "engine/reactor/idle_policy.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace ringcast {
namespace {

struct Wait {
  int spun_us;
  int slept_us;
};
struct IdleRow {
  const char* sentence;
  int spin_max_us;
  std::vector<Wait> waits;
  double spin_us_then;
};
const IdleRow kIdleRows[] = {
    {"a new shard polls the whole time", 48, {}, 48},
    {"work while polling keeps the whole time", 48, {{10, 0}, {47, 0}}, 48},
    {"a long sleep halves it", 48, {{48, 1'000}}, 24},
    {"two long sleeps quarter it", 48, {{48, 1'000}, {24, 1'000}}, 12},
    {"below a 16th it does not poll at all", 48, {{48, 1'000}, {24, 900}, {12, 900}, {6, 900}, {3, 900}}, 0},
    {"and stays so while sleeps are long", 48, {{48, 900}, {24, 900}, {12, 900}, {6, 900}, {3, 900}, {0, 900}}, 0},
    {"a wake-up that polling would have covered brings it back", 48, {{48, 900}, {24, 900}, {12, 20}}, 48},
    {"polling and sleep together just longer than the whole time do not", 48, {{24, 25}}, 24},
    {"a shard that must not poll never does", 0, {{0, 5}, {0, 0}}, 0},
};

TEST(IdlePolicy, PollsForTheTimeThatLatelyPaid) {
  for (const IdleRow& row : kIdleRows) {
    IdlePolicy policy{microseconds{row.spin_max_us}};
    for (const Wait& wait : row.waits) policy.waited(microseconds{wait.spun_us}, microseconds{wait.slept_us});
    EXPECT_EQ(std::chrono::duration<double>(policy.spin_time()).count() * 1e6, row.spin_us_then) << row.sentence;
  }
}

}  // namespace
}  // namespace ringcast
