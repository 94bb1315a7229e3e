#include "engine/presence/inquiries.hpp"

#include <algorithm>
#include <utility>

#include "alloc/base/ensure.hpp"

namespace ringcast {

void Inquiries::ask(Question question, Asker asker, std::uint64_t shards) {
  ensure(shards != 0, "a question is put to somebody");
  const Handle inquiry = inquiries_.create(std::move(question), std::move(asker), shards);
  ensure(inquiry.valid(), "there are as many slots for questions as there can be connections");
  for (std::size_t shard = 0; shard < to_ask_.size(); ++shard) {
    if ((shards >> shard & 1U) != 0) to_ask_[shard].push_back(inquiry);
  }
}

const Question* Inquiries::next_for(ShardIndex shard) {
  const std::deque<Handle>& queue = to_ask_[value(shard)];
  if (queue.empty() || asked_[value(shard)] >= kQuestionsMax) return nullptr;
  return &inquiries_[queue.front().slot].question;
}

void Inquiries::asked(ShardIndex shard) {
  to_ask_[value(shard)].pop_front();
  ++asked_[value(shard)];
}

std::optional<Answered> Inquiries::answered(ShardIndex from, Handle handle, Answer part) {
  Inquiry* inquiry = inquiries_.find(handle);
  ensure(inquiry != nullptr, "an inquiry stays until all parts of its answer are there");
  const std::uint64_t bit = std::uint64_t{1} << value(from);
  ensure((inquiry->waiting & bit) != 0, "a shard answers once");
  inquiry->waiting &= ~bit;
  --asked_[value(from)];
  inquiry->answer.users += part.users;
  inquiry->answer.connections += part.connections;
  inquiry->answer.anonymous += part.anonymous;
  inquiry->answer.unlisted += part.unlisted;
  for (const std::string& name : part.names) inquiry->page.offer(name);
  if (part.more) {
    inquiry->page.leave_more();
    ensure(!part.names.empty(), "a page that is full has names");
    if (!inquiry->known_to || part.names.back() < *inquiry->known_to) inquiry->known_to = part.names.back();
  }
  if (inquiry->waiting != 0) return std::nullopt;

  if (inquiry->known_to) inquiry->page.end_at(*inquiry->known_to);
  inquiry->answer.more = inquiry->page.more();
  inquiry->answer.names = inquiry->page.take();
  Answered whole{std::move(inquiry->asker), std::move(inquiry->question), std::move(inquiry->answer)};
  inquiries_.destroy(handle);
  return whole;
}

}  // namespace ringcast
