// engine/shard/admin_lane.hpp: what the admin port and one shard write to each other: questions and answers, as data.
//
// Owner    node (or a test), one a shard; outlives the shard's thread.
// Thread   questions: written by the admin side, one thread at a time, read by the shard; answers: the other way round.
// Memory   two lanes of bytes_for(), fixed at start-up; the shard is charged for both.
// Failure  a full lane of questions is an asker's mistake or a shard that stalls: the asker is told. A full lane of
//          answers holds the shard's desk back, nothing else.
// Not here what a question leads to (admin_desk), waiting for an answer (admin/shard_questions).
//
// A record is a head, and the texts or rows that it counts, one behind the other.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "alloc/base/bytes.hpp"
#include "alloc/base/ensure.hpp"
#include "alloc/base/identifiers.hpp"
#include "codec/dialect/command.hpp"
#include "engine/limits.hpp"
#include "engine/shard/mesh.hpp"

namespace ringcast {

inline constexpr std::uint32_t kAdminRowsMax = 1'000;              // of one answer; who wants more asks on
inline constexpr std::size_t kAdminPageBytesMax = kReplyBytesMax;  // the same in bytes
inline constexpr std::size_t kAdminHeadBytesMax = 4'096;  // of a record, beside one message: its head and names

struct AdminLane {
  explicit AdminLane(std::size_t bytes) : questions{bytes}, answers{bytes} {}

  MeshLane questions;
  MeshLane answers;

  /// A record is at most half a lane less its own header; the largest are a message to be published, and a history of
  /// one.
  [[nodiscard]] static std::size_t bytes_for(std::uint32_t message_bytes) {
    return std::bit_ceil(2 * (std::size_t{message_bytes} + kAdminHeadBytesMax + kAdminPageBytesMax));
  }
  /// How large messages may become in lanes that were made for these.
  [[nodiscard]] static std::uint64_t message_bytes_room(std::uint32_t message_bytes) {
    const std::uint64_t record = bytes_for(message_bytes) / 2 - 8;
    return std::max<std::uint64_t>(message_bytes, record - kAdminHeadBytesMax - kAdminPageBytesMax);
  }
  [[nodiscard]] std::size_t bytes() const { return questions.capacity() + answers.capacity(); }
};

enum class AdminAsk : std::uint8_t {
  connections,  // rows of those that match, from the slot `from` on
  disconnect,   // closes those that match with 4010; counts them
  channels,     // rows of the channels that live here, from the slot `from` on
  channel,      // one row if the channel lives here; counts its readers on this shard
  history,      // of a channel that lives here: the reply that a client would be sent, as text
  publish,      // to a channel that lives here
  cleanup,      // forgets what nobody uses; counts channels
  end,
};

struct AdminQuestionHead {
  AdminAsk ask{};
  std::uint8_t channel_bytes = 0;
  std::uint8_t user_bytes = 0;
  std::uint8_t event_bytes = 0;
  std::uint8_t message_id_bytes = 0;
  std::uint8_t slow_only = 0;   // connections: those whose sockets do not take what there is
  std::uint8_t count_only = 0;  // connections: no rows
  std::uint8_t snapshot = 0;    // publish
  std::uint8_t high = 0;        // publish
  std::uint8_t has_after = 0;   // history
  std::uint8_t reserved[2]{};
  std::uint32_t serial = 0;  // the answer carries it
  std::uint32_t data_bytes = 0;
  std::uint32_t limit = 0;  // rows, messages
  std::uint32_t from = 0;   // slot
  std::uint32_t reserved_too = 0;
  std::uint64_t connection = 0;  // the one that is meant; 0: any
  std::uint64_t publisher = 0;   // publish: whose message ids these are
  std::int64_t deadline_ns = 0;  // on the monotonic clock: who asked has gone by then, and nothing is done any more
  Sequence as_of{};              // publish
  ResumePoint after{};           // history
};
static_assert(std::is_trivially_copyable_v<AdminQuestionHead>);

/// A question as both sides handle it. The sizes in its head are those of the texts once it is written.
struct AdminQuestion {
  AdminQuestionHead head;
  std::string_view channel{};     // connections, disconnect: only readers of it; else the channel
  std::string_view user{};        // connections, disconnect: only this user's; empty: anybody's
  std::string_view event{};       // publish
  std::string_view message_id{};  // publish
  std::string_view data{};        // publish: one valid JSON value
};

struct AdminAnswerHead {
  AdminAsk ask{};
  std::uint8_t refused = 0;
  ErrorCode code{};            // refused
  std::uint8_t duplicate = 0;  // publish
  std::uint32_t serial = 0;
  std::uint32_t rows = 0;   // connections, channels, channel: behind this head
  std::uint32_t next = 0;   // the slot to go on from; 0: there is no more
  std::uint64_t count = 0;  // connections: that match, as far as was looked; disconnect, cleanup; channel: readers
  Epoch epoch{};            // publish
  Sequence seq{};           // publish
};
static_assert(std::is_trivially_copyable_v<AdminAnswerHead>);
static_assert(sizeof(AdminQuestionHead) + 4 * 255 <= kAdminHeadBytesMax);

struct AdminConnectionRow {  // then the user's id
  std::uint64_t id = 0;
  std::int64_t opened_ns = 0;  // since 1970
  std::uint64_t sent_bytes = 0;
  std::uint64_t charged_bytes = 0;
  std::uint64_t lag_messages = 0;
  std::uint64_t lag_bytes = 0;
  std::int64_t lag_ns = 0;
  std::array<std::uint8_t, 16> address{};
  std::uint32_t subscriptions = 0;
  std::uint16_t port = 0;  // 0: a unix socket
  Dialect dialect{};
  std::uint8_t user_bytes = 0;
  std::uint8_t slow = 0;
  std::uint8_t compressed = 0;
  std::uint8_t stalled = 0;  // its input waits
  std::uint8_t reserved[5]{};
};
struct AdminChannelRow {  // then the channel's name, then the pattern of its namespace
  Epoch epoch{};
  Sequence seq{};              // of the newest message
  std::uint64_t messages = 0;  // kept
  std::uint64_t bytes = 0;     // of these
  std::uint32_t readers = 0;   // on the home shard
  std::uint32_t shards = 0;    // other shards that read it, once for each form
  std::uint32_t channel_id = 0;
  std::uint8_t name_bytes = 0;
  std::uint8_t reserved[3]{};
  std::uint32_t match_bytes = 0;
  std::uint32_t reserved_too = 0;
};
static_assert(std::is_trivially_copyable_v<AdminConnectionRow> && std::is_trivially_copyable_v<AdminChannelRow>);

[[nodiscard]] std::size_t bytes_of(const AdminQuestion& question);
/// `out` has bytes_of(question) bytes.
void write_question(MutableBytes out, const AdminQuestion& question);
/// Views into the record.
[[nodiscard]] AdminQuestion read_question(Bytes record);

/// Takes rows and their texts off an answer, in the order in which they were put there.
class AdminRows {
 public:
  explicit AdminRows(std::string_view rows) : rest_{rows} {}
  template <class Row>
  [[nodiscard]] Row row() {
    return load<Row>(text(sizeof(Row)).data());
  }
  [[nodiscard]] std::string_view text(std::size_t bytes) {
    ensure(bytes <= rest_.size(), "an answer is as long as its rows say");
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }

 private:
  std::string_view rest_;
};

}  // namespace ringcast
