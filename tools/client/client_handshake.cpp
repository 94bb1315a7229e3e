#include "tools/client/client_handshake.hpp"

#include <algorithm>

#include "codec/http/response_head.hpp"
#include "codec/text/numbers.hpp"

namespace ringcast {
namespace {

/// RFC 9110 section 10.2.3. Its other form, a date, rests on two clocks that agree; who sends one is asked again soon.
seconds retry_after_of(const ResponseHead& head) {
  const auto field = head.fields.find("Retry-After");
  const auto wanted = field ? parse_uint64(*field) : std::nullopt;
  return seconds{std::min<std::uint64_t>(wanted.value_or(0), static_cast<std::uint64_t>(kRetryAfterMax.count()))};
}

}  // namespace

ClientHandshake::ClientHandshake(const Endpoint& endpoint, Prng& random, bool offers_deflate)
    : authority_{endpoint.authority},
      target_{endpoint.target.empty() ? "/" : endpoint.target},
      subprotocol_{endpoint.subprotocol},
      authorization_{"Bearer " + endpoint.token},
      offers_{subprotocol_},
      fields_{{.name = "Authorization", .value = authorization_}} {
  request_.host = authority_;
  request_.target = target_;
  request_.nonce = random.nonce();
  request_.offers_deflate = offers_deflate;
  if (!subprotocol_.empty()) request_.subprotocols = offers_;
  if (!endpoint.token.empty()) request_.more_fields = fields_;
  append_upgrade_request(request_text_, request_);
}

Result<std::optional<std::size_t>, UpgradeFailure> ClientHandshake::feed(Bytes input) {
  const std::size_t seen = answer_.size();
  answer_.insert(answer_.end(), input.begin(), input.end());
  ResponseHead head;
  const auto parsed = parse_response_head(answer_, head, {}, seen);
  if (!parsed) {
    return unexpected(
        UpgradeFailure{.sentence = "the server's answer is not HTTP/1.1: " + std::string{sentence_of(parsed.error())}});
  }
  if (!*parsed) return std::optional<std::size_t>{};
  const auto verdict = verify_upgrade_response(head, request_);
  if (!verdict) return unexpected(refusal(head, verdict.error().sentence));
  if (verdict->subprotocol != subprotocol_) {
    return unexpected(
        UpgradeFailure{.status = head.status, .sentence = "the server does not speak " + subprotocol_ + " there"});
  }
  agreed_deflate_ = verdict->deflate.has_value();
  return std::optional{**parsed - seen};
}

UpgradeFailure ClientHandshake::refusal(const ResponseHead& head, std::string_view sentence) const {
  UpgradeFailure failure{.status = head.status, .sentence = "the server answered " + std::to_string(head.status)};
  if (!head.reason.empty()) failure.sentence += " " + std::string{head.reason};
  std::string_view body = as_text(Bytes{answer_}.subspan(head.head_bytes));
  while (!body.empty() && (body.back() == '\n' || body.back() == '\r')) body.remove_suffix(1);
  if (head.status == 101 || body.empty() || body.contains('\n')) body = sentence;
  failure.sentence += ": " + std::string{body};
  failure.retry_after = retry_after_of(head);
  return failure;
}

}  // namespace ringcast
