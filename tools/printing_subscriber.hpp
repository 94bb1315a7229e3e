// tools/printing_subscriber.hpp: what `ringcast sub` does with a connection: joins its channels where it left them,
// prints what arrives, and holds the server to its promise that nothing is missing without a notice.
//
// Owner    the command, by value; lives across connections.  Thread  the command's.
// Memory   a ChannelPosition a channel, of those that patterns let go kLetGoMax at most; the lines not yet written.
// Failure  an Outcome; what is wrong is said on stderr.
// Not here connecting and waiting between attempts (sub.cpp).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "codec/dialect/command.hpp"
#include "tools/client/client.hpp"
#include "tools/client/record_reader.hpp"
#include "tools/client/server_message.hpp"
#include "tools/client/subscribe_command.hpp"
#include "tools/terminal.hpp"

namespace ringcast {

struct PrintingOptions {
  std::vector<std::string> channels;  // or patterns
  SubscribeOptions subscribe;
  std::uint64_t history = 0;  // of each channel, messages that are printed before it goes on live
  std::uint64_t count = 0;    // ends after so many messages; 0: no bound
  bool json = false;
  bool exchange = false;
  bool binary = false;
  bool renews_token = false;  // whoever connects again has the newest one
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

  /// Where it is in the user's own channel, which is joined without being asked for and resumed by the URL; nothing: it
  /// never was there, or named it itself.
  [[nodiscard]] std::optional<ResumePoint> personal_place() const;

  /// A message came out of order, or something was missing and the server did not say so.
  [[nodiscard]] bool was_wronged() const { return broken_promises_ > 0; }

 private:
  void begin(Client& client);
  void ask_history(Client& client, const std::optional<ResumePoint>& after, std::uint64_t limit);
  void history_ended(Client& client);
  std::optional<Outcome> take(Client& client, std::string_view text);
  std::optional<Outcome> take_records(std::string_view message);
  std::optional<Outcome> take_message(const ServerMessage& message, std::string_view text);
  std::optional<Outcome> take_history(Client& client, const ServerMessage& history);
  std::optional<Outcome> take_error(Client& client, const ServerMessage& error);
  void take_gap(const ServerMessage& gap, std::string_view text);
  void take_subscribed(const SubscribedEntry& entry, bool by_pattern);
  void check_return(const SubscribedEntry& entry, const ChannelPosition& position);
  void take_let_go(std::string_view channel);
  void remember(std::string_view channel, bool here);
  void pattern_begins();
  [[nodiscard]] bool is_asked_for(std::string_view channel) const;
  void subscribe(Client& client);
  void notice(std::string_view text, const std::string& sentence);
  void print(const ServerMessage& message, std::string_view text);
  std::optional<Outcome> counted();
  Outcome finish(Client& client);
  Outcome closed(const Client::Event& event);
  void accuse(const std::string& sentence);

  const PrintingOptions& options_;
  ChannelPositions positions_;
  ServerMessageReader reader_, inner_;  // inner: the messages inside a history answer
  RecordReader records_;
  Output output_;
  std::uint64_t printed_ = 0, broken_promises_ = 0;
  std::size_t refusals_ = 0;
  std::uint64_t connections_ = 0;

  // What patterns bound, now and when the last connection was lost; and what they let go, which may come back and then
  // begins where it was. The node bounds the first, we the others.
  using Names = std::set<std::string, std::less<>>;
  Names bound_, lost_;
  bool patterns_answered_ = false;                 // on this connection: who is lost and does not come, is gone
  static constexpr std::size_t kLetGoMax = 1'024;  // protocol.md section 1: what a connection may subscribe to
  struct LetGo {
    std::string channel;
    bool here = false;  // on this connection, not on an earlier one
  };
  std::deque<LetGo> let_go_;    // the oldest first
  bool resumes_let_go_ = true;  // until the server said that it is too many
  bool let_go_said_ = false;    // by the subscribe that waits for its answer

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
