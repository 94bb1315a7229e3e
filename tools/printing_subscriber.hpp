// tools/printing_subscriber.hpp: what `ringcast sub` does with a connection: joins its channels where it left them,
// prints what arrives, and holds the server to its promise that nothing is missing without a notice.
//
// Owner    the command, by value; lives across connections.  Thread  the command's.
// Memory   a ChannelPosition a channel, and the lines that are not yet written.
// Failure  an Outcome; what is wrong is said on stderr.
// Not here connecting and waiting between attempts (sub.cpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/dialect/command.hpp"
#include "tools/client/client.hpp"
#include "tools/client/server_message.hpp"
#include "tools/client/subscribe_command.hpp"
#include "tools/terminal.hpp"

namespace ringcast {

struct PrintingOptions {
  std::vector<std::string> channels;
  SubscribeOptions subscribe;
  std::uint64_t history = 0;  // of each channel, messages that are printed before it goes on live
  std::uint64_t count = 0;    // ends after so many messages; 0: no bound
  bool json = false;
  bool exchange = false;
};

class PrintingSubscriber {
 public:
  enum class Outcome : std::uint8_t {
    done,
    lost,   // the connection: another may be better
    fatal,  // the same again would end the same
  };

  PrintingSubscriber(const PrintingOptions& options, ChannelPositions positions)
      : options_{options}, positions_{std::move(positions)} {}

  /// Talks over one connection until it ends, enough was printed, or we are told to stop.
  Outcome run(Client& client, const StopSignals& stop);

  /// A message came out of order, or something was missing and the server did not say so.
  [[nodiscard]] bool was_wronged() const { return broken_promises_ > 0; }

 private:
  void begin(Client& client);
  void ask_history(Client& client, const std::optional<ResumePoint>& after, std::uint64_t limit);
  void history_ended(Client& client);
  std::optional<Outcome> take(Client& client, std::string_view text);
  std::optional<Outcome> take_message(const ServerMessage& message, std::string_view text);
  std::optional<Outcome> take_history(Client& client, const ServerMessage& history);
  std::optional<Outcome> take_error(Client& client, const ServerMessage& error);
  void take_gap(const ServerMessage& gap, std::string_view text);
  void take_subscribed(const SubscribedEntry& entry);
  void notice(std::string_view text, const std::string& sentence);
  void print(const ServerMessage& message, std::string_view text);
  std::optional<Outcome> counted();
  Outcome finish(Client& client);
  Outcome closed(const Client::Event& event);
  void accuse(const std::string& sentence);

  const PrintingOptions& options_;
  ChannelPositions positions_;
  ServerMessageReader reader_, inner_;  // inner: the messages inside a history answer
  Output output_;
  std::uint64_t printed_ = 0, broken_promises_ = 0;
  std::size_t refusals_ = 0;

  // Before the first subscribe: whose history is asked for, and what is known of it.
  struct HistoryQuery {
    std::size_t channel = 0;  // in options_.channels; past the end: all are done
    bool knows_newest = false;
    Sequence newest{};
    std::uint64_t printed = 0;
  } query_;
  bool history_done_ = false;
};

}  // namespace ringcast
