#include "alloc/segment/file.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <string>

#include "tests/alloc/segment/example_segment.hpp"

namespace ringcast {
namespace {

struct ReaderCloser {
  void operator()(rcs_reader* reader) const { rcs_close(reader); }
};
using Reader = std::unique_ptr<rcs_reader, ReaderCloser>;

Reader open_reader(const std::string& path) {
  rcs_reader* reader = nullptr;
  char sentence[RCS_SENTENCE_BYTES];
  const rcs_status status = rcs_open_path(path.c_str(), &reader, sentence);
  EXPECT_EQ(status, RCS_OK) << sentence;
  return Reader{reader};
}

rcs_node node_of(const Reader& reader) {
  rcs_node node{};
  EXPECT_EQ(rcs_node_read(reader.get(), &node), RCS_OK);
  return node;
}

/// A node in a process of its own; it creates the segment, says so, and then waits to be killed.
class ForeignNode {
 public:
  ForeignNode(const ScratchDirectory& directory, const std::string& name) {
    int pipe_ends[2];
    ensure(::pipe(pipe_ends) == 0, "a pipe can be made");
    pid_ = ::fork();
    ensure(pid_ >= 0, "a process can be started");
    if (pid_ == 0) {
      SegmentFile file = create_example(directory, name);
      block_of(file, 1).counters[0] = 42;
      file.set_run_state(RCS_RUN_RUNNING);
      const char ready = 1;
      (void)!::write(pipe_ends[1], &ready, 1);
      for (;;) ::pause();
    }
    char ready = 0;
    ensure(::read(pipe_ends[0], &ready, 1) == 1, "the other node starts");
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
  }
  ~ForeignNode() { kill(); }
  ForeignNode(const ForeignNode&) = delete;
  ForeignNode& operator=(const ForeignNode&) = delete;

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  /// Killed, but nobody has waited for it yet.
  void kill_to_zombie() {
    ::kill(pid_, SIGKILL);
    siginfo_t about{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &about, WEXITED | WNOWAIT);
  }

 private:
  pid_t pid_ = -1;
};

TEST(SegmentFile, HasMode0640WhateverTheUmask) {
  for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{0777}}) {
    const ScratchDirectory directory;
    const mode_t before = ::umask(mask);
    const SegmentFile file = create_example(directory, "n");
    ::umask(before);
    struct stat about{};
    ASSERT_EQ(::stat(file.path().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777U, kSegmentMode);
  }
}

TEST(SegmentFile, IsRemovedWhenTheNodeEndsAndItsReadersAreTold) {
  const ScratchDirectory directory;
  Reader reader;
  {
    const SegmentFile file = create_example(directory, "n");
    reader = open_reader(file.path());
    EXPECT_EQ(node_of(reader).liveness, RCS_ALIVE);
    EXPECT_EQ(rcs_is_replaced(reader.get()), 0);
  }
  EXPECT_NE(::access(directory.file("n").c_str(), F_OK), 0);
  EXPECT_EQ(node_of(reader).liveness, RCS_STOPPED);
  EXPECT_EQ(rcs_is_replaced(reader.get()), 1);
}

TEST(SegmentFile, ASecondNodeOfTheNameIsRefusedAndTheFirstUndisturbed) {
  const ScratchDirectory directory;
  SegmentFile first = create_example(directory, "twin");
  block_of(first, 0).counters[0] = 7;
  const ExampleSpec example;
  const auto second = SegmentFile::create("twin", example.spec(), clock_now(), directory.path());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().kind, SegmentError::Kind::in_use);
  EXPECT_NE(second.error().sentence.find("'twin' is already running"), std::string::npos) << second.error().sentence;
  EXPECT_NE(second.error().sentence.find(std::to_string(::getpid())), std::string::npos) << second.error().sentence;
  const Reader reader = open_reader(first.path());
  EXPECT_EQ(rcs_counter_value(reader.get(), 0, 0), 7U);
  EXPECT_EQ(node_of(reader).liveness, RCS_ALIVE);
}

TEST(SegmentFile, TwoNodesOfDifferentNamesLiveSideBySide) {
  const ScratchDirectory directory;
  const SegmentFile first = create_example(directory, "a");
  const SegmentFile second = create_example(directory, "b");
  EXPECT_NE(first.path(), second.path());
}

TEST(SegmentFile, WhatAKilledNodeLeftIsReadableAndKnownToBeDead) {
  const ScratchDirectory directory;
  ForeignNode node{directory, "killed"};
  const Reader reader = open_reader(directory.file("killed"));
  EXPECT_EQ(node_of(reader).liveness, RCS_ALIVE);
  node.kill();
  EXPECT_EQ(node_of(reader).liveness, RCS_DEAD);
  const Reader later = open_reader(directory.file("killed"));
  EXPECT_EQ(node_of(later).liveness, RCS_DEAD);
  EXPECT_EQ(node_of(later).run_state, static_cast<unsigned>(RCS_RUN_RUNNING)) << "it did not stop by itself";
  EXPECT_EQ(rcs_counter_value(later.get(), 0, 1), 42U);
}

TEST(SegmentFile, AZombieIsDead) {
  const ScratchDirectory directory;
  ForeignNode node{directory, "zombie"};
  node.kill_to_zombie();
  EXPECT_EQ(node_of(open_reader(directory.file("zombie"))).liveness, RCS_DEAD);
}

