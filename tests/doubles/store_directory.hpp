// tests/doubles/store_directory.hpp: a directory for a test's offline store, and records as they lie in one.
//
// Owner    the test.  Thread  one.  Memory  the test's.  Failure  ensure().
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "engine/channel/stored_message.hpp"
#include "engine/limits.hpp"
#include "engine/offline/message_store.hpp"

namespace ringcast {

class StoreDirectory {
 public:
  StoreDirectory() {
    // In memory where there is such a place: hundreds of stores are synced thousands of times.
    const bool memory = ::access("/dev/shm", W_OK) == 0;
    const std::filesystem::path parent = memory ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string name = (parent / "ringcast-store-XXXXXX").string();
    ensure(::mkdtemp(name.data()) != nullptr, "a directory can be made");
    directory_ = name;
  }
  ~StoreDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  StoreDirectory(const StoreDirectory&) = delete;
  StoreDirectory& operator=(const StoreDirectory&) = delete;

  [[nodiscard]] std::string path() const { return (directory_ / "store.db").string(); }
  [[nodiscard]] OfflineOptions options() const {
    OfflineOptions options;
    options.path = path();
    return options;
  }
  /// Names of the files in it, sorted.
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator{directory_}) {
      names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
  }
  void write(std::string_view name, std::string_view bytes) const {
    std::ofstream{directory_ / name, std::ios::binary} << bytes;
  }
  [[nodiscard]] std::string read(std::string_view name) const {
    std::ifstream in{directory_ / name, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

 private:
  std::filesystem::path directory_;
};

/// A message as it lies in history and store.
[[nodiscard]] inline std::vector<std::uint8_t> record_of(std::string_view data, WallTime published,
                                                         std::string_view message_id = {}) {
  MessageView message;
  message.published_at = published;
  message.message_id = message_id;
  message.data = data;
  std::vector<std::uint8_t> record(stored_size(message));
  write_stored(message, record.data());
  return record;
}

/// The payloads of a page, each with its seq in front: "1:..".
[[nodiscard]] inline std::vector<std::string> messages_of(const StorePage& page) {
  std::vector<std::string> messages;
  RecordTexts rest{page.bytes, 0};
  for (std::uint32_t i = 0; i < page.messages; ++i) {
    const auto header = load<StoreLoadedMessage>(rest.take(sizeof(StoreLoadedMessage)).data());
    const MessageView message = read_stored(as_bytes(rest.take(header.record_bytes)));
    messages.push_back(std::to_string(value(header.seq)) + ":" + std::string{message.data});
  }
  ensure(rest.rest().empty(), "a page holds its messages and nothing else");
  return messages;
}

}  // namespace ringcast
