// Calls from threads of the admin port to the control thread: made there, once, and nobody waits for ever.
#include "engine/admin/control_calls.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace ringcast {
namespace {

TEST(ControlCalls, ACallIsMadeOnTheControlThreadAndAnswered) {
  ControlCalls calls{-1};
  std::atomic<bool> ended{false};
  std::thread control{[&] {
    while (!ended) calls.run();
  }};
  const auto answer = calls.call([id = control.get_id()] { return std::this_thread::get_id() == id; });
  ended = true;
  control.join();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(*answer);
}

TEST(ControlCalls, CallsAreMadeInOrder) {
  ControlCalls calls{-1};
  std::string made;
  for (const char letter : {'a', 'b', 'c'}) EXPECT_TRUE(calls.post([&made, letter] { made += letter; }));
  EXPECT_EQ(made, "");
  calls.run();
  EXPECT_EQ(made, "abc");
}

TEST(ControlCalls, TooManyAreNotTaken) {
  ControlCalls calls{-1};
  for (std::size_t i = 0; i < kControlCallsMax; ++i) EXPECT_TRUE(calls.post([] {}));
  EXPECT_FALSE(calls.post([] {}));
  EXPECT_FALSE(calls.call([] { return 1; }));
  calls.run();
  EXPECT_TRUE(calls.post([] {}));
}

TEST(ControlCalls, WhoWaitsIsToldWhenTheControlThreadGoes) {
  ControlCalls calls{-1};
  bool made = false, noted = false;
  std::optional<int> answer = 1;
  std::thread caller{[&] {
    answer = calls.call([&made] {
      made = true;
      return 2;
    });
  }};
  calls.close();
  caller.join();
  EXPECT_FALSE(answer);
  EXPECT_FALSE(calls.call([] { return 3; })) << "nor does anybody else wait";
  EXPECT_TRUE(calls.post([&noted] { noted = true; }));
  calls.run();
  EXPECT_TRUE(noted) << "what was only to be noted is noted";
  EXPECT_FALSE(made) << "what nobody waits for any more is not done";
}

}  // namespace
}  // namespace ringcast
