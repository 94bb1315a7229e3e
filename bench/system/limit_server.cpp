// bench/system/limit_server.cpp: prepared frames to N sockets with a bare loop: what the kernel costs, and no more. Or,
// with --seal, what sealing TLS records costs, without any socket.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <fstream>
#include <memory>

#include "bench/system/limit/audience.hpp"
#include "bench/system/limit/options.hpp"
#include "bench/system/limit/sealing.hpp"
#include "bench/system/limit/send_path.hpp"
#include "bench/system/limit/sender.hpp"
#include "tools/subcommand.hpp"
#include "tools/terminal.hpp"

namespace ringcast {
namespace {

constexpr seconds kDepartureTime{10};

void add_options(CLI::App& app, LimitOptions& options, SealOptions& seal, std::string& send, std::string& wait) {
  app.add_option("--port", options.port, "of 127.0.0.1")->capture_default_str();
  app.add_option("--connections", options.connections, "readers to wait for")->capture_default_str();
  app.add_option("--channels", options.channels, "that they are spread over")->capture_default_str();
  app.add_option("--rate", options.rate, "messages a second over all channels; 0: as fast as it can")
      ->capture_default_str();
  app.add_option("--burst", options.burst, "messages that are due at the same instant")->capture_default_str();
  app.add_option("--batch", options.batch, "frames a send; 0: whatever is due; default: --burst");
  app.add_option("--payload", options.payload, "bytes of JSON a message")->capture_default_str();
  app.add_option("--seconds", options.seconds, "for how long")->capture_default_str();
  app.add_option("--start-after", options.start_after_ms, "ms from the last reader to the first message")
      ->capture_default_str();
  app.add_option("--send", send, "how bytes are handed to the kernel")
      ->check(CLI::IsMember({"io_uring", "send"}))
      ->capture_default_str();
  app.add_option("--wait", wait, "what it does until the next message is due")
      ->check(CLI::IsMember({"sleep", "spin"}))
      ->capture_default_str();
  app.add_option("--json", options.json, "write the results to this file too")->type_name("FILE");
  app.add_option("--seal", seal.cipher, "send nothing: seal records with this cipher, a key for each of --connections")
      ->type_name("CIPHER");
  app.add_option("--seal-bytes", seal.bytes, "of a record's content")->capture_default_str();
}

int fail(const std::string& sentence) {
  fmt::print(stderr, "limit_server: {}\n", sentence);
  return kExitFailure;
}

/// Prints the results, and keeps them in the file that was named.
int tell(const std::string& json, const std::string& path) {
  fmt::print("{}", json);
  if (path.empty()) return kExitSuccess;
  std::ofstream file{path, std::ios::trunc};
  file << json;
  file.close();
  return file.fail() ? fail(path + " cannot be written") : kExitSuccess;
}

int seal_only(const SealOptions& options, const std::string& path) {
  const auto result = measure_sealing(options);
  if (!result) {
    fmt::print(stderr, "limit_server: {}\n", result.error());
    return kExitUsage;
  }
  return tell(to_json(options, *result), path);
}

int serve(const LimitOptions& options) {
  prctl(PR_SET_TIMERSLACK, 1);
  const StopSignals stop;
  std::unique_ptr<SendPath> path = plain_send_path();
  if (options.io_uring) {
    auto ring = io_uring_send_path();
    if (!ring) return fail(ring.error());
    path = std::move(*ring);
  }
  auto readers = gather(options, stop.fd());
  if (!readers) return fail(readers.error());
  Sender sender{options, *readers, *path};
  const Instant start = monotonic_now() + milliseconds{options.start_after_ms};
  for (const Reader& reader : *readers) {
    if (!say(reader, fmt::format("start {}", start.time_since_epoch().count()))) return fail("a reader left");
  }
  const LimitResult result = sender.run(start);
  for (const Reader& reader : *readers) (void)say(reader, fmt::format("end {}", sender.messages(reader.channel)));
  await_departure(*readers, monotonic_now() + kDepartureTime);
  if (tell(to_json(options, result), options.json) != kExitSuccess) return kExitFailure;
  return result.lost_readers == 0 && !StopSignals::requested() ? kExitSuccess : kExitFailure;
}

int run(int argc, char** argv) {
  CLI::App app{"prepared frames to N sockets with a bare loop: what the kernel costs", "limit_server"};
  LimitOptions options;
  SealOptions seal{.cipher = {}, .bytes = 140, .readers = 0, .seconds = 0};
  std::string send = "io_uring", wait = "sleep";
  add_options(app, options, seal, send, wait);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitSuccess : kExitUsage;
  }
  if (!seal.cipher.empty()) {
    seal.readers = options.connections;
    seal.seconds = options.seconds;
    return seal_only(seal, options.json);
  }
  options.io_uring = send == "io_uring";
  options.spin = wait == "spin";
  if (const auto fault = check(options)) {
    fmt::print(stderr, "limit_server: {}\n", *fault);
    return kExitUsage;
  }
  return serve(options);
}

}  // namespace
}  // namespace ringcast

int main(int argc, char** argv) { return ringcast::run(argc, argv); }
