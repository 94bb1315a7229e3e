// engine/shard/presence_records.hpp: what shards tell and ask each other about users.
//
// Thread   written by the lane's sender, read by its receiver.  Memory  the lane's.
// Failure  ensure(): both ends are this program.
// Not here the other records (mesh_records), what they lead to (presence_traffic).
#pragma once

#include <cstdint>

#include "codec/text/channel_name.hpp"
#include "engine/presence/question.hpp"
#include "engine/presence/report.hpp"
#include "engine/shard/mesh_records.hpp"

namespace ringcast {

struct MeshReport {  // and the channel, and the user
  MeshKind kind = MeshKind::report;
  Report::Kind what{};
  std::uint8_t channel_bytes = 0;
  std::uint8_t user_bytes = 0;
  std::int32_t change = 0;
  std::uint8_t here = 0;
  std::uint8_t reserved[7]{};
};
struct MeshReported {
  MeshKind kind = MeshKind::reported;
  std::uint8_t reserved[7]{};
};
struct MeshQuestion {  // and the subject, and the name that the page begins behind
  MeshKind kind = MeshKind::question;
  Question::Kind what{};
  std::uint8_t subject_bytes = 0;
  std::uint8_t after_bytes = 0;
  std::uint32_t limit = 0;
  Handle inquiry{};
};
struct MeshAnswer {  // and its names, each behind its length in one byte
  MeshKind kind = MeshKind::answer;
  std::uint8_t more = 0;
  std::uint8_t reserved[2]{};
  std::uint32_t names = 0;
  Handle inquiry{};
  std::uint64_t users = 0;
  std::uint64_t connections = 0;
  std::uint64_t anonymous = 0;
  std::uint64_t unlisted = 0;
};
struct MeshNotice {  // and the channel, and the user
  MeshKind kind = MeshKind::notice;
  std::uint8_t joined = 0;
  std::uint8_t channel_bytes = 0;
  std::uint8_t user_bytes = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(MeshReport) + kChannelNameBytesMax + kUserIdBytesMax <= kMeshControlRecordBytesMax);
static_assert(sizeof(MeshQuestion) + 2 * kChannelNameBytesMax <= kMeshControlRecordBytesMax);

inline constexpr std::size_t kAnswerBytesMax = sizeof(MeshAnswer) + kPageBytesMax + kPageNamesMax;
static_assert(kAnswerBytesMax <= kMeshBatchBytesMax, "an answer is no longer than a batch of frames");

}  // namespace ringcast
