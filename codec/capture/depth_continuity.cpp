#include "codec/capture/depth_continuity.hpp"

#include "codec/text/json.hpp"
#include "codec/text/numbers.hpp"

namespace ringcast {

std::optional<DepthIds> read_depth_ids(std::string_view payload) {
  bool is_update = false;
  std::optional<std::uint64_t> first, last, previous;
  for (ObjectWalk walk{payload}; const std::optional<JsonMember> member = walk.next();) {
    if (member->name == "e") {
      is_update = member->value.text == "\"depthUpdate\"";
      if (!is_update) {
        return std::nullopt;
      }
    } else if (member->name == "U") {
      first = parse_uint64(member->value.text);
    } else if (member->name == "u") {
      last = parse_uint64(member->value.text);
    } else if (member->name == "pu") {
      previous = parse_uint64(member->value.text);
    }
  }
  if (!is_update || !first || !last) {
    return std::nullopt;
  }
  return DepthIds{*first, *last, previous};
}

DepthContinuity::Verdict DepthContinuity::feed(std::string_view payload) {
  const std::optional<DepthIds> ids = read_depth_ids(payload);
  if (!ids) {
    ++others_;
    return Verdict::not_depth;
  }
  return feed(*ids);
}

DepthContinuity::Verdict DepthContinuity::feed(const DepthIds& ids) {
  const bool follows = ids.previous ? *ids.previous == last_ : ids.first == last_ + 1;
  last_ = ids.last;
  ++updates_;
  if (updates_ == 1) {
    return Verdict::first;
  }
  if (!follows) {
    ++breaks_;
    return Verdict::broken;
  }
  return Verdict::continuous;
}

}  // namespace ringcast
