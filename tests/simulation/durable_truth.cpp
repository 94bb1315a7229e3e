#include "tests/simulation/durable_truth.hpp"

#include "tests/simulation/checkers.hpp"

namespace ringcast::simulation {

// ---- publishers ----

void DurableTruth::asked(std::uint64_t message) {
  const auto [at, first] = messages_.emplace(message, Message{});
  check(first || at->second.fate == Fate::in_doubt, Checker::seam, "publish {} is repeated although it was answered",
        message);
  at->second.fate = Fate::waiting;
}

void DurableTruth::published(std::uint64_t message, std::uint64_t seq, std::string_view epoch) {
  Message& known = message_of(message);
  check(known.fate == Fate::waiting, Checker::replies, "publish {} to {} is answered twice", message, name_);
  know_epoch(epoch);
  known.fate = Fate::published;
  is(seq, message);
}

void DurableTruth::refused(std::uint64_t message) {
  Message& known = message_of(message);
  check(known.fate == Fate::waiting, Checker::replies, "publish {} to {} is answered twice", message, name_);
  check(known.doubted || known.seq == 0, Checker::published, "publish {} to {} is refused, and was delivered as seq {}",
        message, name_, known.seq);
  known.fate = known.doubted ? Fate::in_doubt : Fate::refused;
}

void DurableTruth::unanswered(std::uint64_t message) {
  Message& known = message_of(message);
  if (known.fate != Fate::waiting) return;
  known.fate = Fate::in_doubt;
  known.doubted = true;
}

// ---- subscribers ----

/// A channel of which nothing was ever stored has nothing that goes on over a restart.
void DurableTruth::joined(std::string_view epoch, std::uint64_t head) {
  if (head != 0) know_epoch(epoch);
}

void DurableTruth::taken(std::uint64_t seq) {
  if (keeping_ == Keeping::until_sent) maybe_done_ = std::max(maybe_done_, seq);
}

void DurableTruth::delivered(std::uint64_t seq, std::uint64_t message) {
  check(message_of(message).fate != Fate::refused, Checker::published,
        "publish {} to {} was refused, and is delivered as seq {}", message, name_, seq);
  delivered_now_ = std::max(delivered_now_, seq);
  is(seq, message);
}

void DurableTruth::expired(std::uint64_t from, std::uint64_t to) {
  check(from <= to, Checker::continuity, "a gap in {} from {} to {}", name_, from, to);
  check(bounded_ || to <= maybe_done_, Checker::published,
        "{} to {} of {} are said to have expired, and only what is up to {} can be done with", from, to, name_,
        maybe_done_);
}

void DurableTruth::ack_confirmed(std::uint64_t seq) {
  check(seq <= maybe_done_, Checker::replies, "seq {} of {} is confirmed, and nobody acknowledged more than {}", seq,
        name_, maybe_done_);
  confirmed_ = std::max(confirmed_, seq);
}

void DurableTruth::begins(std::uint64_t seq, std::uint64_t confirmed) const {
  check(seq > confirmed, Checker::order, "seq {} of {} comes again, and what is up to {} was acknowledged", seq, name_,
        confirmed);
  check(bounded_ || seq - 1 <= maybe_done_, Checker::published,
        "a subscriber of {} begins with seq {}, and only what is up to {} can be done with", name_, seq, maybe_done_);
}

void DurableTruth::complete(std::uint64_t first, std::uint64_t head) const {
  check(head >= last(), Checker::published, "seq {} of {} was told, and after a restart the channel is at {}", last(),
        name_, head);
  check(bounded_ || first != 0 || head <= maybe_done_, Checker::published,
        "nothing of {} is delivered, which is at {}, and only what is up to {} can be done with", name_, head,
        maybe_done_);
}

// ---- what is known ----

/// A number names one message for ever, and a message has one number; unless it was done with, and so forgotten, when
/// its publisher repeated it.
void DurableTruth::is(std::uint64_t seq, std::uint64_t message) {
  const auto [at, first] = by_seq_.emplace(seq, message);
  check(at->second == message, Checker::payload, "seq {} of {} is publish {} and publish {}", seq, name_, at->second,
        message);
  Message& known = message_of(message);
  check(known.seq == 0 || known.seq == seq || known.seq <= maybe_done_ || bounded_, Checker::dedupe,
        "publish {} to {} is seq {} and seq {}", message, name_, known.seq, seq);
  known.seq = std::max(known.seq, seq);
}

void DurableTruth::know_epoch(std::string_view epoch) {
  if (epoch_.empty()) epoch_ = epoch;
  check(epoch_ == epoch, Checker::continuity, "the epoch of {} was {} and is {}", name_, epoch_, epoch);
}

DurableTruth::Message& DurableTruth::message_of(std::uint64_t message) {
  const auto at = messages_.find(message);
  check(at != messages_.end(), Checker::payload, "{} carries publish {}, which nobody asked for", name_, message);
  return at->second;
}

}  // namespace ringcast::simulation
