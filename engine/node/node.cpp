#include "engine/node/node.hpp"

#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "alloc/segment/event_ring.hpp"
#include "codec/websocket/handshake.hpp"
#include "engine/shard/shard.hpp"

namespace ringcast {

namespace {

constexpr milliseconds kStopTick{1};
constexpr std::uint64_t kDescriptorsBesideConnections = 64;  // standard streams, segment, eventfds, rings, listeners
constexpr std::uint64_t kDescriptorsOfAdmin = 72;            // its listener, and clients that are served or wait

BindAddress to_bind(const ListenAddress& address, bool tls) {
  switch (address.family) {
    case ListenAddress::Family::ipv4:
      return {.family = BindAddress::Family::ipv4,
              .host = address.host,
              .port = address.port,
              .path = {},
              .tls = tls && !address.plain};
    case ListenAddress::Family::ipv6:
      return {.family = BindAddress::Family::ipv6,
              .host = address.host,
              .port = address.port,
              .path = {},
              .tls = tls && !address.plain};
    case ListenAddress::Family::unix_path: break;
  }
  return {.family = BindAddress::Family::unix_path, .host = {}, .port = 0, .path = address.path};
}

/// From the kernel's generator: epochs and connection ids must not be guessed.
std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  ensure(::getrandom(&seed, sizeof seed, 0) == sizeof seed, "the kernel gives random bytes");
  return seed;
}

std::string joined(const std::vector<std::uint32_t>& numbers) {
  std::string text;
  for (const std::uint32_t number : numbers) text.append(text.empty() ? "" : ",").append(std::to_string(number));
  return text;
}

}  // namespace

Node::Node(const NodeOptions& options, Clock& clock, Log& log) : clock_{clock}, log_{log}, options_{options} {}

Result<std::unique_ptr<Node>, std::string> Node::start(const NodeOptions& options, Clock& clock, Log& log) {
  std::unique_ptr<Node> node{new Node{options, clock, log}};
  if (auto opened = node->open_parts(); !opened) return unexpected(std::move(opened.error()));
  if (auto opened = node->open_addresses(); !opened) return unexpected(std::move(opened.error()));
  if (auto opened = node->open_admin(); !opened) return unexpected(std::move(opened.error()));
  node->publish_findings();
  if (auto started = node->start_shards(); !started) return unexpected(std::move(started.error()));
  if (node->admin_ != nullptr) node->admin_->start();
  const Now now = clock.now();
  node->segment_->set_run_state(RCS_RUN_RUNNING);
  node->own_stats_->event(EventCode::node_started, now, node->shards(), static_cast<std::uint64_t>(::getpid()));
  node->tick();
  return node;
}

