// tests/codec/text/guarded_text.hpp: a text between two protected pages, so that a read outside of it faults.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string_view>

namespace ringcast::test {

class GuardedText {
 public:
  enum class Against { end, begin };  // which side of the text touches a protected page

  explicit GuardedText(std::string_view text, Against side = Against::end) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t inner = (text.size() + page - 1) / page * page;
    bytes_ = inner + 2 * page;
    base_ = static_cast<char*>(mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED || (inner > 0 && mprotect(base_ + page, inner, PROT_READ | PROT_WRITE) != 0)) {
      std::abort();
    }
    char* begin = side == Against::end ? base_ + page + inner - text.size() : base_ + page;
    if (!text.empty()) {
      std::memcpy(begin, text.data(), text.size());
    }
    text_ = {begin, text.size()};
  }
  GuardedText(const GuardedText&) = delete;
  GuardedText& operator=(const GuardedText&) = delete;
  ~GuardedText() { munmap(base_, bytes_); }

  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  char* base_;
  std::size_t bytes_;
  std::string_view text_;
};

}  // namespace ringcast::test
