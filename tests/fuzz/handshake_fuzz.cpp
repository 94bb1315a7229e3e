// The request head, the upgrade, and what a proxy puts in front: the same verdict whole and in pieces, and an answer
// that our own client can read.
#include "codec/http/proxy_header.hpp"
#include "codec/http/request_head.hpp"
#include "codec/http/response_head.hpp"
#include "codec/http/url.hpp"
#include "codec/text/ip_address.hpp"
#include "codec/websocket/handshake.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace ringcast {
namespace {

void take_target_apart(const RequestHead& head) {
  std::array<char, 512> scratch;
  for (const std::string_view name : {"streams", "user", "token"}) {
    const auto value = query_parameter(head.query, name, scratch);
    if (value && *value) fuzz::holds((*value)->size() <= head.query.size(), "decoding never makes it longer");
  }
  (void)percent_decode(head.path, scratch);
}

void read_proxy_header(Bytes bytes, Bytes front) {
  const auto whole = parse_proxy_header(bytes);
  if (whole && *whole) {
    fuzz::holds(looks_like_proxy_header(bytes), "a header looks like one");
    fuzz::holds((*whole)->bytes <= std::min(bytes.size(), kProxyHeaderBytesMax), "and lies in what came");
  }
  if (front.empty()) return;
  const auto early = parse_proxy_header(front);
  fuzz::holds(early || !whole, "what is wrong at its front is wrong");
  if (early && *early)
    fuzz::holds(whole && *whole && (*whole)->bytes == (*early)->bytes, "a header ends where it ends");
}

void read_addresses(std::string_view text) {
  if (const auto address = parse_ip_address(text)) {
    fuzz::holds(parse_ip_address(to_text(*address)) == address, "an address is written as what it is");
  }
  if (const auto range = parse_ip_range(text)) fuzz::holds(range->contains(range->first), "a range has its first");
}

}  // namespace
}  // namespace ringcast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringcast;
  fuzz::Input input{data, size};
  const std::size_t first = input.byte();
  const auto bytes = fuzz::copy_of(input.rest());
  read_proxy_header(bytes, Bytes{bytes}.first(std::min(first, bytes.size())));
  read_addresses(as_text(bytes));
  const HeadLimits limits{.head_bytes_max = 4'096, .fields_max = 40};
  RequestHead head;
  const auto parsed = parse_request_head(bytes, head, limits);

  // The same when the front was looked at before.
  const auto front = fuzz::copy_of(Bytes{bytes}.first(std::min(first, bytes.size())));
  RequestHead half;
  const auto early = parse_request_head(front, half, limits);
  if (early && !*early) {
    RequestHead again;
    const auto later = parse_request_head(bytes, again, limits, front.size());
    fuzz::holds(later.has_value() == parsed.has_value(), "pieces get the verdict of the whole");
    if (later && parsed) fuzz::holds(later->has_value() == parsed->has_value(), "and are complete when it is");
  } else if (!early) {
    fuzz::holds(!parsed, "what is wrong at its front is wrong");
  }

  if (parsed && *parsed) {
    fuzz::holds(**parsed <= bytes.size() && **parsed <= limits.head_bytes_max, "a head lies in what came");
    take_target_apart(head);
    const auto accepted = check_upgrade(head, std::array<std::string_view, 2>{"ringcast.v1.json", "ringcast.v1.bin"});
    std::string out;
    if (accepted) {
      append_upgrade_response(out, *accepted);
    } else {
      append_refusal(out, accepted.error());
    }
    ResponseHead answer;
    const auto read = parse_response_head(as_bytes(out), answer);
    fuzz::holds(read && *read, "an answer is HTTP, whatever was asked");
    fuzz::holds(answer.status == (accepted ? 101 : accepted.error().status), "and says what was decided");
  }

  ResponseHead response;
  if (const auto read = parse_response_head(bytes, response, limits); read && *read) {
    UpgradeRequest request{.host = "a", .target = "/", .offers_deflate = true};
    (void)verify_upgrade_response(response, request);
  }
  return 0;
}
