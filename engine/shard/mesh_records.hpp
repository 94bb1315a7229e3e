// engine/shard/mesh_records.hpp: what shards write into each other's lanes.
//
// Thread   written by the lane's sender, read by its receiver.  Memory  the lane's.
// Failure  ensure(): both ends are this program.
// Not here the lanes (mesh), what a record leads to (channel_router).
//
// A record is one of these headers and the texts or bytes that it counts, one behind the other.
#pragma once

#include <cstdint>

#include "alloc/base/bytes.hpp"
#include "alloc/base/identifiers.hpp"
#include "alloc/base/record.hpp"
#include "codec/dialect/native.hpp"
#include "codec/text/channel_name.hpp"
#include "engine/channel/join_start.hpp"
#include "engine/channel/pattern_watches.hpp"
#include "engine/shard/mesh.hpp"

namespace ringcast {

enum class MeshKind : std::uint8_t {
  publish,        // publishes: to the home: sequence this
  hello,          // bulk:    from the home: your log begins at `next`; answers attach
  frames,         // bulk:    from the home: the next frames of your log
  hole,           // bulk:    from the home: what lies before `next` is lost to you (the lane was overrun)
  chunk,          // bulk:    from the home: history for one subscription; answers pull
  history_reply,  // bulk:    from the home: answers history
  announce,       // bulk:    from the home: a channel that your pattern matches; the last one answers watch
  idle,           // bulk:    from the home: this channel is silent: let it go if only patterns read it
  state,          // bulk:    from the home: your channel is stale, or live again
  answer,         // bulk:    answers question
  notice,         // bulk:    from the home: a user joined or left
  attach,         // control: to the home: I read this channel in this form
  detach,         // control: to the home: nobody here does any more
  detached,       // control: from the home: answers detach
  publish_reply,  // control: from the home: answers publish
  done,           // control: to the home: messages were sent, or acknowledged; answered by publish_reply
  pull,           // control: to the home: a subscription catches up, and wants the next chunk
  history,        // control: to the home: a client asks for kept messages
  watch,          // control: to the home: tell me which channels match this pattern
  unwatch,        // control: to the home: nobody here wants this pattern any more
  unwatched,      // control: from the home: answers unwatch
  announced,      // control: to the home: so many announces have been dealt with
  let_go,         // control: to the home: answers idle
  report,         // control: to a home or a directory: who came and who went (presence_records.hpp)
  reported,       // control: answers report
  question,       // control: who is there?
};

struct MeshPublish {
  MeshKind kind = MeshKind::publish;
  std::uint8_t channel_bytes = 0;
  std::uint8_t event_bytes = 0;
  std::uint8_t message_id_bytes = 0;
  std::uint8_t id_bytes = 0;
  std::uint8_t snapshot = 0;
  std::uint8_t high = 0;
  std::uint8_t opaque = 0;
  std::uint32_t data_bytes = 0;
  std::uint32_t reserved_too = 0;
  Handle connection{};
  std::uint64_t publisher = 0;
  std::int64_t received_ns = 0;
  Sequence as_of{};
};
struct MeshHello {
  enum class Refused : std::uint8_t { no, no_room, unreadable };  // unreadable: the home cannot read what is stored

