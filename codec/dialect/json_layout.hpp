// codec/dialect/json_layout.hpp: one description of a JSON text gives both its exact size and its bytes.
//
// A layout is a generic function that puts pieces into a sink; run with LayoutSize it counts them, with LayoutWriter it
// writes them. Size and bytes cannot come to differ, because there is only one description.
//
// Thread  any.  Memory  the caller's.  Failure  none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "alloc/base/ensure.hpp"
#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "codec/text/json_write.hpp"
#include "codec/text/numbers.hpp"
#include "codec/text/timestamp.hpp"

namespace ringcast {

class LayoutSize {
 public:
  void text(std::string_view text) { bytes_ += text.size(); }
  void escaped(std::string_view text) { bytes_ += escaped_size(text); }
  void decimal(std::uint64_t number) { bytes_ += decimal_size(number); }
  void epoch(Epoch) { bytes_ += kEpochBytes; }
  void timestamp(WallTime) { bytes_ += kTimestampBytes; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

class LayoutWriter {
 public:
  explicit LayoutWriter(std::uint8_t* out) : out_{out} {}
  void text(std::string_view text) { out_ = write_text(text, out_); }
  void escaped(std::string_view text) { out_ = write_escaped(text, out_); }
  void decimal(std::uint64_t number) { out_ = write_decimal(number, out_); }
  void epoch(Epoch epoch) { out_ = write_epoch(epoch, out_); }
  void timestamp(WallTime time) { out_ = write_timestamp(time, out_); }
  [[nodiscard]] std::uint8_t* end() const { return out_; }

 private:
  std::uint8_t* out_;
};

template <class Layout>
[[nodiscard]] std::size_t layout_size(const Layout& layout) {
  LayoutSize size;
  layout(size);
  return size.bytes();
}
template <class Layout>
[[nodiscard]] std::uint8_t* write_layout(const Layout& layout, std::uint8_t* out) {
  LayoutWriter writer{out};
  layout(writer);
  return writer.end();
}
template <class Layout>
void append_layout(std::string& out, const Layout& layout) {
  const std::size_t before = out.size();
  out.resize(before + layout_size(layout));
  auto* begin = reinterpret_cast<std::uint8_t*>(out.data());
  ensure(write_layout(layout, begin + before) == begin + out.size(), "a layout writes what it announced");
}

}  // namespace ringcast
