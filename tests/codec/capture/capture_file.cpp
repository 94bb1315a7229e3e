// tests/codec/capture/capture_file.cpp: where the captures are is told to this file alone.
#include "tests/codec/capture/capture_file.hpp"

#include <fstream>
#include <iterator>

namespace ringcast {

std::string file_content(const std::string& name) {
  std::ifstream file{std::string{RINGCAST_TEST_DATA} + "/" + name, std::ios::binary};
  EXPECT_TRUE(file.is_open()) << name;
  return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace ringcast
