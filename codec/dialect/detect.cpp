#include "codec/dialect/detect.hpp"

#include "codec/text/json.hpp"

namespace ringcast {

Dialect detect_dialect(std::string_view text) {
  const Result<JsonKind, JsonError> kind = validate_json(text);
  if (!kind || *kind != JsonKind::object) {
    return Dialect::native;
  }
  bool method = false, type = false;
  for (ObjectWalk walk{text}; const std::optional<JsonMember> member = walk.next();) {
    method = method || escaped_equals(member->name, "method");
    type = type || escaped_equals(member->name, "type");
  }
  return method && !type ? Dialect::exchange : Dialect::native;
}

}  // namespace ringcast
