#include "codec/capture/depth_continuity.hpp"

namespace ringcast {

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
