#include "tools/bearer_token.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>
#include <utility>

#include "engine/access/token.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n";

/// A character of RFC 6750 section 2.1: what may stand behind "Bearer", and never ends the line.
bool is_token_character(char c) {
  const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return alphanumeric || std::string_view{"-._~+/="}.contains(c);
}

/// source  who said it, for the sentence.
Result<std::string, std::string> check_token(std::string token, std::string_view source) {
  if (token.empty()) return unexpected(fmt::format("{}: the token is empty", source));
  if (token.size() > kTokenBytesMax) {
    return unexpected(fmt::format("{}: the token is longer than the {} bytes that nodes take", source, kTokenBytesMax));
  }
  if (!std::ranges::all_of(token, is_token_character)) {
    return unexpected(fmt::format("{}: not a token: it has characters that none has", source));
  }
  return token;
}

Result<std::string, std::string> read_token_file(const std::string& path) {
  errno = 0;
  std::ifstream file{path, std::ios::binary};
  std::string text(kTokenBytesMax + 64, '\0');  // and the white space of whoever wrote the file
  if (file) {
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
  }
  if (!file.is_open() || file.bad()) {
    return unexpected(fmt::format("--token-file {}: cannot be read: {}", path, std::strerror(errno)));
  }
  const std::size_t begin = text.find_first_not_of(kWhiteSpace);
  const std::size_t end = text.find_last_not_of(kWhiteSpace);
  text = begin == std::string::npos ? std::string{} : text.substr(begin, end + 1 - begin);
  return check_token(std::move(text), fmt::format("--token-file {}", path));
}

}  // namespace

void add_bearer_options(CLI::App& command, BearerOptions& options) {
  // By functions: CLI11 takes an empty text for an option that was not given.
  CLI::Option* token = command
                           .add_option_function<std::string>(
                               "--token", [&options](const std::string& text) { options.token = text; },
                               "the JSON Web Token that says who you are; the list of processes shows it to others, so "
                               "rather --token-file, or the variable RINGCAST_TOKEN")
                           ->type_name("TOKEN");
  command
      .add_option_function<std::string>(
          "--token-file", [&options](const std::string& path) { options.file = path; }, "the file that holds it")
      ->type_name("FILE")
      ->excludes(token);
}

Result<std::string, std::string> read_token(const BearerOptions& options) {
  if (options.token) return check_token(*options.token, "--token");
  if (options.file) return read_token_file(*options.file);
  const char* variable = std::getenv(kTokenVariable);
  if (variable == nullptr || *variable == '\0') return std::string{};
  return check_token(variable, kTokenVariable);
}

Result<Endpoint, std::string> with_token(Endpoint endpoint, const BearerOptions& options) {
  auto token = read_token(options);
  if (!token) return unexpected(std::move(token.error()));
  endpoint.token = std::move(*token);
  return endpoint;
}

}  // namespace ringcast