Result<void, std::string> Node::open_parts() {
  descriptors_ = raise_descriptor_limit();
  auto features = probe_ring_features();
  if (!features) return unexpected(std::move(features.error()));
  features_ = std::move(*features);
  // The digest's library sets itself up at its first use, which had better not be a client's handshake.
  const AcceptKey accept = accept_key_of("dGhlIHNhbXBsZSBub25jZQ==");
  ensure(std::string_view{accept.data(), accept.size()} == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
         "the handshake's digest is that of RFC 6455, section 1.3");
  const auto cores = usable_cores();
  auto placement = place_shards(options_.shards.count, options_.shards.cores, cores);
  if (!placement) return unexpected(std::move(placement.error()));
  placement_ = std::move(*placement);
  options_.core.shards = shards();

  given_.push_back(std::make_unique<const CoreOptions>(options_.core));

  const auto listeners = static_cast<std::uint32_t>(options_.listen.size());
  const std::uint64_t fitting =
      std::uint64_t{shard_connections_max(options_.core.limits, shards(), listeners)} * shards();
  if (fitting < options_.core.limits.connections) {
    return unexpected("limits.connections is " + std::to_string(options_.core.limits.connections) + ", but " +
                      std::to_string(shards()) + " shards can hold " + std::to_string(fitting) +
                      ": raise shards.count or lower it");
  }

  const Now now = clock_.now();
  if (options_.tls.enabled()) {
    auto tls = TlsContext::load(options_.tls, nullptr, now.mono);
    if (!tls) return unexpected(std::move(tls.error()));
    tls_ = std::move(*tls);
    tls_renew_at_ = now.mono + kTicketKeyTime;
  }
  auto segment = StatsSegment::create(options_.name, kServerVersion, shards(), now);
  if (!segment) return unexpected(std::move(segment.error().sentence));
  segment_ = std::make_unique<StatsSegment>(std::move(*segment));
  own_stats_ = std::make_unique<ShardStats>(segment_->node_block().own);

  event_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_fd_ < 0) return unexpected(std::string{"no eventfd: "} + std::strerror(errno));
  auto doorbells = DoorbellBoard::make(shards());
  if (!doorbells) return unexpected(std::move(doorbells.error()));
  doorbells_ = std::move(*doorbells);
  mesh_ = std::make_unique<Mesh>(shards(), Mesh::bulk_bytes_for(options_.core.limits.message_bytes));
  controls_ = std::make_unique<ShardControl[]>(shards());
  all_ended_ = std::make_unique<std::latch>(shards());
  if (options_.auth.has_key()) {
    auto access = AccessControl::open(options_.auth, {controls_.get(), shards()});
    if (!access) return unexpected(std::move(access.error()));
    access_ = std::move(*access);
  }
  boards_ = AccessBoards::make(options_.core, random_seed());
  if (!options_.usage_log.empty()) {
    auto usage = UsageFile::open(options_.usage_log, shards());
    if (!usage) return unexpected(std::move(usage.error()));
    usage_ = std::move(*usage);
  }

  if (auto opened = open_store(); !opened) return opened;

  std::vector<EventTail::Source> recorders{{.events = &segment_->node_block().own.events, .shard = -1}};
  WatchSetup watch{.options = options_.core,
                   .segment = *segment_,
                   .own_stats = *own_stats_,
                   .controls = controls_.get(),
                   .blocks = {},
                   .budgets = {},
                   .bridge = bridge_.get()};
  for (std::uint32_t i = 0; i < shards(); ++i) {
    budgets_.push_back(std::make_unique<Budget>(options_.core.memory_budget / shards()));
    recorders.push_back({.events = &segment_->shard_block(i).events, .shard = static_cast<std::int32_t>(i)});
    watch.blocks.push_back(&segment_->shard_block(i));
    watch.budgets.push_back(budgets_.back().get());
  }
  tail_ = std::make_unique<EventTail>(std::move(recorders));
  watch_ = std::make_unique<NodeWatch>(std::move(watch));
  return {};
}

Result<void, std::string> Node::open_store() {
  if (options_.core.offline.path.empty()) return {};
  store_lanes_ = std::make_unique<StoreLanes>(shards(), store_lane_bytes_for(options_.core.limits.message_bytes));
  auto bridge = Bridge::start(options_.core.offline, *store_lanes_, *doorbells_, clock_);
  if (!bridge) return unexpected(std::move(bridge.error()));
  bridge_ = std::move(*bridge);
  return {};
}

Result<void, std::string> Node::open_addresses() {
  listeners_.resize(shards());
  for (const ListenAddress& address : options_.listen) {
    auto listeners = open_listeners(to_bind(address, options_.tls.enabled()), shards(), {});
    if (!listeners) return unexpected(std::move(listeners.error()));
    addresses_.push_back(listeners->front().address());
    for (std::size_t i = 0; i < listeners->size(); ++i) listeners_[i].push_back(std::move((*listeners)[i]));
  }
  return {};
}

Result<void, std::string> Node::open_admin() {
  if (!options_.admin) return {};
  std::function<const Authenticator&()> authenticator;
  if (access_ != nullptr) authenticator = [this]() -> const Authenticator& { return access_->authenticator(); };
  auto admin = NodeAdmin::open({.address = *options_.admin,
                                .options = options_.core,
                                .segment_path = segment_->path(),
                                .own_stats = *own_stats_,
                                .doorbells = *doorbells_,
                                .clock = clock_,
                                .wake_fd = event_fd_,
                                .authenticator = std::move(authenticator),
                                .tls = options_.tls.admin ? tls_ : nullptr});
  if (!admin) return unexpected(std::move(admin.error()));
  admin_ = std::move(*admin);
  return {};
}

