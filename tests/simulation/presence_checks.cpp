// When all is quiet: the lists of users are exact, and everybody was told what they say.
#include <algorithm>
#include <set>
#include <string>

#include "tests/simulation/checkers.hpp"
#include "tests/simulation/world.hpp"

namespace ringcast::simulation {
namespace {

std::string text_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

Answer World::ask(std::uint32_t index, Question::Kind kind, const std::string& subject) {
  ShardCore& core = *shards_[index].core;
  core.ask({.kind = kind, .subject = subject}, 1);
  shards_[index].doorbell = true;  // who asks wakes the shard
  run_until_quiet("after a question");
  const std::vector<Answered> answers = core.take_answers();
  check(answers.size() == 1, Checker::presence, "a question about '{}' got {} answers", subject, answers.size());
  return answers.front().answer;
}

/// Every grace time passes, with nobody coming or going.
void World::let_graces_pass() {
  milliseconds longest{0};
  for (const NamespaceRule& rule : scenario_.options.namespaces) longest = std::max(longest, rule.presence_grace);
  for (int attempt = 0; attempt < 20; ++attempt) {
    const auto connected = [&] {
      std::uint32_t sum = 0;
      for (const Shard& shard : shards_) sum += shard.core->connections();
      return sum;
    };
    const std::uint32_t before = connected();
    const Instant end = now().mono + longest + 2 * kTimerTick;
    while (now().mono < end) {
      wait_for_next_deadline(end - now().mono);
      run_until_quiet("as grace times pass");
    }
    if (connected() == before) return;
  }
}

void World::check_presence() {
  let_graces_pass();
  const std::uint32_t asker = static_cast<std::uint32_t>(dice_.below(shards_.size()));
  for (std::uint32_t channel = 0; channel < scenario_.channels.size(); ++channel) {
    if (!scenario_.channels[channel].presence) continue;
    const std::string& name = scenario_.channels[channel].name;
    const Answer list = ask(asker, Question::Kind::channel_users, name);
    const Answer readers = ask(asker, Question::Kind::channel_readers, name);  // counted from the cursors
    check(list.anonymous == readers.anonymous, Checker::presence, "{} lists {} readers without a user, and has {}",
          name, list.anonymous, readers.anonymous);
    if (list.unlisted == 0) {
      check(list.users == list.names.size() && list.names == readers.names, Checker::presence,
            "{} lists {} users ({}), and is read by {}", name, list.users, text_of(list.names), text_of(readers.names));
    } else {
      coverage_.add(Seen::users_unlisted);
      check(std::ranges::includes(readers.names, list.names), Checker::presence, "{} lists {}, and is read by {}", name,
            text_of(list.names), text_of(readers.names));
    }
    const std::set<std::string> present{list.names.begin(), list.names.end()};
    for (const auto& client : clients_) {
      const Conversation* talk = client->conversation();
      if (talk == nullptr || !talk->open() || !talk->native() || !talk->subscriptions()[channel].active) continue;
      for (const auto& [user, here] : talk->attention().users(channel)) {
        check(present.contains(user) == here, Checker::presence, "c{} believes that user {} {} in {}",
              talk->connection(), user, here ? "is" : "is not", name);
      }
    }
  }
  check_directory(asker);
}

void World::check_directory(std::uint32_t asker) {
  std::map<std::string, std::uint64_t> connected;
  for (const auto& client : clients_) {
    const Conversation* talk = client->conversation();
    if (talk == nullptr || !talk->open() || talk->user().empty()) continue;
    ++connected[talk->user()];
  }
  const Answer all = ask(asker, Question::Kind::users, {});
  std::uint64_t connections = 0;
  std::vector<std::string> names;
  for (const auto& [user, count] : connected) {
    connections += count;
    names.push_back(user);
    const Answer one = ask(asker, Question::Kind::user, user);
    check(one.connections == count, Checker::presence, "user {} has {} connections, its directory says {}", user, count,
          one.connections);
  }
  check(all.names == names && all.users == names.size() && all.connections == connections, Checker::presence,
        "{} users ({}) have {} connections, the directories say {} ({}) and {}", names.size(), text_of(names),
        connections, all.users, text_of(all.names), all.connections);
  std::uint64_t unique = 0;
  for (const Shard& shard : shards_) unique += shard.stats->get(CounterId::users_unique);
  check(unique == names.size(), Checker::presence, "users_unique is {}, and {} users are connected", unique,
        names.size());
}

}  // namespace ringcast::simulation
