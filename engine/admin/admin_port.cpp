#include "engine/admin/admin_port.hpp"

#include <utility>

#include "alloc/segment/ringcast_stats.h"
#include "engine/admin/admin_server.hpp"
#include "engine/admin/answers.hpp"
#include "engine/admin/control_calls.hpp"
#include "engine/admin/shard_questions.hpp"

namespace ringcast {
namespace {

struct ReaderCloser {
  void operator()(rcs_reader* reader) const { rcs_close(reader); }
};

std::vector<std::unique_ptr<AdminLane>> make_lanes(const CoreOptions& options) {
  std::vector<std::unique_ptr<AdminLane>> lanes;
  for (std::uint32_t i = 0; i < options.shards; ++i) {
    lanes.push_back(std::make_unique<AdminLane>(AdminLane::bytes_for(options.limits.message_bytes)));
  }
  return lanes;
}

std::vector<AdminLane*> pointers(const std::vector<std::unique_ptr<AdminLane>>& lanes) {
  std::vector<AdminLane*> list;
  for (const auto& lane : lanes) list.push_back(lane.get());
  return list;
}

}  // namespace

struct AdminPort::Parts {
  Parts(const AdminPortSetup& setup, rcs_reader* statistics)
      : lanes{make_lanes(setup.options)},
        reader{statistics},
        calls{setup.wake_fd},
        questions{pointers(lanes), setup.doorbells, setup.clock},
        answers{questions, calls, setup.host_of_node, reader.get()} {}

  std::vector<std::unique_ptr<AdminLane>> lanes;
  std::unique_ptr<rcs_reader, ReaderCloser> reader;
  AdminCounts counts;
  ControlCalls calls;
  ShardQuestions questions;
  AdminAnswers answers;
  std::unique_ptr<AdminServer> server;
};

AdminPort::AdminPort(std::unique_ptr<Parts> parts) : parts_{std::move(parts)} {}
AdminPort::~AdminPort() = default;

Result<std::unique_ptr<AdminPort>, std::string> AdminPort::open(AdminPortSetup setup) {
  rcs_reader* reader = nullptr;
  char sentence[RCS_SENTENCE_BYTES];
  if (rcs_open_path(setup.segment_path.c_str(), &reader, sentence) != RCS_OK) {
    return unexpected(std::string{"admin: the node's statistics cannot be read: "} + sentence);
  }
  auto parts = std::make_unique<Parts>(setup, reader);
  auto server = AdminServer::open({.host = std::move(setup.host),
                                   .port = setup.port,
                                   .ipv6 = setup.ipv6,
                                   .access = setup.options.access,
                                   .body_bytes_max = setup.options.limits.message_bytes,
                                   .answers = parts->answers,
                                   .calls = parts->calls,
                                   .host_of_node = setup.host_of_node,
                                   .counts = parts->counts,
                                   .tls = std::move(setup.tls)});
  if (!server) return unexpected(std::move(server.error()));
  parts->server = std::move(*server);
  return std::unique_ptr<AdminPort>{new AdminPort{std::move(parts)}};
}

AdminLane& AdminPort::lane(std::uint32_t shard) { return *parts_->lanes[shard]; }
void AdminPort::start() { parts_->server->start(); }
void AdminPort::use_access(const AccessOptions& access) { parts_->server->use_access(access); }

void AdminPort::use_tls(std::shared_ptr<const TlsContext> tls) { parts_->server->use_tls(std::move(tls)); }

void AdminPort::tick(ShardStats& own_stats) {
  parts_->calls.run();
  const auto publish = [&own_stats](CounterId id, const std::atomic<std::uint64_t>& count) {
    own_stats.set(id, count.load(std::memory_order_relaxed));
  };
  const AdminCounts& counts = parts_->counts;
  publish(CounterId::admin_requests, counts.requests);
  publish(CounterId::admin_actions, counts.actions);
  for (std::uint8_t i = 0; i < kAdminErrorCounters; ++i) publish(admin_refused_counter(i), counts.refused[i]);
  publish(CounterId::tls_handshakes, counts.tls_handshakes);
  publish(CounterId::tls_resumed, counts.tls_resumed);
  publish(CounterId::tls_unfinished, counts.tls_unfinished);
  for (std::uint8_t i = 0; i < kTlsFailures; ++i) publish(tls_failed_counter(i), counts.tls_failed[i]);
}

/// First whoever waits for the control thread is told that nobody comes: it stands here. Nor is a shard waited for: a
/// store that hangs would hold up the end.
void AdminPort::stop(ShardStats& own_stats) {
  parts_->calls.close();
  parts_->questions.close();
  parts_->server->stop();
  tick(own_stats);
}

std::uint16_t AdminPort::port() const { return parts_->server->port(); }

}  // namespace ringcast
