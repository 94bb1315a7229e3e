#include "tools/load/server_probe.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace ringcast {

std::optional<ProcessUsage> read_process_usage(std::int32_t pid) {
  std::ifstream file{fmt::format("/proc/{}/stat", pid)};
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  const std::size_t name_end = text.rfind(')');  // the name may hold anything, also spaces and parentheses
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields{text.substr(name_end + 1)};
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;  // proc(5): utime is field 14, stime 15, rss 24
  std::uint64_t user_ticks = 0, system_ticks = 0, rss_pages = 0;
  fields >> user_ticks >> system_ticks;
  for (int field = 16; field < 24; ++field) fields >> skipped;
  fields >> rss_pages;
  if (!fields) return std::nullopt;
  const auto ticks_per_second = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  const auto page_bytes = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const std::uint64_t cpu_ns = (user_ticks + system_ticks) * (1'000'000'000 / ticks_per_second);
  return ProcessUsage{nanoseconds{static_cast<nanoseconds::rep>(cpu_ns)}, rss_pages * page_bytes};
}

Result<LedgerProbe, std::string> LedgerProbe::open(const std::string& name) {
  rcs_reader* reader = nullptr;
  char sentence[RCS_SENTENCE_BYTES];
  if (rcs_open(name.c_str(), &reader, sentence) != RCS_OK) {
    return unexpected(fmt::format("cannot read the statistics of node '{}': {}", name, sentence));
  }
  LedgerProbe probe;
  probe.reader_.reset(reader);
  return probe;
}

Result<rcs_ledger, std::string> LedgerProbe::read() const {
  rcs_ledger ledger{};
  const rcs_status status = rcs_ledger_read(reader_.get(), RCS_SHARD_ALL, &ledger);
  if (status != RCS_OK) return unexpected(fmt::format("cannot read the ledger: {}", rcs_status_text(status)));
  return ledger;
}

std::int32_t LedgerProbe::pid() const {
  rcs_node node{};
  return rcs_node_read(reader_.get(), &node) == RCS_OK ? static_cast<std::int32_t>(node.pid) : 0;
}

}  // namespace ringcast
