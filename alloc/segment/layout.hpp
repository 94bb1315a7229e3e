// alloc/segment/layout.hpp: the layout of ringcast_stats.h, frozen: an edit that moves a field does not compile.
//
// Owner    ringcast_stats.h defines, this file asserts.  Thread  any (constants).  Memory  none.
// Failure  at compile time. A field may be added at an entry's end (raise RCS_LAYOUT_MINOR and the size here), never
//          moved; anything else raises RCS_LAYOUT_MAJOR.
// Not here writing (file.hpp), reading (reader.cpp).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "alloc/base/units.hpp"
#include "alloc/queue/seqlock.hpp"
#include "alloc/segment/event_ring.hpp"
#include "alloc/segment/histogram.hpp"
#include "alloc/segment/ringcast_stats.h"

namespace ringcast {

static_assert(sizeof(rcs_header) == 256);
static_assert(offsetof(rcs_header, layout_version) == 8);
static_assert(offsetof(rcs_header, header_bytes) == 12);
static_assert(offsetof(rcs_header, total_bytes) == 16);
static_assert(offsetof(rcs_header, section_count) == 24);
static_assert(offsetof(rcs_header, section_entry_bytes) == 28);
static_assert(offsetof(rcs_header, sections_offset) == 32);
static_assert(offsetof(rcs_header, pid) == 40);
static_assert(offsetof(rcs_header, pid_start_ticks) == 48);
static_assert(offsetof(rcs_header, start_wall) == 56);
static_assert(offsetof(rcs_header, start_mono) == 64);
static_assert(offsetof(rcs_header, heartbeat_mono) == 72);
static_assert(offsetof(rcs_header, heartbeat_wall) == 80);
static_assert(offsetof(rcs_header, run_state) == 88);
static_assert(offsetof(rcs_header, shard_count) == 92);
static_assert(offsetof(rcs_header, name) == 96);
static_assert(offsetof(rcs_header, server) == 160);
static_assert(offsetof(rcs_header, pid_namespace) == 224);

static_assert(sizeof(rcs_section) == 32);
static_assert(offsetof(rcs_section, shard) == 4);
static_assert(offsetof(rcs_section, offset) == 8);
static_assert(offsetof(rcs_section, bytes) == 16);
static_assert(offsetof(rcs_section, entry_bytes) == 24);
static_assert(offsetof(rcs_section, entry_count) == 28);

static_assert(sizeof(rcs_counter_row) == 256);
static_assert(offsetof(rcs_counter_row, label) == 8);
static_assert(offsetof(rcs_counter_row, label_set) == 56);
static_assert(offsetof(rcs_counter_row, unit) == 96);
static_assert(offsetof(rcs_counter_row, description) == 120);
static_assert(sizeof(rcs_histogram_row) == 256);
static_assert(offsetof(rcs_histogram_row, label) == 16);
static_assert(offsetof(rcs_histogram_row, unit) == 64);
static_assert(offsetof(rcs_histogram_row, description) == 88);
static_assert(sizeof(rcs_event_row) == 96);
static_assert(sizeof(rcs_event) == 128);
static_assert(offsetof(rcs_event, code) == 40);
static_assert(offsetof(rcs_event, text) == 48);
static_assert(sizeof(rcs_ledger) == 48);
static_assert(sizeof(rcs_channel) == 312 && sizeof(rcs_channel_table) == 16 + RCS_CHANNELS * 312);
static_assert(sizeof(rcs_connection) == 144 && sizeof(rcs_connection_table) == 16 + RCS_CONNECTIONS * 144);
static_assert(sizeof(rcs_health_check) == 64);
static_assert(sizeof(rcs_health) == 32 + RCS_HEALTH_REASONS * 96 + RCS_HEALTH_CHECKS * 64);
static_assert(sizeof(rcs_purpose) == 48 && sizeof(rcs_memory) == 56 + RCS_PURPOSES * 48);
static_assert(sizeof(rcs_finding) == 192 && sizeof(rcs_findings) == 8 + RCS_FINDINGS * 192);

// What the header says of the C++ types that writers use.
static_assert(sizeof(Histogram) == sizeof(rcs_histogram) + HistogramLayout::kBuckets * sizeof(std::uint64_t));
static_assert(sizeof(Seqlock<rcs_ledger>) == sizeof(std::uint64_t) + sizeof(rcs_ledger));
static_assert(sizeof(Seqlock<rcs_health>) == sizeof(std::uint64_t) + sizeof(rcs_health));
static_assert(sizeof(std::atomic<std::uint64_t>) == sizeof(std::uint64_t));

}  // namespace ringcast
