// tests/codec/capture/capture_file.hpp: the captures of tests/data, for tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "codec/capture/capture_reader.hpp"

namespace ringcast {

/// The bytes of tests/data/`name`; a file that cannot be read fails the test and is empty.
std::string file_content(const std::string& name);

/// Gives out the content in pieces of at most `chunk` bytes.
inline CaptureReader::Source source_of(std::string content, std::size_t chunk) {
  return [content = std::move(content), chunk,
          given = std::size_t{0}](MutableBytes buffer) mutable -> Result<std::size_t, std::string> {
    const std::size_t bytes = std::min({chunk, buffer.size(), content.size() - given});
    std::memcpy(buffer.data(), content.data() + given, bytes);
    given += bytes;
    return bytes;
  };
}

template <class See>
void for_each_capture_line(const std::string& name, See&& see) {
  CaptureReader reader{source_of(file_content(name), 64U << 10)};
  while (true) {
    const auto line = reader.next();
    ASSERT_TRUE(line.has_value()) << name;
    if (!*line) return;
    see(**line);
  }
}

}  // namespace ringcast
