#include "codec/text/timestamp.hpp"

namespace ringcast {
namespace {

std::uint8_t* write_digits(std::uint64_t number, std::size_t digits, std::uint8_t* out) {
  for (std::size_t i = digits; i > 0; --i) {
    out[i - 1] = static_cast<std::uint8_t>('0' + number % 10);
    number /= 10;
  }
  return out + digits;
}

}  // namespace

std::uint8_t* write_timestamp(WallTime time, std::uint8_t* out) {
  // In microseconds: taking the day from the earliest nanoseconds there are would overflow.
  const auto since_epoch = std::chrono::floor<microseconds>(time.time_since_epoch());
  const auto day = std::chrono::floor<std::chrono::days>(since_epoch);
  const std::chrono::year_month_day date{std::chrono::sys_days{day}};
  const auto micros = static_cast<std::uint64_t>((since_epoch - microseconds{day}).count());
  const std::uint64_t second = micros / 1'000'000;

  out = write_digits(static_cast<std::uint64_t>(static_cast<int>(date.year())), 4, out);
  *out++ = '-';
  out = write_digits(static_cast<unsigned>(date.month()), 2, out);
  *out++ = '-';
  out = write_digits(static_cast<unsigned>(date.day()), 2, out);
  *out++ = 'T';
  out = write_digits(second / 3'600, 2, out);
  *out++ = ':';
  out = write_digits(second / 60 % 60, 2, out);
  *out++ = ':';
  out = write_digits(second % 60, 2, out);
  *out++ = '.';
  out = write_digits(micros % 1'000'000, 6, out);
  *out++ = 'Z';
  return out;
}

void append_timestamp(std::string& out, WallTime time) {
  std::uint8_t text[kTimestampBytes];
  (void)write_timestamp(time, text);
  out.append(reinterpret_cast<const char*>(text), kTimestampBytes);
}

}  // namespace ringcast
