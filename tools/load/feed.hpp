// tools/load/feed.hpp: captured feeds in memory, so that every subscriber can be compared with them byte for byte.
//
// Owner    the run; never changed once loaded.  Thread  any.
// Memory   the payloads, in chunks, and 32 bytes a message.
// Failure  load() says which file or line is not fit.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "codec/capture/depth_continuity.hpp"

namespace ringcast {

struct FeedMessage {
  std::uint32_t stream = 0;  // index into streams()
  std::uint32_t index = 0;   // within the stream, from 0
};

struct FeedStream {
  std::string name;
  std::vector<std::string_view> payloads;
  std::vector<nanoseconds> received;  // since the feed's first message, as recorded
  std::vector<DepthIds> depth_ids;    // of each payload, if the stream carries depth updates; else empty
};

class Feed {
 public:
  /// Reads whole captures, merged by receive time. A corrupt line is an error here: a demo must not rest on a broken
  /// file.
  [[nodiscard]] static Result<Feed, std::string> load(const std::vector<std::string>& paths);

  [[nodiscard]] const std::vector<FeedMessage>& messages() const { return messages_; }  // in the order of publication
  [[nodiscard]] const std::vector<FeedStream>& streams() const { return streams_; }
  /// From the first message to the last, as recorded.
  [[nodiscard]] nanoseconds length() const { return length_; }

 private:
  [[nodiscard]] std::string_view keep(std::string_view payload);

  std::vector<FeedMessage> messages_;
  std::vector<FeedStream> streams_;
  std::vector<std::unique_ptr<char[]>> chunks_;
  std::size_t chunk_left_ = 0;
  char* chunk_next_ = nullptr;
  nanoseconds length_{};
};

}  // namespace ringcast
