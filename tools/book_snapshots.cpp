#include "tools/book_snapshots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "codec/text/numbers.hpp"

namespace ringcast {

void BookSnapshots::begin_round() {
  for (auto& [channel, book] : books_) book.keeper.lose();
  files_.clear();
  earliest_due_ = WallTime::max();
  passed_ = WallTime{};
}

BookSnapshots::File& BookSnapshots::file_of(std::size_t file) {
  if (file >= files_.size()) files_.resize(file + 1);
  return files_[file];
}

void BookSnapshots::report(const std::string& sentence) {
  ++reports_;
  if (reports_ < kReportsMax) report_(sentence);
  if (reports_ == kReportsMax) report_(sentence + " (further ones are only counted)");
}

/// The book of a stream that carries depth updates, and has it known as one of the file's; null for other streams.
BookSnapshots::Book* BookSnapshots::book_of(File& file, const CaptureLine& line, std::string_view channel) {
  auto found = books_.find(channel);
  if (found == books_.end()) {
    if (!read_depth_ids(line.data)) return nullptr;
    found = books_.try_emplace(std::string{channel}).first;
  }
  Book& book = found->second;
  if (std::ranges::find(file.books, &book) == file.books.end()) file.books.push_back(&book);
  return &book;
}

void BookSnapshots::take_message(const CapturePlace& place, const CaptureLine& line, std::string_view channel,
                                 std::uint64_t id) {
  File& file = file_of(place.file);
  if (Book* book = book_of(file, line, channel); book != nullptr) {
    const bool was_valid = book->keeper.valid();
    const std::uint64_t had = book->keeper.last_id();
    book->last = id;
    book->answered = false;
    switch (book->keeper.take_update(line.data)) {
      case BookKeeper::Took::broken:
        report(
            fmt::format("{}: updates of {} are missing before this one{}; no book until the exchange's next snapshot",
                        place.text(), channel, had > 0 ? fmt::format(", after {}", had) : ""));
        break;
      case BookKeeper::Took::fault:
        report(
            fmt::format("{}: the book of {} makes no sense after this update; no book until the exchange's next "
                        "snapshot",
                        place.text(), channel));
        break;
      default: break;
    }
    if (std::exchange(file.has_early, false)) {
      offer(*book, {file.early_id, file.early_bids, file.early_asks}, line.received, file.early_place);
    }
    if (!was_valid && book->keeper.valid()) book->due = line.received;
    if (book->keeper.valid()) earliest_due_ = std::min(earliest_due_, book->due);
  }
  pass(line.received);
}

void BookSnapshots::take_snapshot(const CapturePlace& place, const CaptureLine& line) {
  File& file = file_of(place.file);
  const BookSnapshot snapshot{line.last_update_id, line.bids, line.asks};
  if (file.books.empty()) {
    file.has_early = true;
    file.early_id = snapshot.last_update_id;
    file.early_bids = snapshot.bids;
    file.early_asks = snapshot.asks;
    file.early_place = place.text();
  } else if (file.books.size() == 1) {
    offer(*file.books.front(), snapshot, line.received, place.text());
  } else if (!std::ranges::all_of(file.books, [](const Book* book) { return book->keeper.valid(); })) {
    // It has no name on it: its id must lie among the updates of exactly one stream.
    std::vector<Book*> fitting;
    std::ranges::copy_if(file.books, std::back_inserter(fitting),
                         [&](const Book* book) { return book->keeper.holds(snapshot.last_update_id); });
    if (fitting.size() == 1) {
      offer(*fitting.front(), snapshot, line.received, place.text());
    } else {
      ++unused_;
      report(fmt::format("{}: of {} depth streams, {} fit this snapshot: it is not used", place.text(),
                         file.books.size(), fitting.empty() ? "none" : "several"));
    }
  }
  pass(line.received);
}

void BookSnapshots::offer(Book& book, const BookSnapshot& snapshot, WallTime received, const std::string& place) {
  switch (book.keeper.take_snapshot(snapshot)) {
    case BookKeeper::TookSnapshot::too_old:
      ++unused_;
      report(fmt::format("{}: the snapshot is older than the updates before it: it is not used", place));
      break;
    case BookKeeper::TookSnapshot::fault:
      ++unused_;
      report(fmt::format("{}: the snapshot makes no sense, or not with the updates around it: it is not used", place));
      break;
    case BookKeeper::TookSnapshot::not_needed: return;
    case BookKeeper::TookSnapshot::taken: break;
  }
  if (!book.keeper.valid()) return;
  book.due = received;
  earliest_due_ = std::min(earliest_due_, book.due);
}

/// The feed has come to this time: spells the books that are due.
void BookSnapshots::pass(WallTime received) {
  passed_ = received;
  if (received < earliest_due_) return;
  earliest_due_ = WallTime::max();
  for (auto& [channel, book] : books_) {
    if (!book.keeper.valid()) continue;
    // One at a time: a newer one would wait for a later answer, and so on without end where the feed is fast.
    if (book.due <= received && book.stage == Book::Stage::none) {
      spell(book);
      const auto passed = (received - book.due) / interval_;
      book.due += (passed + 1) * interval_;
    }
    earliest_due_ = std::min(earliest_due_, book.due);
  }
}

void BookSnapshots::spell(Book& book) {
  book.text.clear();
  book.keeper.append_json(book.text);
  book.stage = Book::Stage::waits;
  book.waits_for = book.last;
  if (book.answered) answered(book);
}

/// Everything in the book's spelling has its seq now.
void BookSnapshots::answered(Book& book) {
  if (value(book.newest) == 0) {  // nothing of it was ever accepted: there is no state to be as of
    book.stage = Book::Stage::none;
    return;
  }
  book.stage = Book::Stage::ready;
  book.as_of = ringcast::next(book.newest);
  ++ready_;
}

void BookSnapshots::take_answer(const ServerMessage& answer) {
  const bool published = answer.kind == ServerMessage::Kind::published;
  if (!published && answer.kind != ServerMessage::Kind::error) return;
  const auto id = parse_uint64(answer.id);
  if (!id) return;
  const auto settle = [&](Book& book) {
    if (book.last == *id) book.answered = true;
    if (book.stage == Book::Stage::waits && book.waits_for == *id) answered(book);
  };
  if (!published) {  // a refusal need not name its channel
    for (auto& [channel, book] : books_) settle(book);
    return;
  }
  const auto found = books_.find(answer.channel);
  if (found == books_.end()) return;
  Book& book = found->second;
  const Epoch epoch = answer.epoch.value_or(book.epoch);
  if (epoch != book.epoch) {  // the channel was forgotten meanwhile, and its numbers begin again
    book.newest = Sequence{};
    if (book.stage == Book::Stage::ready) {
      book.stage = Book::Stage::none;
      --ready_;
    }
  }
  book.epoch = epoch;
  book.newest = std::max(book.newest, answer.seq);  // a duplicate is answered with the first one's
  settle(book);
}

std::optional<BookSnapshots::Due> BookSnapshots::next() {
  if (ready_ == 0) return std::nullopt;
  for (auto& [channel, book] : books_) {
    if (book.stage != Book::Stage::ready) continue;
    --ready_;
    book.stage = Book::Stage::none;
    given_.swap(book.text);
    const Due due{channel, given_, book.as_of};
    pass(passed_);  // one that was due meanwhile had to wait for this one
    return due;
  }
  return std::nullopt;
}

BookSnapshots::Summary BookSnapshots::summary() const {
  Summary summary{.unused = unused_};
  for (const auto& [channel, book] : books_) {
    ++summary.books;
    summary.valid += book.keeper.valid() ? 1 : 0;
    summary.breaks += book.keeper.counts().breaks;
    summary.faults += book.keeper.counts().faults;
  }
  return summary;
}

}  // namespace ringcast
