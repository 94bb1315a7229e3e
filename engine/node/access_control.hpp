// engine/node/access_control.hpp: reads keys and revocations from their files, again when they change, and hands them
// to the shards.
//
// Owner    node.  Thread  the control thread's. Shards read the Authenticator that they were given, and say which.
// Memory   one Authenticator; a second one until every shard goes by it.
// Failure  open(): a sentence, the node does not start. Later: the sentence is reported, and the earlier keys and
//          revocations stay in force. A file that is being written when it is read is read again when it changes.
// Not here what a token is worth (access/authenticator.hpp), whom a reload concerns (session).
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "alloc/base/result.hpp"
#include "engine/access/authenticator.hpp"
#include "engine/config/node_options.hpp"
#include "engine/shard/shard_control.hpp"

namespace ringcast {

class AccessControl {
 public:
  /// options.has_key() must hold.
  [[nodiscard]] static Result<std::unique_ptr<AccessControl>, std::string> open(const AuthOptions& options,
                                                                                std::span<ShardControl> shards);

  /// Whether one of the files is another one than was read last.
  [[nodiscard]] bool changed() const;
  /// Every shard goes by the newest keys: there may be others.
  [[nodiscard]] bool settled() const;
  /// Reads everything anew and gives it to the shards, which have to be woken. Only when settled().
  [[nodiscard]] Result<void, std::string> reload();

  [[nodiscard]] std::size_t keys() const { return current_->rules().keys.size(); }
  [[nodiscard]] std::size_t revocations() const { return current_->rules().revocations.size(); }
  /// For whoever checks tokens on the control thread: valid until the next reload().
  [[nodiscard]] const Authenticator& authenticator() const { return *current_; }

 private:
  struct Stamp {  // what tells one state of a file from another
    std::int64_t modified_ns = 0;
    std::int64_t size = -1;
    ino_t inode = 0;
    bool operator==(const Stamp&) const = default;
  };
  using Stamps = std::array<Stamp, 3>;

  AccessControl(const AuthOptions& options, std::span<ShardControl> shards) : options_{options}, shards_{shards} {}
  [[nodiscard]] Stamps stamps_now() const;
  [[nodiscard]] static Stamp stamp_of(const std::string& path);
  [[nodiscard]] Result<std::unique_ptr<const Authenticator>, std::string> read() const;

  AuthOptions options_;
  std::span<ShardControl> shards_;
  std::unique_ptr<const Authenticator> current_;
  std::unique_ptr<const Authenticator> before_;  // some shard may still go by it
  Stamps stamps_{};
};

}  // namespace ringcast
