#include "engine/channel/dedupe.hpp"

#include "codec/hash/xxh3.hpp"

namespace ringcast {

std::optional<LruKey> DedupeWindow::key_of(const DedupeOptions& options, std::string_view channel,
                                           std::uint64_t publisher, std::string_view message_id,
                                           std::string_view data) {
  std::uint64_t scope = hash64(channel);
  std::string_view what;
  switch (options.by) {
    case DedupeBy::off:
      return std::nullopt;
    case DedupeBy::payload:
      what = data;
      break;
    case DedupeBy::id:
      if (message_id.empty()) return std::nullopt;
      what = message_id;
      if (options.scope == DedupeScope::publisher) {
        scope ^= publisher * 0x9e37'79b9'7f4a'7c15 + 1;  // an odd multiplier keeps publishers apart
      }
      break;
  }
  const Hash128 hash = hash128(as_bytes(what), scope);
  return LruKey{.low = hash.low, .high = hash.high};
}

void DedupeWindow::settle() {
  budget_->release(Purpose::dedupe, charged_);
  charged_ = seen_.bytes();
  budget_->charge(Purpose::dedupe, charged_);
}

}  // namespace ringcast
