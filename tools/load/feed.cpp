#include "tools/load/feed.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include "tools/capture_merge.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kChunkBytes = 1U << 20;

}  // namespace

std::string_view Feed::keep(std::string_view payload) {
  if (payload.size() > chunk_left_) {
    chunk_left_ = std::max(kChunkBytes, payload.size());
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk_left_));
    chunk_next_ = chunks_.back().get();
  }
  std::memcpy(chunk_next_, payload.data(), payload.size());
  const std::string_view kept{chunk_next_, payload.size()};
  chunk_next_ += payload.size();
  chunk_left_ -= payload.size();
  return kept;
}

Result<Feed, std::string> Feed::load(const std::vector<std::string>& paths) {
  auto merge = CaptureMerge::open(paths);
  if (!merge) return unexpected(merge.error());
  Feed feed;
  std::map<std::string, std::uint32_t, std::less<>> streams;
  WallTime first{};
  while (const auto line = merge->next()) {
    if (feed.messages_.empty()) first = line->received;
    auto found = streams.find(line->stream);
    if (found == streams.end()) {
      found = streams.emplace(line->stream, static_cast<std::uint32_t>(feed.streams_.size())).first;
      feed.streams_.push_back({.name = std::string{line->stream}, .payloads = {}, .received = {}, .depth_ids = {}});
    }
    FeedStream& stream = feed.streams_[found->second];
    feed.messages_.push_back({found->second, static_cast<std::uint32_t>(stream.payloads.size())});
    // A stream of depth updates has nothing else in it; one that mixes is followed by place alone.
    if (const auto ids = read_depth_ids(line->data); ids && stream.depth_ids.size() == stream.payloads.size()) {
      stream.depth_ids.push_back(*ids);
    }
    stream.payloads.push_back(feed.keep(line->data));
    const nanoseconds since_first = std::max(nanoseconds{0}, nanoseconds{line->received - first});
    stream.received.push_back(since_first);
    feed.length_ = std::max(feed.length_, since_first);
  }
  if (const auto errors = merge->errors(); !errors.empty()) return unexpected(errors.front());
  if (const auto corrupt = merge->corrupt_lines(); !corrupt.empty()) return unexpected(corrupt.front());
  for (FeedStream& stream : feed.streams_) {
    if (stream.depth_ids.size() != stream.payloads.size()) stream.depth_ids.clear();
  }
  if (feed.messages_.empty()) return unexpected(std::string{"the feed holds no stream message"});
  return feed;
}

}  // namespace ringcast
