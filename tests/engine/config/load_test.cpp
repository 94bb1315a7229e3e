#include "engine/config/load.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/channel/namespace_rules.hpp"
#include "engine/config/schema.hpp"
#include "tests/doubles/temporary_file.hpp"

namespace ringcast {
namespace {

Result<Configuration, std::vector<ConfigProblem>> load_text(std::string_view text) {
  const TemporaryFile file{text};
  return load_configuration({.file = file.path(), .environment = {}, .flags = {}});
}
/// The problems, with the path of the temporary file written FILE, one a line.
std::string problems_of(std::string_view text) {
  const TemporaryFile file{text};
  const auto loaded = load_configuration({.file = file.path(), .environment = {}, .flags = {}});
  if (loaded) return "";
  std::string all;
  for (const ConfigProblem& problem : loaded.error()) {
    std::string line = text_of(problem);
    if (line.starts_with(file.path())) line.replace(0, file.path().size(), "FILE");
    all += line + '\n';
  }
  return all;
}
std::string problems_of_flags(const std::vector<Setting>& environment, const std::vector<Setting>& flags) {
  const auto loaded = load_configuration({.file = {}, .environment = environment, .flags = flags});
  std::string all;
  if (!loaded) {
    for (const ConfigProblem& problem : loaded.error()) all += text_of(problem) + '\n';
  }
  return all;
}

TEST(LoadConfiguration, WithoutAnySourceIsWhatTheContractPromises) {
  const auto loaded = load_configuration({});
  ASSERT_TRUE(loaded.has_value());
  const NodeOptions& options = loaded->options;  // protocol.md section 1
  EXPECT_EQ(options.name, "default");
  ASSERT_EQ(options.listen.size(), 1U);
  EXPECT_EQ(options.listen[0], kListenDefault);
  EXPECT_TRUE(options.listen[0].loopback);
  EXPECT_EQ(options.core.limits.message_bytes, 1U << 20);
  EXPECT_EQ(options.core.limits.connections, 10'000U);
  EXPECT_EQ(options.core.limits.subscriptions, 1'024U);
  EXPECT_EQ(options.core.limits.channels, 100'000U);
  EXPECT_EQ(options.core.limits.header_bytes, 16U << 10);
  EXPECT_EQ(options.core.limits.header_fields, 100U);
  EXPECT_EQ(options.core.limits.handshake_time, seconds{5});
  EXPECT_EQ(options.core.limits.idle_time, minutes{30});
  EXPECT_EQ(options.core.heartbeat.interval, seconds{30});
  EXPECT_EQ(options.core.heartbeat.missed_max, 2U);
  EXPECT_EQ(options.core.shutdown.deadline, seconds{10});
  EXPECT_FALSE(options.core.echo);
  const NamespaceRule& last = options.core.namespaces.back();
  EXPECT_EQ(last.match, ">");
  EXPECT_EQ(last.lag.messages, 4'096U);
  EXPECT_EQ(last.lag.bytes, 4U << 20);
  EXPECT_EQ(last.lag.time, seconds{10});
  EXPECT_EQ(last.history.messages, 1'000U);
  EXPECT_EQ(last.history.bytes, 1U << 20);
  EXPECT_EQ(last.history.age, minutes{5});
  EXPECT_EQ(last.dedupe.entries, 10'000U);
  EXPECT_EQ(last.dedupe.window, seconds{60});
}

TEST(LoadConfiguration, ReadsEveryKindOfValue) {
  const auto loaded = load_text(R"(name = "desk-1"
listen = ["127.0.0.1:0", "unix:/tmp/a.sock"]
echo = true
memory.budget = 20_000_000
[shards]
count = 2
cores = "1,3"
spin = "20us"
[limits]
message_bytes = "64KiB"
header_bytes = 4096
handshake_time = "250ms"
[access]
origins = ["https://desk.example", "http://10.0.0.7:8080"]
hosts = "feed.example"
[log]
level = "debug"
format = "json"
[[namespace]]
match = "orders.*"
history = { messages = 10, bytes = "2MiB", age = "1m" }
lag.time = "2s"
slow = "drop_oldest"
dedupe = { by = "payload", scope = "channel" }
resume = false
state = "snapshot+delta"
priority = "high"
batch_delay = "5ms"
batch_max = 50
payload = "binary"
[[namespace]]
match = "quotes.*"
slow = "conflate"
max_rate = 10
state = "last"
)");
  ASSERT_TRUE(loaded.has_value()) << text_of(loaded.error().front());
  const NodeOptions& options = loaded->options;
  EXPECT_EQ(options.name, "desk-1");
  ASSERT_EQ(options.listen.size(), 2U);
  EXPECT_EQ(options.listen[1].path, "/tmp/a.sock");
  EXPECT_TRUE(options.core.echo);
  EXPECT_EQ(options.core.memory_budget, 20'000'000U);
  EXPECT_EQ(options.shards.count, 2U);
  EXPECT_EQ(options.shards.cores, (std::vector<std::uint32_t>{1, 3}));
  EXPECT_EQ(options.shards.spin, microseconds{20});
  EXPECT_EQ(options.core.limits.message_bytes, 65'536U);
  EXPECT_EQ(options.core.limits.header_bytes, 4'096U);
  EXPECT_EQ(options.core.limits.handshake_time, milliseconds{250});
  EXPECT_EQ(options.core.access.origins.size(), 2U);
  EXPECT_EQ(options.core.access.hosts, std::vector<std::string>{"feed.example"});
  EXPECT_EQ(options.log.level, LogLevel::debug);
  EXPECT_EQ(options.log.format, LogFormat::json);
  const NamespaceRule& rule = options.core.namespaces.front();
  EXPECT_EQ(rule.match, "orders.*");
  EXPECT_EQ(rule.history.messages, 10U);
  EXPECT_EQ(rule.history.bytes, 2U << 20);
  EXPECT_EQ(rule.history.age, minutes{1});
  EXPECT_EQ(rule.lag.time, seconds{2});
  EXPECT_EQ(rule.lag.messages, LagLimits{}.messages);
  EXPECT_EQ(rule.slow, SlowPolicy::drop_oldest);
  EXPECT_EQ(rule.dedupe.by, DedupeBy::payload);
  EXPECT_EQ(rule.dedupe.scope, DedupeScope::channel);
  EXPECT_FALSE(rule.resume);
  EXPECT_EQ(rule.state, StateKeeping::snapshot_delta);
  EXPECT_EQ(rule.priority, Priority::high);
  EXPECT_EQ(rule.batch_delay, milliseconds{5});
  EXPECT_EQ(rule.batch_max, 50U);
  EXPECT_EQ(rule.max_rate, 0U);
  EXPECT_EQ(options.core.namespaces[1].max_rate, 10U);
  EXPECT_EQ(options.core.namespaces[1].state, StateKeeping::last);
  EXPECT_EQ(rule.payload, PayloadKind::binary);
  EXPECT_EQ(options.core.namespaces.back().payload, PayloadKind::json);
}

TEST(LoadConfiguration, TheLaterSourceWins) {
  const TemporaryFile file{"[limits]\nconnections = 1\nchannels = 1\nsubscriptions = 1\n"};
  const auto loaded =
      load_configuration({.file = file.path(),
                          .environment = {{"RINGCAST_LIMITS_CHANNELS", "2"}, {"RINGCAST_LIMITS_SUBSCRIPTIONS", "2"}},
                          .flags = {{"limits-subscriptions", "3"}}});
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->options.core.limits.connections, 1U);
  EXPECT_EQ(loaded->options.core.limits.channels, 2U);
  EXPECT_EQ(loaded->options.core.limits.subscriptions, 3U);
  const auto origin = [&](std::string_view key) {
    const auto row = std::ranges::find(node_keys(), key, &KeyRow<NodeOptions>::key);
    return loaded->origins[static_cast<std::size_t>(row - node_keys().begin())];
  };
  EXPECT_EQ(origin("limits.connections"), file.path() + ":2");
  EXPECT_EQ(origin("limits.channels"), "environment RINGCAST_LIMITS_CHANNELS");
  EXPECT_EQ(origin("limits.subscriptions"), "flag --limits-subscriptions");
  EXPECT_EQ(origin("limits.message_bytes"), "default");
}

struct BadRow {
  std::string_view sentence;
  std::string_view text;
  std::string_view reported;  // the whole report, or its beginning if it ends with '~'
};
const BadRow kBad[] = {
    {"an unknown key names file, line and key", "echo = true\nlisten_on = 5\n", "FILE:2: listen_on: unknown key\n"},
    {"a mistyped key is told what it may have meant", "[limits]\nconections = 5\n",
     "FILE:2: limits.conections: unknown key; did you mean limits.connections?\n"},
    {"a key in the wrong table is told the right one", "connections = 5\n",
     "FILE:1: connections: unknown key; did you mean limits.connections?\n"},
    {"an unknown table", "[limit]\nconnections = 5\n", "FILE:1: limit: unknown key~"},
    {"a number below its range", "[limits]\nconnections = 0\n",
     "FILE:2: limits.connections: 0 is out of range: 1 to 10000000\n"},
    {"a number above its range", "limits.subscriptions = 1025\n",
     "FILE:1: limits.subscriptions: 1025 is out of range: 1 to 1024\n"},
    {"a negative number", "limits.channels = -1\n", "FILE:1: limits.channels: -1 is negative\n"},
    {"a size above its range", "limits.message_bytes = \"2GiB\"\n",
     "FILE:1: limits.message_bytes: 2GiB is out of range: 125B to 1GiB\n"},
    {"a duration below its range", "limits.handshake_time = \"9ms\"\n",
     "FILE:1: limits.handshake_time: 9ms is out of range: 10ms to 1h\n"},
    {"a duration finer than it is kept", "limits.handshake_time = \"1500us15ns\"\n",
     "FILE:1: limits.handshake_time: 1500015ns is out of range~"},
    {"a duration finer than its field", "limits.handshake_time = \"20ms1us\"\n",
     "FILE:1: limits.handshake_time: '20ms1us' is finer than 1ms\n"},
    {"a unit that is none", "limits.message_bytes = \"1MB\"\n",
     "FILE:1: limits.message_bytes: '1MB': a size is written like 1500, 64KiB, 1MiB or 2GiB\n"},
    {"a duration without a unit", "limits.handshake_time = \"5\"\n",
     "FILE:1: limits.handshake_time: '5': a duration is written like 30s, 250ms, 5m or 1m30s\n"},
    {"a number where a duration belongs", "limits.handshake_time = 5\n",
     "FILE:1: limits.handshake_time: needs a duration like \"30s\", not the number 5\n"},
    {"a text where a number belongs", "limits.connections = \"5\"\n",
     "FILE:1: limits.connections: needs a whole number, not the text '5'\n"},
    {"a number where a text belongs", "name = 5\n", "FILE:1: name: needs a text, not the number 5\n"},
    {"a text where true or false belongs", "echo = \"yes\"\n",
     "FILE:1: echo: needs true or false, not the text 'yes'\n"},
    {"a fraction", "limits.connections = 1.5\n",
     "FILE:1: limits.connections: needs a whole number, not a number with a fraction\n"},
    {"a table where a value belongs", "[limits.connections]\na = 1\n",
     "FILE:1: limits.connections: needs a whole number, not a table\n"},
    {"a value where a table belongs", "limits = 5\n", "FILE:1: limits: is a table of keys\n"},
    {"a date", "name = 2026-01-01\n", "FILE:1: name: needs a text, not a date or time\n"},
    {"a list with a number in it", "access.origins = [5]\n",
     "FILE:1: access.origins: needs a text or a list of texts, not a list of other things than texts\n"},
    {"a word that is not on the list", "log.level = \"loud\"\n",
     "FILE:1: log.level: needs one of trace, debug, info, warn, error, off, not the text 'loud'\n"},
    {"an empty list of addresses", "listen = []\n", "FILE:1: listen: needs at least one address\n"},
    {"an address without a port", "\nlisten = \"127.0.0.1\"\n",
     "FILE:2: listen: '127.0.0.1' is no address and port; ~"},
    {"a key twice", "echo = true\necho = false\n", "FILE:2: ~"},
    {"a table twice", "[limits]\nchannels = 1\n[limits]\nconnections = 1\n", "FILE:3: ~"},
    {"broken TOML", "echo = true\nlimits = [\n", "FILE:~"},
    {"a value that is missing", "echo =\n", "FILE:1: ~"},
    {"a file that is empty", "", "FILE: is empty: what changes nothing says so in a comment\n"},
    {"a file of blanks", " \t\r\n\n", "FILE: is empty: what changes nothing says so in a comment\n"},
    {"a file that includes another", "include = \"other.toml\"\n",
     "FILE:1: include: unknown key: a configuration is one file, nothing is included\n"},
    {"a file that includes itself, in a list", "echo = true\nincludes = [\"ringcast.toml\"]\n",
     "FILE:2: includes: unknown key: a configuration is one file, nothing is included\n"},
    {"a namespace that includes", "[[namespace]]\nmatch = \"a\"\ninclude = \"b.toml\"\n",
     "FILE:3: namespace.include: unknown key: a configuration is one file, nothing is included\n"},
    {"a zero byte within text", std::string_view{"echo = true\nname = \"a\0b\"\n", 25},
     "FILE:2: has a zero byte: not a text\n"},
    {"the text of another system, two bytes a character",
     std::string_view{"\xff\xfe"
                      "e\0c\0h\0o\0",
                      10},
     "FILE:1: has a zero byte: not a text\n"},
    {"a character that is cut off", "name = \"a\xe2\x82\n", "FILE:~"},
    {"a character that is written too long", "name = \"\xc0\xaf\"\n", "FILE:1: ~"},
    {"bytes that are no text",
     std::string_view{"\x7f"
                      "ELF\0\0\0",
                      7},
     "FILE:1: has a zero byte: not a text\n"},
    {"bytes that are not UTF-8", "name = \"\xff\"\n", "FILE:1: ~"},
    {"an unknown key with a control character", "\"a\\u001bb\" = 1\n", "FILE:1: a\\x1bb: unknown key\n"},
    {"all problems at once", "echo = 1\nname = 2\n[limits]\nchannels = 0\n",
     "FILE:1: echo: needs true or false, not the number 1\nFILE:4: limits.channels: 0 is out of range: 1 to 100000000\n"
     "FILE:2: name: needs a text, not the number 2\n"},

    {"a feature that is not there", "[shards]\nmin = 2\n",
     "FILE:2: shards.min: not supported in this version (scaling shards at run time)\n"},
    {"a certificate without its key", "[tls]\ncertificate = \"a.pem\"\n",
     "FILE:2: tls.certificate: 1 certificates need as many keys, in the same order; there are 0\n"},
    {"fewer keys than certificates", "[tls]\ncertificate = [\"a.pem\", \"b.pem\"]\nkey = \"a.key\"\n",
     "FILE:3: tls.key: 2 certificates need as many keys, in the same order; there are 1\n"},
    {"clients with certificates, and no TLS", "tls.client_ca = \"a.pem\"\n", "FILE:1: tls.client_ca: ~"},
    {"an address twice, once plain", "listen = [\"127.0.0.1:1\", \"plain:127.0.0.1:1\"]\n",
     "FILE:1: listen: plain:127.0.0.1:1 is named twice\n"},
    {"an admin port that speaks TLS, and no certificates", "[tls]\nadmin = true\n",
     "FILE:2: tls.admin: the admin port speaks TLS with the node's certificates: set tls.certificate and tls.key\n"},
    {"an admin port that is plain", "admin = \"plain:127.0.0.1:1\"\n",
     "FILE:1: admin: plain:127.0.0.1:1: 'plain:' is for the data port; the admin port speaks TLS if tls.admin says "
     "so\n"},
    {"an admin port on the data port's address, which is plain",
     "listen = \"plain:127.0.0.1:1\"\nadmin = \"127.0.0.1:1\"\n",
     "FILE:2: admin: 127.0.0.1:1 is the data port: the admin port has one of its own\n"},
    {"an admin port that speaks TLS as a number", "tls.admin = 1\n",
     "FILE:1: tls.admin: needs true or false, not the number 1\n"},
    {"a feature that is not there, where one value says so", "memory.warning = 60\n",
     "FILE:1: memory.warning: not supported in this version (other steps of memory pressure); only 70 may be "
     "written\n"},
    {"a threshold beyond all messages", "compression.threshold = \"2GiB\"\n", "FILE:1: compression.threshold: ~"},

    {"a namespace without a pattern", "[[namespace]]\nslow = \"conflate\"\n",
     "FILE:1: namespace.match: is missing: which channels is this for?\n"},
    {"a namespace that is one table", "[namespace]\nmatch = \"a\"\n",
     "FILE:1: namespace: is written [[namespace]], once for each rule\n"},
    {"an unknown key of a namespace", "[[namespace]]\nmatch = \"a\"\nhistory.mesages = 5\n",
     "FILE:3: namespace.history.mesages: unknown key; did you mean history.messages?\n"},
    {"a pattern that is none", "[[namespace]]\nmatch = \"a>b\"\n", "FILE:2: namespace.match: 'a>b' is no pattern: ~"},
    {"an empty pattern", "[[namespace]]\nmatch = \"\"\n", "FILE:2: namespace.match: '' is no pattern: ~"},
    {"a rule that stands behind its twin", "[[namespace]]\nmatch = \"a\"\n[[namespace]]\nmatch = \"a\"\n",
     "FILE:4: namespace.match: 'a' never applies: the first match wins, and 'a' (~"},
    {"a rule behind one that takes everything", "[[namespace]]\nmatch = \">\"\n[[namespace]]\nmatch = \"a\"\n",
     "FILE:4: namespace.match: 'a' never applies: ~"},
    {"a lag that cannot hold a message", "limits.message_bytes = \"8MiB\"\n[[namespace]]\nmatch = \"a\"\n",
     "FILE:2: namespace.lag.bytes: 4MiB is less than one message of limits.message_bytes (8MiB)\n"},
    {"a history beyond the budget", "[[namespace]]\nmatch = \"a\"\nhistory.bytes = \"2GiB\"\n",
     "FILE:3: namespace.history.bytes: 2GiB is more than memory.budget (1GiB)\n"},
    {"resuming from a history that is not kept", "[[namespace]]\nmatch = \"a\"\nhistory.messages = 0\nresume = true\n",
     "FILE:4: namespace.resume: nothing can be resumed: this rule keeps no history\n"},
    {"messages to be stored, and no file for them", "[[namespace]]\nmatch = \"user:*\"\noffline = true\n",
     "FILE:3: namespace.offline: its messages are to be stored, and offline.path names no file for them\n"},
    {"messages to be acknowledged, and no file for them", "[[namespace]]\nmatch = \"a\"\noffline = true\nack = true\n",
     "FILE:4: namespace.ack: its messages are to be stored, and offline.path names no file for them\n"},
    {"stored messages that a slow reader may miss",
     "offline.path = \"s.db\"\n[[namespace]]\nmatch = \"a\"\nack = true\nslow = \"conflate\"\n",
     "FILE:5: namespace.slow: a channel whose messages are stored (ack = true) may not skip any: ~"},
    {"a store that cannot keep one message", "offline = { path = \"s.db\", bytes = \"64KiB\" }\n",
     "FILE:1: offline.bytes: 64KiB is less than one message of limits.message_bytes (1MiB)\n"},

    {"a rate where nothing may be left out", "[[namespace]]\nmatch = \"a\"\nmax_rate = 10\n",
     "FILE:3: namespace.max_rate: leaves messages out, and this rule does not: a limited rate needs slow = "
     "\"conflate\"\n"},
    {"a rate finer than it is kept", "[[namespace]]\nmatch = \"a\"\nslow = \"conflate\"\nmax_rate = 1001\n",
     "FILE:4: namespace.max_rate: 1001 is out of range: 0 to 1000\n"},
    {"a number of messages that wait, where none does", "[[namespace]]\nmatch = \"a\"\nbatch_max = 10\n",
     "FILE:3: namespace.batch_max: nothing waits: this rule has no batch_delay\n"},
    {"a delay that makes readers late", "[[namespace]]\nmatch = \"a\"\nlag.time = \"1s\"\nbatch_delay = \"501ms\"\n",
     "FILE:4: namespace.batch_delay: 501ms is more than half of lag.time (1s): readers would be late through our own "
     "waiting\n"},
    {"a state that there is not", "[[namespace]]\nmatch = \"a\"\nstate = \"snapshot\"\n",
     "FILE:3: namespace.state: needs one of none, last, snapshot+delta, not the text 'snapshot'\n"},
    {"a name that is no file name", "name = \"a/b\"\n", "FILE:1: name: 'a/b' is not a name: ~"},
    {"a name that begins with a dot", "name = \".a\"\n", "FILE:1: name: '.a' is not a name: ~"},
    {"an empty name", "name = \"\"\n", "FILE:1: name: '' is not a name: ~"},
    {"a name that is too long", "name = \"12345678901234567890123456789012345678901234567890123456789012345\"\n",
     "FILE:1: name: ~"},
    {"listening to other hosts without a word about it", "listen = [\"127.0.0.1:1\", \"0.0.0.0:1\"]\n",
     "FILE:1: listen: 0.0.0.0:1 is reachable from other hosts, and nobody has to authenticate: ~"},
    {"listening to all of IPv6", "listen = \"[::]:1\"\n", "FILE:1: listen: [::]:1 is reachable from other hosts~"},
    {"one address twice", "listen = [\"127.0.0.1:1\", \"localhost:1\"]\n",
     "FILE:1: listen: 127.0.0.1:1 is named twice\n"},
    {"more shards than cores named", "shards = { count = 3, cores = \"0-1\" }\n",
     "FILE:1: shards.count: 3 shards do not fit on the 2 cores of shards.cores\n"},
    {"a core twice", "shards.cores = \"0,0\"\n", "FILE:1: shards.cores: '0,0' names core 0 twice\n"},
    {"an origin with a path", "access.origins = [\"https://desk.example/\"]\n",
     "FILE:1: access.origins: 'https://desk.example/' is not an origin: ~"},
    {"an origin that is a pattern", "access.origins = \"*\"\n", "FILE:1: access.origins: '*' is not an origin: ~"},
    {"a host with a scheme", "access.hosts = \"http://a\"\n", "FILE:1: access.hosts: 'http://a' is not a host name: ~"},
};
TEST(LoadConfiguration, ReportsWhatIsWrongWithFileLineAndKey) {
  for (const BadRow& row : kBad) {
    const std::string got = problems_of(row.text);
    if (row.reported.ends_with('~')) {
      EXPECT_TRUE(got.starts_with(row.reported.substr(0, row.reported.size() - 1)))
          << row.sentence << "\nwanted " << row.reported << "\ngot    " << got;
    } else {
      EXPECT_EQ(got, row.reported) << row.sentence;
    }
  }
}

struct GoodRow {
  std::string_view sentence;
  std::string_view text;
};
const GoodRow kGood[] = {
    {"a file of comments changes nothing", "# nothing here\n\n"},
    {"a byte order mark is no key",
     "\xef\xbb\xbf"
     "echo = true\n"},
    {"lines may end as on other systems", "echo = true\r\n[limits]\r\nchannels = 5\r\n"},
    {"both ends of a range belong to it", "limits = { connections = 1, subscriptions = 1024 }\n"},
    {"heartbeats can be turned off", "heartbeat = { interval = \"0s\", interval_exchange = \"0s\" }\n"},
    {"listening to other hosts with a word about it", "listen = \"0.0.0.0:1\"\naccess.insecure = true\n"},
    {"a free port may be asked for twice", "listen = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\n"},
    {"an admin port in the clear, and no certificates", "tls.admin = false\nrate.publish_per_second = 0\n"},
    {"an admin port that speaks TLS, and certificates",
     "tls = { certificate = \"a.pem\", key = \"a.key\", admin = true }\n"},
    {"the steps of memory pressure are those that there are",
     "memory = { warning = 70, critical = 85, emergency = 95 }\n"},
    {"the same for namespaces",
     "[[namespace]]\nmatch = \"a\"\nstate = \"none\"\npresence = false\npayload = \"json\"\n"},
    {"a rate where messages may be left out", "[[namespace]]\nmatch = \"a\"\nslow = \"conflate\"\nmax_rate = 1000\n"},
    {"a delay of half the lag",
     "[[namespace]]\nmatch = \"a\"\nlag.time = \"1s\"\nbatch_delay = \"500ms\"\nbatch_max = 1\n"},
    {"messages to be stored, and a file for them",
     "offline.path = \"s.db\"\n[[namespace]]\nmatch = \"user:*\"\noffline = true\nack = true\n"},
    {"a file for messages that nobody wants stored", "offline.path = \"s.db\"\n"},
    {"a rule without history that says nothing of resuming", "[[namespace]]\nmatch = \"a\"\nhistory.messages = 0\n"},
    {"the server's own channels are not taken by the rule for everything",
     "[[namespace]]\nmatch = \">\"\n[[namespace]]\nmatch = \"user:*\"\n"},
};
TEST(LoadConfiguration, AcceptsWhatMakesSense) {
  for (const GoodRow& row : kGood) EXPECT_EQ(problems_of(row.text), "") << row.sentence;
}

TEST(LoadConfiguration, SaysWhyAFileCannotBeRead) {
  const auto report = [](const std::string& path) {
    const auto loaded = load_configuration({.file = path, .environment = {}, .flags = {}});
    return loaded ? std::string{} : text_of(loaded.error().front());
  };
  EXPECT_EQ(report("/nowhere/ringcast.toml"), "/nowhere/ringcast.toml: cannot be read: No such file or directory");
  EXPECT_TRUE(report("/tmp").starts_with("/tmp: cannot be read: ")) << report("/tmp");
  EXPECT_EQ(report("/dev/null"), "/dev/null: is empty: what changes nothing says so in a comment");
  EXPECT_EQ(report("/dev/zero"), "/dev/zero: is larger than 1MiB: not a configuration");  // it never ends
  const TemporaryFile file{"#"};
  const std::string link = file.path() + "-link";
  ASSERT_EQ(::symlink(link.c_str(), link.c_str()), 0);
  EXPECT_EQ(report(link), link + ": cannot be read: Too many levels of symbolic links");
  ::unlink(link.c_str());
}

TEST(LoadConfiguration, AFileLargerThanAnyConfigurationIsRefused) {
  const std::string padding(kConfigBytesMax - 1, '#');
  EXPECT_EQ(problems_of(padding + "\n"), "");
  EXPECT_EQ(problems_of(padding + "\n#"), "FILE: is larger than 1MiB: not a configuration\n");
}

TEST(LoadConfiguration, TablesNestedTooDeepAreAnErrorAndNoCrash) {
  std::string text = "a = ";
  for (int i = 0; i < 100'000; ++i) text += '[';
  EXPECT_TRUE(problems_of(text).starts_with("FILE:1: "));
}

TEST(LoadConfiguration, FlagsAndVariablesAreCheckedLikeTheFile) {
  struct Row {
    std::vector<Setting> environment, flags;
    std::string_view reported;
  };
  const Row rows[] = {
      {{{"RINGCAST_LIMITS_CONNECTIONS", "0"}},
       {},
       "environment RINGCAST_LIMITS_CONNECTIONS: limits.connections: 0 is out of range: 1 to 10000000\n"},
      {{{"RINGCAST_LIMITS_CONNECTIONS", ""}},
       {},
       "environment RINGCAST_LIMITS_CONNECTIONS: limits.connections: '' is not a whole number\n"},
      {{{"RINGCAST_LIMTS_CONNECTIONS", "5"}},
       {},
       "environment RINGCAST_LIMTS_CONNECTIONS: stands for no key; did you mean RINGCAST_LIMITS_CONNECTIONS?\n"},
      {{{"RINGCAST_TLS_KEY", "a"}},
       {},
       "environment RINGCAST_TLS_KEY: tls.key: 0 certificates need as many keys, in the same order; there are 1\n"},
      {{{"RINGCAST_TLS_ADMIN", "true"}},
       {},
       "environment RINGCAST_TLS_ADMIN: tls.admin: the admin port speaks TLS with the node's certificates: set "
       "tls.certificate and tls.key\n"},
      {{{"RINGCAST_SHARDS_MIN", "2"}},
       {},
       "environment RINGCAST_SHARDS_MIN: shards.min: not supported in this version (scaling shards at run time)\n"},
      {{{"RINGCAST_COMPRESSION_ENABLED", "false"}, {"RINGCAST_CONFIG", "a"}}, {}, ""},
      {{{"RINGCAST_URL", "b"}, {"RINGCAST_TOKEN", "c"}}, {}, ""},
      {{{"RINGCAST_ECHO", "1"}}, {}, "environment RINGCAST_ECHO: echo: needs true or false, not '1'\n"},
      {{}, {{"echo", "true"}, {"shards", "2"}, {"insecure", "true"}, {"listen", "127.0.0.1:0,[::1]:0"}}, ""},
      {{}, {{"shards", "65"}}, "flag --shards: shards.count: 65 is out of range: 0 to 64\n"},
      {{},
       {{"listen", "0.0.0.0:1"}},
       "flag --listen: listen: 0.0.0.0:1 is reachable from other hosts, and nobody has to authenticate: configure a "
       "key (auth.key_file), listen on loopback, or say --insecure (access.insecure = true)\n"},
      {{}, {{"admin", "127.0.0.1:0"}}, ""},
      {{{"RINGCAST_ADMIN", "off"}}, {}, ""},
      {{},
       {{"admin", "on"}},
       "flag --admin: admin: 'on' is no address and port; an address is written 127.0.0.1:9001, [::1]:9001, "
       "localhost:9001 or unix:/path; plain: may stand before it\n"},
      {{},
       {{"admin", "unix:/tmp/admin"}},
       "flag --admin: admin: unix:/tmp/admin is no address and port: the admin port speaks HTTP over TCP\n"},
      {{},
       {{"admin", "0.0.0.0:1"}},
       "flag --admin: admin: 0.0.0.0:1 is reachable from other hosts, and nobody has to authenticate: configure a key "
       "(auth.key_file), put the admin port on loopback, turn it off, or say --insecure (access.insecure = true)\n"},
      {{},
       {{"admin", "127.0.0.1:9001"}},
       "flag --admin: admin: 127.0.0.1:9001 is the data port: the admin port has one of its own\n"},
      {{}, {{"nonsense", "1"}}, "flag --nonsense: stands for no key\n"},
  };
  for (const Row& row : rows) EXPECT_EQ(problems_of_flags(row.environment, row.flags), row.reported);
}

TEST(LoadConfiguration, ShippedRulesStandBehindTheUsers) {
  const auto matches = [](std::string_view text) {
    std::vector<std::string> all;
    const auto loaded = load_text(text);
    for (const NamespaceRule& rule : loaded.value().options.core.namespaces) all.push_back(rule.match);
    EXPECT_EQ(loaded->namespaces.size(), all.size());
    return all;
  };
  using Matches = std::vector<std::string>;
  EXPECT_EQ(matches("#"), (Matches{"*@bookTicker", "*@trade", "*@aggTrade", "*@depth>", ">"}));
  EXPECT_EQ(matches("[[namespace]]\nmatch = \"*@trade\"\n[[namespace]]\nmatch = \"a\"\n"),
            (Matches{"*@trade", "a", "*@bookTicker", "*@aggTrade", "*@depth>", ">"}));
  EXPECT_EQ(matches("[[namespace]]\nmatch = \">\"\n"), (Matches{">"}));
}

TEST(LoadConfiguration, ShippedRulesKnowWhatTheStreamsOfAnExchangeMean) {
  const auto loaded = load_configuration({});
  ASSERT_TRUE(loaded.has_value());
  const NamespaceRules rules{loaded->options.core.namespaces};
  struct Row {
    std::string_view channel;
    SlowPolicy slow;
    StateKeeping state;
  };
  const Row rows[] = {
      {"btcusdt@bookTicker", SlowPolicy::conflate, StateKeeping::none},
      {"btcusdt@trade", SlowPolicy::disconnect, StateKeeping::none},
      {"btcusdt@aggTrade", SlowPolicy::disconnect, StateKeeping::none},
      {"btcusdt@depth", SlowPolicy::disconnect, StateKeeping::snapshot_delta},
      {"btcusdt@depth@100ms", SlowPolicy::disconnect, StateKeeping::snapshot_delta},
      {"orders", SlowPolicy::disconnect, StateKeeping::none},
  };
  for (const Row& row : rows) {
    const NamespaceRule& rule = rules.rule_of(row.channel);
    EXPECT_EQ(rule.slow, row.slow) << row.channel;
    EXPECT_EQ(rule.state, row.state) << row.channel;
    EXPECT_EQ(rule.priority, Priority::normal) << row.channel;
    EXPECT_EQ(rule.max_rate, 0U) << row.channel;
    EXPECT_EQ(rule.batch_delay, milliseconds{0}) << row.channel;
  }
}

TEST(LoadConfiguration, ShippedRulesHaveRoomForTheLargestMessage) {
  const auto loaded = load_text("limits.message_bytes = \"8MiB\"\n");
  ASSERT_TRUE(loaded.has_value());
  for (const NamespaceRule& rule : loaded->options.core.namespaces) {
    EXPECT_EQ(rule.lag.bytes, 8U << 20) << rule.match;
    EXPECT_EQ(rule.history.bytes, 8U << 20) << rule.match;
  }
}

TEST(LoadConfiguration, TheEnvironmentIsReadByItsPrefix) {
  const char* const environment[] = {"PATH=/bin", "RINGCAST_ECHO=true", "RINGCAST_NAME=a=b", "XRINGCAST_NAME=c",
                                     nullptr};
  const auto settings = environment_settings(environment);
  ASSERT_EQ(settings.size(), 2U);
  EXPECT_EQ(settings[0].name, "RINGCAST_ECHO");
  EXPECT_EQ(settings[0].text, "true");
  EXPECT_EQ(settings[1].text, "a=b");
}

}  // namespace
}  // namespace ringcast