Result<void, std::string> Node::start_shards() {
  for (std::uint16_t i = 0; i < shards(); ++i) {
    threads_.emplace_back(
        [this, i, listeners = std::move(listeners_[i])]() mutable { run_shard(i, std::move(listeners)); });
  }
  // A shard says running or failed; both in a moment.
  for (std::uint32_t i = 0; i < shards(); ++i) {
    controls_[i].state.wait(ShardState::starting, std::memory_order_acquire);
    if (controls_[i].state.load(std::memory_order_acquire) == ShardState::failed) {
      return unexpected("shard " + std::to_string(i) + " cannot start: " + controls_[i].failure);
    }
    if (!controls_[i].pinned) {
      log_.write(LogSeverity::warn, clock_.now().wall, "shard_not_pinned",
                 {LogField::number("shard", i), LogField::number("core", placement_.core_of_shard[i])});
    }
  }
  return {};
}

/// The body of a shard's thread.
void Node::run_shard(std::uint16_t index, std::vector<Listener> listeners) {
  ShardControl& control = controls_[index];
  name_this_thread("shard-" + std::to_string(index));
  control.pinned = pin_this_thread(placement_.core_of_shard[index]);
  ShardSetup setup{.index = ShardIndex{index},
                   .options = *given_.front(),
                   .clock = clock_,
                   .mesh = *mesh_,
                   .doorbells = *doorbells_,
                   .control = control,
                   .block = segment_->shard_block(index),
                   .all_blocks = {},
                   .budget = *budgets_[index],
                   .features = features_,
                   .listeners = std::move(listeners),
                   .spin = placement_.shared_cores ? nanoseconds{0} : nanoseconds{options_.shards.spin},
                   .seed = random_seed(),
                   .control_event_fd = event_fd_,
                   .store = store_lanes_ != nullptr ? &store_lanes_->of(ShardIndex{index}) : nullptr,
                   .bridge = bridge_ != nullptr ? &bridge_->bell() : nullptr,
                   .boards = &boards_,
                   .usage = usage_ != nullptr ? &usage_->lane(index) : nullptr,
                   .tls = tls_,
                   .tls_handshakes_max = options_.tls.handshakes_max,
                   .admin = admin_ != nullptr ? &admin_->lane(index) : nullptr};
  for (std::uint32_t i = 0; i < shards(); ++i) setup.all_blocks.push_back(&segment_->shard_block(i));
  auto shard = Shard::make(std::move(setup));
  if (!shard) {
    control.failure = shard.error();
    control.state.store(ShardState::failed, std::memory_order_release);
    control.state.notify_all();
    all_ended_->arrive_and_wait();
    return;
  }
  (*shard)->run();
  all_ended_->arrive_and_wait();
}

void Node::publish_findings() {
  std::vector<RingFinding> findings = features_.findings;
  findings.push_back({"shards", std::to_string(shards())});
  findings.push_back({"cores", joined(placement_.core_of_shard)});
  findings.push_back({"spin", placement_.shared_cores ? "off: more shards than cores"
                                                      : std::to_string(options_.shards.spin.count()) + " us at most"});
  findings.push_back({"descriptors_max", std::to_string(descriptors_.now)});
  for (const BindAddress& address : addresses_) findings.push_back({"listen", to_text(address)});
  if (tls_ != nullptr) {
    findings.push_back({"tls", "OpenSSL " + tls_library_version()});
    findings.push_back({"tls_in_kernel", kernel_offers_tls() ? "yes, not used" : "no"});
  }
  findings.push_back({"admin", admin_ != nullptr ? to_text(admin_->address()) : "off"});

  rcs_findings published{};
  published.count = std::min<std::size_t>(findings.size(), RCS_FINDINGS);
  const WallTime now = clock_.now().wall;
  for (std::size_t i = 0; i < published.count; ++i) {
    copy_text(published.rows[i].key, findings[i].key);
    copy_text(published.rows[i].value, findings[i].value);
  }
  segment_->node_block().findings.write(published);
  for (const RingFinding& finding : findings) {
    log_.write(LogSeverity::debug, now, "found",
               {LogField::words("key", finding.key), LogField::words("value", finding.value)});
  }
  warn_of_descriptors();
}

void Node::warn_of_descriptors() {
  const std::uint64_t wanted =
      options_.core.limits.connections + kDescriptorsBesideConnections + (admin_ != nullptr ? kDescriptorsOfAdmin : 0);
  if (descriptors_.now < wanted) {
    log_.write(LogSeverity::warn, clock_.now().wall, "descriptors_short",
               {LogField::number("limit", descriptors_.now), LogField::number("wanted", wanted),
                LogField::words("text", "limits.connections cannot be reached; raise the hard limit (ulimit -Hn)")});
  }
}

