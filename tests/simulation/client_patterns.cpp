// What a client that subscribes to patterns says.
#include <string>

#include "codec/text/json_write.hpp"
#include "codec/text/numbers.hpp"
#include "tests/simulation/client.hpp"

namespace ringcast::simulation {
namespace {

std::string json_list(const std::set<std::string>& patterns, const Scenario& scenario,
                      const std::set<std::uint32_t>& channels) {
  std::string list = "[";
  const auto add = [&](std::string_view name) {
    if (list.size() > 1) list += ',';
    append_json_string(list, name);
  };
  for (const std::string& pattern : patterns) add(pattern);
  for (const std::uint32_t channel : channels) add(scenario.channels[channel].name);
  return list + "]";
}

}  // namespace

void Client::subscribe_to_patterns() {
  Dice& dice = world_.dice;
  Request request{.kind = Request::Kind::subscribe, .publish = 0, .channels = {}, .patterns = {}, .resume = {}};
  const std::size_t wanted = dice.between(1, 2);
  for (std::size_t i = 0; i < wanted; ++i) request.patterns.insert(dice.pick(world_.scenario.patterns));
  if (dice.one_in(10)) request.patterns.insert("not.>.one");
  if (dice.one_in(3)) request.channels.insert(some_channels().front());
  const std::string list = json_list(request.patterns, world_.scenario, request.channels);
  std::string resume;
  for (const auto& [channel, seen] : last_seen_) {
    if (!plan_.native || dice.one_in(2)) continue;
    request.resume.emplace(channel, seen);
    std::string epoch;
    append_epoch(epoch, seen.epoch);
    if (!resume.empty()) resume += ',';
    append_json_string(resume, world_.scenario.channels[channel].name);
    resume += fmt::format(R"(:{{"epoch":"{}","seq":{}}})", epoch, value(seen.seq));
  }
  const std::string options = plan_.native ? choose_options(request.options) : std::string{};
  const std::uint64_t id = talk().ask(std::move(request));
  world_.trace.note("c{} asks to subscribe to {} (id {}) {}{}", *connection_, list, id, resume, options);
  if (!plan_.native) {
    send_text(fmt::format(R"({{"method":"SUBSCRIBE","params":{},"id":{}}})", list, id));
  } else {
    send_text(fmt::format(R"({{"type":"subscribe","id":{},"channels":{}{}{}}})", id, list, options,
                          resume.empty() ? "" : fmt::format(R"(,"resume":{{{}}})", resume)));
  }
  decided_ = true;
}

void Client::unsubscribe_from_patterns() {
  Dice& dice = world_.dice;
  Request request{.kind = Request::Kind::unsubscribe, .publish = 0, .channels = {}, .patterns = {}, .resume = {}};
  request.patterns.insert(dice.pick(world_.scenario.patterns));
  const std::string list = json_list(request.patterns, world_.scenario, {});
  const std::uint64_t id = talk().ask(std::move(request));
  world_.trace.note("c{} asks to unsubscribe from {} (id {})", *connection_, list, id);
  send_text(plan_.native ? fmt::format(R"({{"type":"unsubscribe","id":{},"channels":{}}})", id, list)
                         : fmt::format(R"({{"method":"UNSUBSCRIBE","params":{},"id":{}}})", list, id));
}

}  // namespace ringcast::simulation