TEST(SegmentFile, TheNextNodeReplacesWhatAKilledOneLeft) {
  const ScratchDirectory directory;
  {
    ForeignNode node{directory, "again"};
    node.kill();
  }
  const Reader before = open_reader(directory.file("again"));
  const SegmentFile file = create_example(directory, "again");
  const Reader after = open_reader(directory.file("again"));
  EXPECT_EQ(rcs_counter_value(after.get(), 0, 1), 0U) << "it starts from zero";
  EXPECT_EQ(node_of(after).liveness, RCS_ALIVE);
  EXPECT_EQ(rcs_counter_value(before.get(), 0, 1), 42U) << "who still reads the old one is not disturbed";
  EXPECT_EQ(rcs_is_replaced(before.get()), 1);
}

TEST(SegmentFile, ANodeThatIsRunningInAnotherProcessKeepsItsName) {
  const ScratchDirectory directory;
  const ForeignNode node{directory, "other"};
  const ExampleSpec example;
  const auto second = SegmentFile::create("other", example.spec(), clock_now(), directory.path());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().kind, SegmentError::Kind::in_use);
}

TEST(SegmentFile, ARecycledPidDoesNotMakeADeadNodeLive) {
  const ScratchDirectory directory;
  SegmentFile file = create_example(directory, "recycled");
  std::vector<char> bytes = read_whole(file.path());
  rcs_header header{};
  std::memcpy(&header, bytes.data(), sizeof header);
  ASSERT_EQ(header.pid, static_cast<std::uint64_t>(::getpid()));
  ASSERT_NE(header.pid_start_ticks, 0U);
  header.pid_start_ticks -= 1;  // as if the pid had belonged to an earlier process
  std::memcpy(bytes.data(), &header, sizeof header);
  write_whole(directory.file("copy"), bytes);
  EXPECT_EQ(node_of(open_reader(directory.file("copy"))).liveness, RCS_DEAD);
}

TEST(SegmentFile, ANodeWhoseHeartbeatIsOldIsStalled) {
  const ScratchDirectory directory;
  SegmentFile file = create_example(directory, "stalled");
  Now long_ago = clock_now();
  long_ago.mono -= nanoseconds{RCS_STALLED_AFTER_NS} + seconds{1};
  file.heartbeat(long_ago);
  const Reader reader = open_reader(file.path());
  EXPECT_EQ(node_of(reader).liveness, RCS_STALLED);
  file.heartbeat(clock_now());
  EXPECT_EQ(node_of(reader).liveness, RCS_ALIVE);
}

TEST(SegmentFile, AFileThatIsNoSegmentIsNeitherReplacedNorTouched) {
  struct Row { const char* sentence; std::string content; };
  const Row rows[] = {
      {"an empty file", ""},
      {"a text", "do not delete me"},
      {"a page of something else", std::string(4'096, 'x')},
  };
  for (const Row& row : rows) {
    const ScratchDirectory directory;
    write_whole(directory.file("mine"), {row.content.begin(), row.content.end()});
    const ExampleSpec example;
    const auto file = SegmentFile::create("mine", example.spec(), clock_now(), directory.path());
    ASSERT_FALSE(file.has_value()) << row.sentence;
    EXPECT_EQ(file.error().kind, SegmentError::Kind::foreign) << row.sentence;
    const std::vector<char> after = read_whole(directory.file("mine"));
    EXPECT_EQ(std::string(after.begin(), after.end()), row.content) << row.sentence;
  }
}

TEST(SegmentFile, ASymbolicLinkIsNotFollowed) {
  const ScratchDirectory directory;
  const SegmentFile victim = create_example(directory, "victim");
  ASSERT_EQ(::symlink(victim.path().c_str(), directory.file("link").c_str()), 0);
  const ExampleSpec example;
  EXPECT_FALSE(SegmentFile::create("link", example.spec(), clock_now(), directory.path()).has_value());
  EXPECT_EQ(::access(victim.path().c_str(), F_OK), 0);
}

TEST(SegmentFile, ADirectoryThatIsNotThereIsAnErrorWithItsName) {
  const ExampleSpec example;
  const auto file = SegmentFile::create("n", example.spec(), clock_now(), "/dev/shm/no-such-directory");
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().kind, SegmentError::Kind::system);
  EXPECT_NE(file.error().sentence.find("/dev/shm/no-such-directory"), std::string::npos);
}

struct NameRow {
  const char* sentence;
  std::string_view name;
  bool valid;
};
using namespace std::string_view_literals;
constexpr NameRow kNameRows[] = {
    {"the default", "default", true},
    {"one letter", "n", true},
    {"digits, a dot, a dash and an underscore inside", "eu-1.node_2", true},
    {"the longest", "012345678901234567890123456789012345678901234567", true},
    {"one too long", "0123456789012345678901234567890123456789012345678", false},
    {"none", "", false},
    {"a path", "a/b", false},
    {"a way out", "..", false},
    {"a hidden file", ".n", false},
    {"an option", "-n", false},
    {"a blank", "a b", false},
    {"a newline", "a\n", false},
    {"a zero inside", "a\0b"sv, false},
    {"a letter that is not ASCII", "knöten", false},
};

TEST(SegmentFile, ANameIsAPlainFileNameOrRefused) {
  for (const NameRow& row : kNameRows) {
    const ScratchDirectory directory;
    const ExampleSpec example;
    const auto file = SegmentFile::create(row.name, example.spec(), clock_now(), directory.path());
    EXPECT_EQ(file.has_value(), row.valid) << row.sentence;
    if (!file.has_value()) {
      EXPECT_EQ(file.error().kind, SegmentError::Kind::bad_name) << row.sentence;
    }
  }
}

TEST(SegmentFile, KeptFilesStayForThePostMortem) {
  const ScratchDirectory directory;
  {
    SegmentFile file = create_example(directory, "kept");
    file.keep_file();
  }
  EXPECT_EQ(::access(directory.file("kept").c_str(), F_OK), 0);
  const SegmentFile next = create_example(directory, "kept");  // and stand in nobody's way
}

}  // namespace
}  // namespace ringcast