std::uint32_t Node::connections() const {
  std::uint64_t open = 0;
  for (std::uint32_t i = 0; i < shards(); ++i) {
    open += segment_->shard_block(i).counters[std::to_underlying(CounterId::connections_open)].load(
        std::memory_order_relaxed);
  }
  return static_cast<std::uint32_t>(open);
}

void Node::tick() {
  const Now now = clock_.now();
  segment_->heartbeat(now);
  if (tls_ != nullptr && now.mono >= tls_renew_at_) renew_ticket_keys();
  if (admin_ != nullptr) admin_->tick();
  watch_->look(now, stopping());
  if (bridge_ != nullptr) tell_store_notes(now);
  look_at_access(now);
  write_usage(now);
  tail_->follow(log_, now.wall);
  if (given_.size() > 2 && options_settled()) given_.erase(given_.begin() + 1, given_.end() - 1);
}

void Node::tell_store_notes(Now now) {
  bridge_->tell_notes([&](const BridgeNote& note) {
    const std::string_view text{note.text.data()};
    own_stats_->event(EventCode::store_state, now, std::to_underlying(note.after), std::to_underlying(note.before),
                      text);
    log_.write(LogSeverity::warn, now.wall, "offline_store",
               {LogField::words("state", name_of(note.after)), LogField::words("before", name_of(note.before)),
                LogField::words("text", text)});
  });
}

void Node::reload_access() {
  access_reload_wanted_ = access_ != nullptr;
  if (usage_ == nullptr) return;
  if (const auto opened = usage_->reopen(); !opened) {
    log_.write(LogSeverity::error, clock_.now().wall, "usage_log_failed", {LogField::words("text", opened.error())});
  }
}

/// Once a second: whoever revokes a token wants to see it gone, and does not know how to send a signal.
void Node::look_at_access(Now now) {
  if (access_ == nullptr || now.mono - access_looked_at_ < kWatchInterval) return;
  access_looked_at_ = now.mono;
  if (!access_->settled() || !(access_reload_wanted_ || access_->changed())) return;
  access_reload_wanted_ = false;
  if (const auto loaded = access_->reload(); !loaded) {
    own_stats_->event(EventCode::access_reload_failed, now, 0, 0, "the earlier keys and revocations stay in force");
    log_.write(LogSeverity::error, now.wall, "access_reload_failed", {LogField::words("text", loaded.error())});
    return;
  }
  for (std::uint16_t i = 0; i < shards(); ++i) doorbells_->ring_event(ShardIndex{i});
  own_stats_->event(EventCode::access_reloaded, now, access_->keys(), access_->revocations());
}

/// What cannot be written is told once, and when it can be written again.
void Node::write_usage(Now now) {
  if (usage_ == nullptr) return;
  const bool failed = !usage_->write(now.mono);
  if (failed && !usage_failing_) {
    own_stats_->event(EventCode::usage_log_failed, now, static_cast<std::uint64_t>(usage_->error()), 0,
                      std::strerror(usage_->error()));
  }
  usage_failing_ = failed;
}

ReloadBounds Node::reload_bounds() const {
  const LimitOptions& first = given_.front()->limits;
  const auto listeners = static_cast<std::uint32_t>(options_.listen.size());
  const std::uint32_t room = shard_connections_room(first, shards(), listeners);  // any shard may be given them all
  ReloadBounds bounds{.connections = std::max(first.connections, room - std::min(room, kRefusalSlots)),
                      .message_bytes = Mesh::message_bytes_room(first.message_bytes),
                      .counts_addresses = boards_.connections != nullptr,
                      .counts_rates = boards_.rates != nullptr};
  if (shards() == 1) bounds.message_bytes = std::numeric_limits<std::uint64_t>::max();  // nor lanes between them
  if (store_lanes_ != nullptr) {
    bounds.message_bytes = std::min(bounds.message_bytes, store_message_bytes_room(first.message_bytes));
  }
  if (admin_ != nullptr) {
    bounds.message_bytes = std::min(bounds.message_bytes, AdminLane::message_bytes_room(first.message_bytes));
  }
  return bounds;
}