  MeshKind kind = MeshKind::hello;
  Refused refused{};
  std::uint8_t stale = 0;
  std::uint8_t reserved = 0;
  std::uint32_t channel_id = 0;
  Handle log{};   // the reader's
  Handle home{};  // the home's channel, to be named in detach
  Epoch epoch{};
  Sequence next{};
};
struct MeshFrames {
  MeshKind kind = MeshKind::frames;
  std::uint8_t reserved = 0;
  std::uint16_t high = 0;  // of these, up to the last one of high priority, that one included; 0: none is
  std::uint32_t frames = 0;
  Handle log{};
  Sequence first{};
  std::int64_t received_ns = 0;  // of the first frame; entries count from it
};
struct MeshFrameEntry {
  std::uint32_t bytes = 0;
  std::uint32_t age_us = 0;
};
struct MeshHole {
  MeshKind kind = MeshKind::hole;
  std::uint8_t reserved[7]{};
  Handle log{};
  Sequence next{};
};
struct MeshState {
  MeshKind kind = MeshKind::state;
  std::uint8_t stale = 0;
  std::uint8_t reserved[6]{};
  Handle log{};
};
struct MeshAttach {
  MeshKind kind = MeshKind::attach;
  Form form{};
  std::uint8_t channel_bytes = 0;
  std::uint8_t reserved[5]{};
  Handle log{};
  Epoch epoch{};
  Sequence wanted{};  // where the log is to begin, if the channel is in that epoch; 0: with the next message
};
struct MeshDetach {
  MeshKind kind = MeshKind::detach;
  std::uint8_t reserved[7]{};
  Handle log{};
  Handle home{};
};
struct MeshDetached {
  MeshKind kind = MeshKind::detached;
  std::uint8_t reserved[7]{};
};
struct MeshPublishReply {
  MeshKind kind = MeshKind::publish_reply;
  std::uint8_t channel_bytes = 0;
  std::uint8_t id_bytes = 0;
  std::uint8_t duplicate = 0;
  std::uint8_t refused = 0;
  ErrorCode code{};
  std::uint8_t acknowledges = 0;  // answers done
  std::uint8_t reserved = 0;
  std::uint32_t channel_id = 0;
  std::uint32_t reserved_too = 0;
  Handle connection{};
  Epoch epoch{};
  Sequence seq{};
};
struct MeshDone {
  MeshKind kind = MeshKind::done;
  std::uint8_t id_bytes = 0;       // a client wants to hear when that is stored
  std::uint8_t acknowledged = 0;   // by a client
  std::uint8_t reserved[5]{};
  Handle home{};
  Sequence seq{};
  Handle connection{};
};
struct MeshPull {
  MeshKind kind = MeshKind::pull;
  Form form{};
  std::uint8_t joins = 0;        // the first chunk: the home says where it begins
  std::uint8_t resumes = 0;      // joins: `epoch` and `from` are what the client has
  std::uint8_t wants_state = 0;  // joins
  std::uint8_t announced = 0;    // joins: `from` is what we said
  std::uint8_t reserved[2]{};
  std::uint32_t serial = 0;
  std::uint32_t reserved_too = 0;
  Handle home{};
  Handle log{};                  // the reader's
  Handle subscription{};
  Epoch epoch{};
  Sequence from{};               // what it wants next; joins: the last one that the client has
};
struct MeshChunk {               // then a size for each frame, then the frames
  MeshKind kind = MeshKind::chunk;
  std::uint8_t snapshot_first = 0;
  JoinStart::Where where{};
  JoinStart::Recovered recovered{};
  JoinStart::State state{};
  std::uint8_t reserved[3]{};
  std::uint32_t frames = 0;
  std::uint32_t serial = 0;
  Handle subscription{};
  Sequence next{};               // the joiner's cursor
  Sequence first{};              // number of the first frame: after the cursor where history has lost what lies between
  Sequence as_of{};
};
struct MeshHistory {
  MeshKind kind = MeshKind::history;
  std::uint8_t channel_bytes = 0;
  std::uint8_t id_bytes = 0;
  std::uint8_t has_after = 0;
  std::uint32_t limit = 0;
  Handle connection{};
  ResumePoint after{};
};
struct MeshHistoryReply {
  MeshKind kind = MeshKind::history_reply;
  std::uint8_t refused = 0;
  ErrorCode code{};
  std::uint8_t reserved = 0;
  std::uint32_t text_bytes = 0;
  Handle connection{};
};
static_assert(sizeof(MeshHistory) + kChannelNameBytesMax + kIdBytesMax <= kMeshControlRecordBytesMax);
struct MeshWatch {
  MeshKind kind = MeshKind::watch;
  std::uint8_t pattern_bytes = 0;
  std::uint8_t reserved[6]{};
  Handle pattern{};  // the watcher's; echoed in every announce
};
struct MeshUnwatch {
  MeshKind kind = MeshKind::unwatch;
  std::uint8_t reserved[7]{};
  Handle pattern{};
};
struct MeshUnwatched {
  MeshKind kind = MeshKind::unwatched;
  std::uint8_t reserved[7]{};
  Handle pattern{};
};
struct MeshAnnounce {
  MeshKind kind = MeshKind::announce;
  PatternWatches::Word::Kind what{};
  std::uint8_t channel_bytes = 0;
  std::uint8_t reserved[5]{};
  Handle pattern{};
  Epoch epoch{};
  Sequence after{};
};
struct MeshAnnounced {
  MeshKind kind = MeshKind::announced;
  std::uint8_t reserved[3]{};
  std::uint32_t words = 0;
};
struct MeshIdle {
  MeshKind kind = MeshKind::idle;
  std::uint8_t reserved[7]{};
  Handle log{};   // the reader's
  Handle home{};  // to be named in let_go
};
struct MeshLetGo {
  MeshKind kind = MeshKind::let_go;
  std::uint8_t kept = 0;  // somebody else reads it, or it is not silent here
  std::uint8_t reserved[6]{};
  Handle log{};
  Handle home{};
  Sequence next{};  // what the log wanted next
};
static_assert(sizeof(MeshWatch) + kChannelNameBytesMax <= kMeshControlRecordBytesMax);
static_assert(kControlLaneBytes >= std::size_t{2} * kMeshCredits * kMeshControlRecordBytesMax +
                                       kAnnounceWindow * (sizeof(MeshAnnounced) + MeshLane::kHeaderBytes),
              "beside what credits allow, every announce may be acknowledged alone");
static_assert(sizeof(MeshPublishReply) + kChannelNameBytesMax + kIdBytesMax <= kMeshControlRecordBytesMax);
static_assert(sizeof(MeshAttach) + kChannelNameBytesMax <= kMeshControlRecordBytesMax);
static_assert(kMeshBatchBytesMax <= 0xffff, "a batch has no more frames than MeshFrames::high can say");

[[nodiscard]] inline MeshKind kind_of(Bytes record) { return static_cast<MeshKind>(record[0]); }

}  // namespace ringcast
