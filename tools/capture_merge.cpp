#include "tools/capture_merge.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "tools/client/socket.hpp"

namespace ringcast {
namespace {

Result<CaptureReader::Source, std::string> open_file(const std::string& path) {
  UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd.is_open()) return unexpected(fmt::format("{}: {}", path, system_sentence(errno)));
  return CaptureReader::Source{[file = std::move(fd)](MutableBytes into) -> Result<std::size_t, std::string> {
    while (true) {
      const ssize_t got = ::read(file.get(), into.data(), into.size());
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return unexpected(system_sentence(errno));
    }
  }};
}

}  // namespace

std::string CapturePlace::text() const { return fmt::format("{}:{}", path, line); }

Result<CaptureMerge, std::string> CaptureMerge::open(const std::vector<std::string>& paths, Snapshots snapshots) {
  CaptureMerge merge;
  merge.snapshots_ = snapshots;
  for (const std::string& path : paths) {
    auto file = open_file(path);
    if (!file) return unexpected(file.error());
    merge.sources_.push_back({path, std::make_unique<CaptureReader>(std::move(*file)), {}, {}});
  }
  for (Source& source : merge.sources_) merge.advance(source);
  return merge;
}

void CaptureMerge::advance(Source& source) const {
  source.line.reset();
  while (source.error.empty()) {
    const auto line = source.reader->next();
    if (!line) {
      source.error = fmt::format("{}:{}: {}", source.path, line.error().line, line.error().sentence);
    } else if (!*line || (*line)->kind == CaptureKind::stream_message || snapshots_ == Snapshots::given) {
      source.line = *line;
      return;
    }
  }
}

std::optional<CaptureLine> CaptureMerge::next() {
  if (given_any_) advance(sources_[given_]);
  given_any_ = false;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (!sources_[i].line) continue;
    if (!given_any_ || sources_[i].line->received < sources_[given_].line->received) given_ = i;
    given_any_ = true;
  }
  return given_any_ ? sources_[given_].line : std::nullopt;
}

CaptureMerge::Totals CaptureMerge::totals() const {
  Totals totals;
  for (const Source& source : sources_) {
    const CaptureCounts& counts = source.reader->counts();
    totals.lines += counts.lines;
    totals.messages += counts.messages;
    totals.skipped += counts.skipped + (snapshots_ == Snapshots::skipped ? counts.snapshots : 0);
    totals.corrupt += counts.corrupt;
  }
  return totals;
}

std::vector<std::string> CaptureMerge::errors() const {
  std::vector<std::string> errors;
  for (const Source& source : sources_) {
    if (!source.error.empty()) errors.push_back(source.error);
  }
  return errors;
}

std::vector<std::string> CaptureMerge::corrupt_lines() const {
  std::vector<std::string> corrupt;
  for (const Source& source : sources_) {
    const CaptureError& first = source.reader->first_corrupt();
    if (first.line == 0) continue;
    const std::uint64_t more = source.reader->counts().corrupt - 1;
    corrupt.push_back(fmt::format("{}:{}: {}{}", source.path, first.line, first.sentence,
                                  more > 0 ? fmt::format(" (and {} more corrupt lines)", more) : ""));
  }
  return corrupt;
}

}  // namespace ringcast
