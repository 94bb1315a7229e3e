#include "engine/presence/directory.hpp"

#include "alloc/base/ensure.hpp"

namespace ringcast {

Directory::~Directory() {
  for (const auto& [user, entry] : users_) budget_->release(Purpose::users, bytes_of(user));
}

void Directory::apply(ShardIndex from, const Report& report) {
  ensure(report.kind == Report::Kind::connections, "a directory hears of connections");
  auto at = users_.find(report.user);
  if (at == users_.end()) {
    at = users_.emplace(report.user, Entry{}).first;
    budget_->charge(Purpose::users, bytes_of(report.user));
    stats_->add(CounterId::users_unique);
  }
  Entry& entry = at->second;
  const std::uint64_t bit = std::uint64_t{1} << value(from);
  entry.shards = report.here ? entry.shards | bit : entry.shards & ~bit;
  entry.connections += report.change;
  connections_ += static_cast<std::uint64_t>(std::int64_t{report.change});
  ensure(entry.connections >= 0 && (entry.connections == 0) == (entry.shards == 0),
         "a user has connections on the shards that say so");
  if (entry.connections != 0) return;
  budget_->release(Purpose::users, bytes_of(at->first));
  stats_->sub(CounterId::users_unique);
  users_.erase(at);
}

std::uint64_t Directory::connections_of(std::string_view user) const {
  const auto at = users_.find(user);
  return at == users_.end() ? 0 : static_cast<std::uint64_t>(at->second.connections);
}

std::uint64_t Directory::shards_of(std::string_view user) const {
  const auto at = users_.find(user);
  return at == users_.end() ? 0 : at->second.shards;
}

void Directory::answer(const Question& question, Answer& answer) const {
  if (question.kind == Question::Kind::user) {
    answer.connections = connections_of(question.subject);
    return;
  }
  answer.users = users_.size();
  answer.connections = connections_;
  Page page{question.after, question.limit};
  for (auto at = users_.upper_bound(question.after); at != users_.end() && !page.more(); ++at) page.offer(at->first);
  answer.more = page.more();
  answer.names = page.take();
}

void Directory::validate() const {
  std::int64_t connections = 0;
  for (const auto& [user, entry] : users_) {
    ensure(entry.connections > 0 && entry.shards != 0, "who is in the directory is connected");
    connections += entry.connections;
  }
  ensure(static_cast<std::uint64_t>(connections) == connections_, "the directory counts every connection");
}

}  // namespace ringcast
