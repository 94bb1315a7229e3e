// engine/admin/answers.hpp: what each path of the admin port is answered with.
//
// Owner    the admin port.  Thread  those of the admin port: several at a time.
// Memory   one document at a time and thread; a page of kAdminRowsMax rows at the most.
// Failure  an answer with an AdminError and a sentence.
// Not here HTTP (admin_server), who may ask (admin_gate), which path is which (routes).
//
// answers.cpp: the switch over routes, and the documents that are read from the statistics segment.
// lists.cpp: what shards are asked. actions.cpp: what changes something.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/segment/ringcast_stats.h"
#include "engine/admin/admin_error.hpp"
#include "engine/admin/admin_host.hpp"
#include "engine/admin/control_calls.hpp"
#include "engine/admin/routes.hpp"
#include "engine/admin/shard_questions.hpp"
#include "engine/stats/json_document.hpp"
#include "engine/stats/node_view.hpp"

namespace ringcast {

/// A request that was let in.
struct AdminRequest {
  RouteMatch match;
  std::string query;  // without '?', still percent-encoded
  std::string body;
  std::string actor;  // who it is, for the event log
  std::string user;   // the token's: whose message ids are in the body; empty: they are those of all who have no token
};

struct AdminAnswer {
  std::uint16_t status = 200;
  std::string_view content_type = "application/json";
  std::string body{};
  std::optional<AdminError> error{};  // it was refused: `body` says so, too
  std::uint64_t retry_after = 0;      // seconds; 0: nothing is said
};

/// {"error":{"code":...,"message":...}}
[[nodiscard]] AdminAnswer refusal(AdminError error, std::string_view sentence);
/// What there is to say about an error that needs no more words.
[[nodiscard]] std::string_view sentence_of(AdminError error);

class AdminAnswers {
 public:
  /// reader  of the node's own segment; may be null: then statistics are an internal_error.
  AdminAnswers(ShardQuestions& questions, ControlCalls& calls, AdminHost& host, rcs_reader* reader)
      : questions_{&questions}, calls_{&calls}, host_{&host}, reader_{reader} {}

  [[nodiscard]] AdminAnswer answer(const AdminRequest& request);

 private:
  struct Filter {  // of connections
    std::string_view user{};
    std::string_view channel{};
    std::uint64_t connection = 0;
    bool slow_only = false;
  };
  struct Place {  // where a page begins: a shard, and a slot of it
    std::uint32_t shard = 0;
    std::uint32_t slot = 0;
  };
  struct Paging {
    std::uint32_t limit = 0;
    Place from{};
  };

  // answers.cpp
  [[nodiscard]] std::optional<NodeView> look(std::size_t events_max = 0);
  AdminAnswer answer_health(const NodeView& view, bool ready_wanted);
  AdminAnswer answer_metrics(const AdminRequest& request, std::string_view usual);
  AdminAnswer answer_statistics(const AdminRequest& request);
  AdminAnswer analyze_memory();

  // lists.cpp
  AdminAnswer list_connections(const AdminRequest& request, Filter filter, std::string_view name);
  AdminAnswer list_subscribers(const AdminRequest& request);
  AdminAnswer count_connections(const Filter& filter, std::string_view name, std::string_view value);
  AdminAnswer list_channels(const AdminRequest& request);
  AdminAnswer answer_channel(const AdminRequest& request);
  [[nodiscard]] Result<bool, AdminError> knows(std::string_view channel);
  AdminAnswer answer_history(const AdminRequest& request);
  [[nodiscard]] Result<Paging, std::string_view> read_paging(std::string_view query);
  template <class AddRow>
  [[nodiscard]] std::optional<AdminError> ask_pages(AdminQuestion question, Paging paging, JsonDocument& out,
                                                    AddRow&& add_row);

  // actions.cpp
  AdminAnswer broadcast(const AdminRequest& request);
  AdminAnswer publish(const AdminRequest& request, std::string channel);
  AdminAnswer disconnect(const Filter& filter, bool one);
  AdminAnswer clean_up();
  AdminAnswer reload(const AdminRequest& request);
  AdminAnswer drain();
  struct Outcome {  // of one publish
    std::string channel;
    AdminAnswerHead head{};
    std::optional<AdminError> error{};
    std::string sentence;
  };
  [[nodiscard]] Outcome publish_to(std::string channel, std::string_view members, std::string_view user);

  ShardQuestions* questions_;
  ControlCalls* calls_;
  AdminHost* host_;
  std::mutex reader_mutex_;
  rcs_reader* reader_;
};

}  // namespace ringcast
