// A segment that is damaged, foreign, or of another version: an error or fewer parts, never a crash. Run under the
// address sanitizer, this also proves that nothing outside the mapping is read.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "alloc/segment/ringcast_stats.h"
#include "tests/alloc/segment/example_segment.hpp"

namespace ringcast {
namespace {

struct Opened {
  rcs_status status = RCS_OK;
  std::string sentence;
};

/// Uses everything that the interface offers.
void read_everything(const rcs_reader* reader) {
  rcs_node node{};
  (void)rcs_node_read(reader, &node);
  std::vector<std::uint32_t> shards{RCS_SHARD_ALL, RCS_SHARD_NODE, 0xfffffffeU};
  for (std::uint32_t s = 0; s <= node.shard_count && s < 100; ++s) shards.push_back(s);
  const auto channels = std::make_unique<rcs_channel_table>();
  const auto connections = std::make_unique<rcs_connection_table>();
  for (const std::uint32_t shard : shards) {
    for (std::size_t i = 0; i <= rcs_counter_count(reader); ++i) (void)rcs_counter_value(reader, i, shard);
    for (std::size_t i = 0; i < rcs_histogram_count(reader); ++i) {
      std::vector<std::uint64_t> buckets(rcs_histogram_describe(reader, i)->bucket_count);
      rcs_distribution distribution{};
      (void)rcs_histogram_read(reader, i, shard, buckets.data(), &distribution);
      for (const double share : {0.0, 0.5, 1.0}) (void)rcs_percentile(&distribution, share);
      (void)rcs_count_at_most(&distribution, 1'000);
    }
    rcs_ledger ledger{};
    (void)rcs_ledger_read(reader, shard, &ledger);
    (void)rcs_channels_read(reader, shard, channels.get());
    (void)rcs_connections_read(reader, shard, connections.get());
    ASSERT_LE(channels->count, std::uint64_t{RCS_CHANNELS});
    ASSERT_LE(connections->count, std::uint64_t{RCS_CONNECTIONS});
  }
  for (std::size_t i = 0; i < rcs_counter_count(reader); ++i) {
    const rcs_counter_row& row = *rcs_counter(reader, i);
    ASSERT_LT(std::strlen(row.label), sizeof row.label);
    ASSERT_LT(std::strlen(row.description), sizeof row.description);
  }
  const auto health = std::make_unique<rcs_health>();
  const auto memory = std::make_unique<rcs_memory>();
  const auto findings = std::make_unique<rcs_findings>();
  (void)rcs_health_read(reader, health.get());
  (void)rcs_memory_read(reader, memory.get());
  (void)rcs_findings_read(reader, findings.get());
  ASSERT_LE(health->reason_count, unsigned{RCS_HEALTH_REASONS});
  ASSERT_LE(memory->purpose_count, unsigned{RCS_PURPOSES});
  ASSERT_LE(findings->count, std::uint64_t{RCS_FINDINGS});
  std::vector<rcs_event_view> events(100);
  const std::size_t count = rcs_events_read(reader, events.data(), events.size());
  for (std::size_t i = 0; i < count; ++i) ASSERT_LT(std::strlen(events[i].event.text), sizeof events[i].event.text);
}

Opened open_and_use(const std::string& path) {
  rcs_reader* reader = nullptr;
  char sentence[RCS_SENTENCE_BYTES];
  const rcs_status status = rcs_open_path(path.c_str(), &reader, sentence);
  EXPECT_EQ(status == RCS_OK, reader != nullptr);
  if (status == RCS_OK) read_everything(reader);
  rcs_close(reader);
  return {status, sentence};
}

std::vector<char> example_bytes(const ScratchDirectory& directory) {
  SegmentFile file = create_example(directory, "origin");
  for (std::uint64_t i = 0; i < 5; ++i) {
    rcs_event event{};
    event.mono = i;
    block_of(file, 0).events.write(event);
  }
  block_of(file, 0).latency.record(77);
  block_of(file, 1).ledger.write({1, 1, 0, 0, 0, 0});
  return read_whole(file.path());
}

rcs_header header_of(const std::vector<char>& bytes) {
  rcs_header header{};
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}
std::vector<rcs_section> sections_of(const std::vector<char>& bytes) {
  const rcs_header header = header_of(bytes);
  std::vector<rcs_section> sections(header.section_count);
  std::memcpy(sections.data(), bytes.data() + header.sections_offset, sections.size() * sizeof(rcs_section));
  return sections;
}
void put(std::vector<char>& bytes, std::size_t at, const void* from, std::size_t size) {
  std::memcpy(bytes.data() + at, from, size);
}

TEST(DamagedSegment, ATruncatedFileIsAnErrorAtEveryLength) {
  const ScratchDirectory directory;
  const std::vector<char> whole = example_bytes(directory);
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < 600; ++i) lengths.push_back(i);
  for (std::size_t i = 600; i < whole.size(); i += 65'537) lengths.push_back(i);
  lengths.push_back(whole.size() - 1);
  for (const std::size_t length : lengths) {
    write_whole(directory.file("cut"), {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
    const Opened opened = open_and_use(directory.file("cut"));
    EXPECT_EQ(opened.status, length < sizeof(rcs_header) ? RCS_FOREIGN : RCS_DAMAGED) << length << " bytes";
    EXPECT_FALSE(opened.sentence.empty());
  }
  write_whole(directory.file("cut"), whole);
  EXPECT_EQ(open_and_use(directory.file("cut")).status, RCS_OK) << "the whole file is good";
}

struct HeaderRow {
  const char* sentence;
  void (*spoil)(rcs_header&);
  rcs_status status;
};
const HeaderRow kHeaderRows[] = {
    {"nothing spoiled", [](rcs_header&) {}, RCS_OK},
    {"another magic", [](rcs_header& h) { h.magic[7] = 'X'; }, RCS_FOREIGN},
    {"the version word still zero", [](rcs_header& h) { h.layout_version = 0; }, RCS_STARTING},
    {"a newer major version", [](rcs_header& h) { h.layout_version = 2U << 16; }, RCS_OTHER_VERSION},
    {"a newer minor version", [](rcs_header& h) { h.layout_version += 7; }, RCS_OK},
    {"a header that is too short", [](rcs_header& h) { h.header_bytes = 100; }, RCS_DAMAGED},
    {"a longer header", [](rcs_header& h) { h.header_bytes = 512; }, RCS_OK},
    {"more bytes than the file has", [](rcs_header& h) { h.total_bytes += 1; }, RCS_DAMAGED},
    {"fewer bytes than the sections need", [](rcs_header& h) { h.total_bytes = 4'096; }, RCS_DAMAGED},
    {"no bytes at all", [](rcs_header& h) { h.total_bytes = 0; }, RCS_DAMAGED},
    {"no shard", [](rcs_header& h) { h.shard_count = 0; }, RCS_DAMAGED},
    {"fewer shards than sections speak of", [](rcs_header& h) { h.shard_count = 1; }, RCS_DAMAGED},
    {"more shards than memory", [](rcs_header& h) { h.shard_count = ~0U; }, RCS_DAMAGED},
    {"no section", [](rcs_header& h) { h.section_count = 0; }, RCS_OK},
    {"more sections than the file has", [](rcs_header& h) { h.section_count = ~0U; }, RCS_DAMAGED},
    {"sections that are too small", [](rcs_header& h) { h.section_entry_bytes = 16; }, RCS_DAMAGED},
    {"sections that overflow", [](rcs_header& h) { h.section_entry_bytes = ~0U; }, RCS_DAMAGED},
    {"a section table outside", [](rcs_header& h) { h.sections_offset = h.total_bytes; }, RCS_DAMAGED},
    {"a section table that wraps around", [](rcs_header& h) { h.sections_offset = ~0ULL - 7; }, RCS_DAMAGED},
    {"a section table at an odd place", [](rcs_header& h) { h.sections_offset += 1; }, RCS_DAMAGED},
};

TEST(DamagedSegment, EachFieldOfTheHeaderIsChecked) {
  const ScratchDirectory directory;
  const std::vector<char> whole = example_bytes(directory);
  for (const HeaderRow& row : kHeaderRows) {
    std::vector<char> bytes = whole;
    rcs_header header = header_of(bytes);
    row.spoil(header);
    put(bytes, 0, &header, sizeof header);
    write_whole(directory.file("spoiled"), bytes);
    const Opened opened = open_and_use(directory.file("spoiled"));
    EXPECT_EQ(opened.status, row.status) << row.sentence << ": " << opened.sentence;
  }
}

TEST(DamagedSegment, AnotherMajorVersionIsNamedInTheSentence) {
  const ScratchDirectory directory;
  std::vector<char> bytes = example_bytes(directory);
  rcs_header header = header_of(bytes);
  header.layout_version = (3U << 16) | 4U;
  put(bytes, 0, &header, sizeof header);
  write_whole(directory.file("newer"), bytes);
  const Opened opened = open_and_use(directory.file("newer"));
  EXPECT_EQ(opened.status, RCS_OTHER_VERSION);
  EXPECT_NE(opened.sentence.find("3.4"), std::string::npos) << opened.sentence;
}

struct SectionRow {
  const char* sentence;
  void (*spoil)(rcs_section&, std::uint64_t total);
};
const SectionRow kSectionRows[] = {
    {"an offset beyond the end", [](rcs_section& s, std::uint64_t total) { s.offset = total + 8; }},
    {"an offset that wraps around", [](rcs_section& s, std::uint64_t) { s.offset = ~0ULL - 7; }},
    {"an odd offset", [](rcs_section& s, std::uint64_t) { s.offset += 3; }},
    {"more bytes than the file", [](rcs_section& s, std::uint64_t total) { s.bytes = total + 1; }},
    {"bytes that wrap around", [](rcs_section& s, std::uint64_t) { s.bytes = ~0ULL; }},
    {"too few bytes", [](rcs_section& s, std::uint64_t) { s.bytes = 7; }},
    {"entries too large", [](rcs_section& s, std::uint64_t) { s.entry_bytes = ~0U - 7; }},
    {"too many entries", [](rcs_section& s, std::uint64_t) { s.entry_count = ~0U; }},
};

TEST(DamagedSegment, EachFieldOfEachSectionIsChecked) {
  const ScratchDirectory directory;
  const std::vector<char> whole = example_bytes(directory);
  const rcs_header header = header_of(whole);
  const std::vector<rcs_section> sections = sections_of(whole);
  ASSERT_GT(sections.size(), 15U);
  for (std::size_t i = 0; i < sections.size(); ++i) {
    for (const SectionRow& row : kSectionRows) {
      std::vector<char> bytes = whole;
      rcs_section section = sections[i];
      row.spoil(section, header.total_bytes);
      put(bytes, header.sections_offset + i * sizeof section, &section, sizeof section);
      write_whole(directory.file("spoiled"), bytes);
      const Opened opened = open_and_use(directory.file("spoiled"));
      EXPECT_EQ(opened.status, RCS_DAMAGED) << "section " << i << " of kind " << section.kind << ": " << row.sentence;
    }
  }
}

TEST(DamagedSegment, TwoSectionsThatClaimTheSamePartAreDamage) {
  const ScratchDirectory directory;
  const std::vector<char> whole = example_bytes(directory);
  const rcs_header header = header_of(whole);
  const std::vector<rcs_section> sections = sections_of(whole);
  for (std::size_t i = 0; i + 1 < sections.size(); ++i) {
    std::vector<char> bytes = whole;
    put(bytes, header.sections_offset + (i + 1) * sizeof(rcs_section), &sections[i], sizeof(rcs_section));
    write_whole(directory.file("spoiled"), bytes);
    EXPECT_EQ(open_and_use(directory.file("spoiled")).status, RCS_DAMAGED) << "section " << i;
  }
}

TEST(DamagedSegment, RandomBytesInTheDirectoryNeverCrashTheReader) {
  const ScratchDirectory directory;
  const std::vector<char> whole = example_bytes(directory);
  const rcs_header header = header_of(whole);
  const std::size_t directory_end = sections_of(whole)[2].offset + 2 * sizeof(rcs_event_row);
  std::mt19937_64 random{11};
  write_whole(directory.file("noise"), whole);
  std::FILE* file = std::fopen(directory.file("noise").c_str(), "r+b");
  ASSERT_NE(file, nullptr);
  std::setvbuf(file, nullptr, _IONBF, 0);
  int opened = 0;
  for (int round = 0; round < 3'000; ++round) {
    std::vector<char> bytes{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(directory_end)};
    // The first words stay, else nearly all rounds would end at the magic.
    const std::size_t from = round % 4 == 0 ? sizeof header.magic : header.sections_offset;
    for (int i = 0; i < 1 + round % 5; ++i) {
      const std::size_t at = from + random() % (directory_end - from);
      bytes[at] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    }
    std::fseek(file, 0, SEEK_SET);
    std::fwrite(bytes.data(), 1, bytes.size(), file);
    opened += open_and_use(directory.file("noise")).status == RCS_OK ? 1 : 0;
  }
  std::fclose(file);
  EXPECT_GT(opened, 100) << "many of them still open, so reading was tried as well";
}

TEST(DamagedSegment, RandomBytesInTheBlocksNeverCrashTheReader) {
  const ScratchDirectory directory;
  std::vector<char> bytes = example_bytes(directory);
  const std::vector<rcs_section> sections = sections_of(bytes);
  std::mt19937_64 random{12};
  for (std::size_t at = sections[3].offset; at + 8 <= bytes.size(); at += 8) {
    const std::uint64_t word = random();
    put(bytes, at, &word, sizeof word);
  }
  write_whole(directory.file("noise"), bytes);
  EXPECT_EQ(open_and_use(directory.file("noise")).status, RCS_OK);
}

TEST(DamagedSegment, AFileThatShrinksWhileItIsOpenIsNoticed) {
  const ScratchDirectory directory;
  write_whole(directory.file("shrinks"), example_bytes(directory));
  rcs_reader* reader = nullptr;
  ASSERT_EQ(rcs_open_path(directory.file("shrinks").c_str(), &reader, nullptr), RCS_OK);
  rcs_node node{};
  EXPECT_EQ(rcs_node_read(reader, &node), RCS_OK);
  ASSERT_EQ(::truncate(directory.file("shrinks").c_str(), 8'192), 0);
  EXPECT_EQ(rcs_node_read(reader, &node), RCS_DAMAGED);
  rcs_close(reader);
}

// ---- a newer writer ----

/// The example as a later version would write it: longer header, longer section entries, longer rows, longer sealed
/// records, one more counter, and a kind of section that nobody here knows.
std::vector<char> newer_bytes(const std::vector<char>& whole) {
  constexpr std::size_t kSectionBytes = sizeof(rcs_section) + 16;
  constexpr std::size_t kRowBytes = sizeof(rcs_counter_row) + 64;
  rcs_header header = header_of(whole);
  std::vector<rcs_section> sections = sections_of(whole);
  std::vector<char> bytes = whole;
  const auto append = [&bytes](const void* from, std::size_t size, std::size_t padded) {
    const std::size_t at = bytes.size();
    bytes.resize(at + padded, '\x5a');
    std::memcpy(bytes.data() + at, from, size);
    return at;
  };
  rcs_section& rows = sections[0];
  std::vector<char> old_rows{bytes.begin() + static_cast<std::ptrdiff_t>(rows.offset),
                             bytes.begin() + static_cast<std::ptrdiff_t>(rows.offset + rows.bytes)};
  rows.offset = bytes.size();
  for (std::uint32_t i = 0; i < rows.entry_count; ++i)
    append(&old_rows[i * rows.entry_bytes], rows.entry_bytes, kRowBytes);
  rcs_counter_row extra{};
  extra.id = 99;  // its value is not in the old blocks
  extra.kind = 77;
  copy_text(extra.label, "invented_later");
  append(&extra, sizeof extra, kRowBytes);
  rows.entry_count += 1;
  rows.entry_bytes = kRowBytes;
  rows.bytes = rows.entry_count * kRowBytes;
  for (rcs_section& section : sections) {
    if (section.kind != RCS_SECTION_MEMORY && section.kind != RCS_SECTION_LEDGER) continue;
    const std::vector<char> record{bytes.begin() + static_cast<std::ptrdiff_t>(section.offset),
                                   bytes.begin() + static_cast<std::ptrdiff_t>(section.offset + section.bytes)};
    section.offset = append(record.data(), record.size(), record.size() + 128);
    section.bytes = record.size() + 128;
    section.entry_bytes += 128;
  }
  sections.push_back({4'711, 0, 3, ~0ULL, 1, 1});  // unknown: not even its place is looked at
  header.sections_offset = bytes.size();
  header.section_count = static_cast<std::uint32_t>(sections.size());
  header.section_entry_bytes = kSectionBytes;
  header.layout_version += 3;
  for (const rcs_section& section : sections) append(&section, sizeof section, kSectionBytes);
  header.total_bytes = bytes.size();
  put(bytes, 0, &header, sizeof header);
  return bytes;
}

TEST(NewerSegment, IsReadAsFarAsItIsKnown) {
  const ScratchDirectory directory;
  std::vector<char> whole;
  {
    SegmentFile file = create_example(directory, "old");
    block_of(file, 0).counters[0] = 11;
    block_of(file, 1).ledger.write({9, 4, 1, 1, 1, 2});
    rcs_memory memory{};
    memory.rss_bytes = 4'242;
    node_block_of(file).memory.write(memory);
    whole = read_whole(file.path());
  }
  write_whole(directory.file("newer"), newer_bytes(whole));
  EXPECT_EQ(open_and_use(directory.file("newer")).status, RCS_OK);
  rcs_reader* reader = nullptr;
  ASSERT_EQ(rcs_open_path(directory.file("newer").c_str(), &reader, nullptr), RCS_OK);
  EXPECT_EQ(rcs_counter_count(reader), 4U);
  EXPECT_STREQ(rcs_counter(reader, 3)->label, "invented_later");
  EXPECT_EQ(rcs_counter_value(reader, 3, RCS_SHARD_ALL), 0U);
  EXPECT_STREQ(rcs_counter(reader, 1)->label, "open");
  EXPECT_EQ(rcs_counter_value(reader, 0, RCS_SHARD_ALL), 11U);
  rcs_ledger ledger{};
  EXPECT_EQ(rcs_ledger_read(reader, RCS_SHARD_ALL, &ledger), RCS_OK);
  EXPECT_EQ(ledger.offered, 9U);
  rcs_memory memory{};
  EXPECT_EQ(rcs_memory_read(reader, &memory), RCS_OK);
  EXPECT_EQ(memory.rss_bytes, 4'242U);
  rcs_close(reader);
}

}  // namespace
}  // namespace ringcast