void Node::apply(const NodeOptions& options) {
  const std::uint32_t connections_before = options_.core.limits.connections;
  options_ = options;
  options_.core.shards = shards();
  given_.push_back(std::make_unique<const CoreOptions>(options_.core));
  if (admin_ != nullptr) admin_->use_access(options_.core.access);
  for (std::uint16_t i = 0; i < shards(); ++i) {
    controls_[i].options.store(given_.back().get(), std::memory_order_release);
    doorbells_->ring_event(ShardIndex{i});
  }
  if (options_.core.limits.connections > connections_before) warn_of_descriptors();
}

void Node::note_reloaded(std::uint64_t changes, std::uint64_t kept, std::string_view who) {
  own_stats_->add(CounterId::config_reloads);
  own_stats_->event(EventCode::config_reloaded, clock_.now(), changes, kept, who);
}

void Node::note_refused(std::uint64_t problems, std::string_view who) {
  own_stats_->add(CounterId::config_reloads_refused);
  own_stats_->event(EventCode::config_refused, clock_.now(), problems, 0, who);
}

bool Node::options_settled() const {
  for (std::uint32_t i = 0; i < shards(); ++i) {
    if (controls_[i].options_used.load(std::memory_order_acquire) != given_.back().get()) return false;
  }
  return true;
}

bool Node::stopping() const { return controls_[0].command.load(std::memory_order_relaxed) != ShardCommand::run; }

Result<std::function<void()>, std::string> Node::prepare_tls(const TlsOptions& options) {
  if (tls_ == nullptr || !options.enabled()) return std::function<void()>{[] {}};  // on or off takes a restart
  auto loaded = TlsContext::load(options, tls_.get(), clock_.now().mono);
  if (!loaded) return unexpected(std::move(loaded.error()));
  return std::function<void()>{[this, fresh = *std::move(loaded)] { use_tls(fresh); }};
}

void Node::use_tls(std::shared_ptr<const TlsContext> fresh) {
  const Now now = clock_.now();
  tls_ = std::move(fresh);
  tls_renew_at_ = now.mono + kTicketKeyTime;
  if (admin_ != nullptr) admin_->use_tls(tls_);
  for (std::uint32_t i = 0; i < shards(); ++i) controls_[i].hand_over(tls_);
  for (std::uint16_t i = 0; i < shards(); ++i) doorbells_->ring_event(ShardIndex{i});
  own_stats_->event(EventCode::tls_reloaded, now, options_.tls.certificates.size());
}

/// Ticket keys do not last. What is wrong with the files by then is told, and tried again when the next keys are due.
void Node::renew_ticket_keys() {
  tls_renew_at_ = clock_.now().mono + kTicketKeyTime;
  if (auto prepared = prepare_tls(options_.tls)) {
    (*prepared)();
  } else {
    log_.write(LogSeverity::error, clock_.now().wall, "tls_reload_failed", {LogField::words("text", prepared.error())});
  }
}

void Node::quiet_event() {
  std::uint64_t count = 0;
  while (::read(event_fd_, &count, sizeof count) == sizeof count) {}
}

void Node::command_all(ShardCommand command) {
  for (std::uint16_t i = 0; i < shards(); ++i) {
    controls_[i].command.store(command, std::memory_order_release);
    doorbells_->ring_event(ShardIndex{i});
  }
}

bool Node::every_shard(ShardState least) const {
  for (std::uint32_t i = 0; i < shards(); ++i) {
    if (controls_[i].state.load(std::memory_order_acquire) < least) return false;
  }
  return true;
}

void Node::begin_shutdown() {
  segment_->set_run_state(RCS_RUN_STOPPING);
  own_stats_->event(EventCode::node_stopping, clock_.now(), connections(),
                    static_cast<std::uint64_t>(options_.core.shutdown.deadline.count()));
  command_all(ShardCommand::drain);
  tick();
}

bool Node::drained() const { return every_shard(ShardState::drained); }

void Node::stop() {
  if (threads_.empty()) return;
  const std::uint32_t left = connections();
  if (admin_ != nullptr) admin_->stop();
  command_all(ShardCommand::stop);
  while (usage_ != nullptr && !every_shard(ShardState::stopped)) {  // their last records need room in the lanes
    write_usage(clock_.now());
    std::this_thread::sleep_for(kStopTick);
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  if (bridge_ != nullptr) bridge_->stop();  // after the last request
  write_usage(clock_.now());
  own_stats_->event(EventCode::node_stopped, clock_.now(), left);
  tick();
}

Node::~Node() {
  stop();
  if (event_fd_ >= 0) ::close(event_fd_);
}

}  // namespace ringcast
