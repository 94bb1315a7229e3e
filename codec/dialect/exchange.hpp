// codec/dialect/exchange.hpp: what clients of the crypto exchanges speak (protocol.md section 4).
//
// Owner    a shard owns one ExchangeDecoder; what it returns lives until its next decode.
// Thread   the shard's.
// Memory   as the native decoder: tables to channels_max entries, JsonReader's scratch.
// Failure  ExchangeError with the code that the exchange documents and the id as sent, if readable.
// Not here percent-decoding of paths (codec/http), what a subscription does (engine).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "alloc/base/result.hpp"
#include "codec/dialect/channel_items.hpp"
#include "codec/dialect/command.hpp"
#include "codec/dialect/message.hpp"
#include "codec/text/json.hpp"

namespace ringcast {

/// The codes of Binance's "Live Subscribing/Unsubscribing to streams".
enum class ExchangeCode : std::uint8_t {
  unknown_property = 0,
  invalid_value_type = 1,
  invalid_request = 2,
  invalid_json = 3,
};

struct ExchangeError {
  ExchangeCode code = ExchangeCode::invalid_request;
  std::string_view id;        // JSON text as sent; empty: not readable
  std::string_view sentence;  // static text
};

struct ExchangeLimits {
  std::size_t channels_max = 1'024;  // in one request; as a connection there
};

class ExchangeDecoder {
 public:
  explicit ExchangeDecoder(ExchangeLimits limits = {});

  /// Others from the next request on.
  void set_limits(ExchangeLimits limits) { items_.set_channels_max(limits.channels_max); }

  /// Reads one request: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY or GET_PROPERTY.
  [[nodiscard]] Result<Command, ExchangeError> decode(std::string_view text);

  /// A subscribe command, without an id, for the streams of a URL.
  ///
  /// list     percent-decoded, separated by '/': what follows "/ws/", or the value of "streams". One '/' may end it.
  ///          A channel whose name holds a '/' cannot be named here.
  [[nodiscard]] Result<Command, ExchangeError> decode_streams(std::string_view list);

 private:
  // Each fills command_; false after refuse().
  [[nodiscard]] bool read_request();
  [[nodiscard]] bool read_channels(const JsonValue* params);
  [[nodiscard]] bool read_property(const JsonValue* params, std::size_t params_max);
  [[nodiscard]] bool add_item(std::string_view channel);
  [[nodiscard]] bool take_items();
  [[nodiscard]] bool refuse(std::string_view sentence, ExchangeCode code = ExchangeCode::invalid_request);

  Command command_;
  ExchangeError error_;
  JsonReader reader_;
  ChannelItems items_;
};

/// {"result":null,"id":1}: subscribed, unsubscribed, property set.
void append_exchange_done(std::string& out, std::string_view id);
/// {"result":true,"id":2}: the value of a property.
void append_exchange_property(std::string& out, std::string_view id, bool value);
/// {"result":["btcusdt@trade"],"id":3}, one channel at a time.
class ExchangeList {
 public:
  ExchangeList(std::string& out, std::string_view id);
  void add(std::string_view channel);
  void finish();

 private:
  std::string& out_;
  std::string_view id_;
  bool first_ = true;
};
/// {"error":{"code":2,"msg":".."},"id":1}; the id is null when it could not be read.
void append_exchange_error(std::string& out, const ExchangeError& error);
/// The same for what the engine refuses; every code of ours is an invalid request there.
void append_exchange_refusal(std::string& out, std::string_view id, ErrorCode code, std::string_view sentence);

/// {"stream":"x","data":..}: exact size, and writing; returns the byte after the last. A raw message is its data alone.
[[nodiscard]] std::size_t combined_message_size(const MessageView& message);
[[nodiscard]] std::uint8_t* write_combined_message(const MessageView& message, std::uint8_t* out);

/// The inner `data` if `payload` is an object of exactly the members stream and data, and `stream` equals the channel;
/// otherwise `payload` itself: an envelope that names another channel is data like any other.
///
/// payload  validated JSON.
[[nodiscard]] std::string_view unwrap_combined(std::string_view channel, std::string_view payload);

}  // namespace ringcast
