#include "tools/load/exchange_join.hpp"

#include <fmt/format.h>

#include "codec/text/json_write.hpp"
#include "tools/client/endpoint.hpp"

namespace ringcast {

std::string exchange_target(std::span<const std::string> streams, std::string_view query) {
  Endpoint endpoint;
  if (!query.empty()) endpoint.target = fmt::format("/?{}", query);
  return with_exchange_target(endpoint, streams, streams.size() > 1).target;
}

std::string exchange_join_fault(std::string_view answer, std::span<const std::string> streams) {
  if (!answer.starts_with(R"({"result":[)")) {
    return fmt::format("the server answered LIST_SUBSCRIPTIONS with: {}", answer.substr(0, 200));
  }
  for (const std::string& stream : streams) {
    std::string name;
    append_json_string(name, stream);
    if (!answer.contains(name)) {
      return fmt::format("the server did not subscribe {}: {}", name, answer.substr(0, 200));
    }
  }
  return {};
}

}  // namespace ringcast
