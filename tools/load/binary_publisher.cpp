#include "tools/load/binary_publisher.hpp"

#include <fmt/format.h>

#include <string>

namespace ringcast {

PublisherDialect::Around BinaryPublisherDialect::around(std::string_view channel) const {
  rcb_header header{};
  header.version = RCB_VERSION;
  header.kind = RCB_PUBLISH;
  header.payload_bytes = static_cast<std::uint32_t>(channel.size()) + payload_bytes_;
  header.channel_bytes = static_cast<std::uint8_t>(channel.size());
  std::string before(RCB_HEADER_BYTES, '\0');
  rcb_write_header(reinterpret_cast<std::uint8_t*>(before.data()), &header);
  return {before.append(channel), {}};
}

PublisherDialect::Answer BinaryPublisherDialect::take(std::uint32_t, std::string_view records) {
  Answer answer{{}, {}, 0};
  records_.begin(records);
  while (true) {
    const auto record = records_.next();
    if (!record) {
      ++answer.refusals;
      if (answer.refusal.empty()) answer.refusal = record.error();
      return answer;
    }
    if (!*record) return answer;
    if ((*record)->kind != ServerMessage::Kind::error) continue;
    ++answer.refusals;
    if (answer.refusal.empty()) answer.refusal = fmt::format("{}: {}", (*record)->code, (*record)->words);
  }
}

PublisherDialect::Answer BinaryPublisherDialect::take_other(std::uint32_t index, std::string_view text) {
  const auto message = replies_.read(text);
  if (message && message->kind == ServerMessage::Kind::subscribed) {  // to the channel of the URL's user
    records_.name_all(replies_, *message);
    return {};
  }
  return json_.take(index, text);
}

}  // namespace ringcast
