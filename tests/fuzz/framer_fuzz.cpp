// The message assembler: whatever comes, it gives the same events however the bytes are cut, within its bounds.
#include "codec/websocket/frame_error.hpp"
#include "codec/websocket/message_assembler.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace ringcast {
namespace {

constexpr AssemblerLimits kLimits{.message_bytes_max = 4'096};

std::vector<std::string> events_of(Bytes input, Role role, Extensions extensions, std::size_t chunk) {
  MessageAssembler assembler{role, kLimits};
  assembler.negotiate(extensions);
  std::vector<std::string> events;
  while (!input.empty() && !assembler.finished()) {
    auto piece = fuzz::copy_of(input.first(std::min(chunk, input.size())));
    input = input.subspan(piece.size());
    MutableBytes left{piece};
    while (const auto event = assembler.next(left)) {
      fuzz::holds(event->payload.size() <= kLimits.message_bytes_max, "a message has its bound");
      std::string said{static_cast<char>('0' + static_cast<int>(event->kind))};
      said += event->compressed ? 'c' : 'p';
      said += std::to_string(value(event->code));
      if (event->kind == WsEvent::Kind::error) {
        fuzz::holds(event->code == close_code_of(event->error), "an error has its code");
      } else {
        said.append(as_text(event->payload));
      }
      events.push_back(std::move(said));
    }
    fuzz::holds(assembler.bytes_held() <= kLimits.message_bytes_max + kControlPayloadBytesMax,
                "what is held has its bound");
    if (!assembler.mid_message()) fuzz::holds(assembler.bytes_held() == 0, "between messages nothing is held");
  }
  return events;
}

}  // namespace
}  // namespace ringcast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringcast;
  fuzz::Input input{data, size};
  const Role role = input.flag() ? Role::client : Role::server;
  const Extensions extensions{.deflate = input.flag()};
  const std::size_t chunk = std::max<std::size_t>(1, input.byte());
  const auto whole = events_of(input.rest(), role, extensions, SIZE_MAX);
  fuzz::holds(whole == events_of(input.rest(), role, extensions, chunk), "cutting changes nothing");
  fuzz::holds(whole == events_of(input.rest(), role, extensions, 1), "nor does cutting everywhere");
  return 0;
}
