#include "topic/introduction_server.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "os/background_thread.hpp"
#include "os/process.hpp"
#include "os/readiness.hpp"
#include "os/unix_calls.hpp"

namespace signalbox::topic {

namespace {

using Points = std::vector<std::shared_ptr<MeetingPoint>>;
constexpr auto kPatience = std::chrono::seconds(1);

// Somebody who was let in and has not said what he wants yet.
struct Caller {
  std::shared_ptr<MeetingPoint> point;
  os::LifeFd connection;
  std::uint32_t pid;
  Deadline until;
};

class Server {
 public:
  static Result<std::unique_ptr<Server>> start() {
    std::unique_ptr<Server> made(new Server);
    Server* const self = made.get();
    auto thread = os::BackgroundThread::start([self](const auto& bell) { self->run(bell); });
    if (!thread) return std::unexpected(std::move(thread.error()));
    made->thread_ = std::move(*thread);
    return made;
  }
  ~Server() {
    is_over_.store(true);
    thread_.reset();
  }

  void add(std::shared_ptr<MeetingPoint> point) {
    {
      const std::lock_guard lock(mutex_);
      points_.push_back(std::move(point));
    }
    thread_->wake();
  }
  void remove(const std::shared_ptr<MeetingPoint>& point) noexcept {
    {
      const std::lock_guard lock(mutex_);
      std::erase(points_, point);
    }
    thread_->wake();
  }
  bool has(const std::shared_ptr<MeetingPoint>& point) const noexcept {
    return std::ranges::find(points_, point) != points_.end();
  }
  bool is_idle() const noexcept { return points_.empty(); }

 private:
  Server() = default;

  void run(const os::BackgroundThread::Bell& bell) noexcept {
    while (!is_over_.load()) {
      // Out of memory: who waits for an answer asks again, or gives up at his deadline.
      const bool is_done = detail::done_unless_out_of_memory([&] {
        take_turn(bell);
        return true;
      });
      if (!is_done) callers_.clear();
    }
  }

  void take_turn(const os::BackgroundThread::Bell& bell) {
    Points points;
    {
      const std::lock_guard lock(mutex_);
      points = points_;
    }
    forget_the_slow(points);
    std::vector<os::Readable> all{{bell.fd.get()}};
    for (const auto& point : points) all.push_back({point->listener()});
    Deadline until = Deadline::never();
    for (const Caller& caller : callers_) {
      all.push_back({caller.connection.fd().get()});
      until = std::min(until, caller.until);
    }
    // Without a descriptor left to accept with, whoever waits there stays readable: look again soon
    // and do not spin.
    if (is_short_) until = std::min(until, Deadline::after(std::chrono::milliseconds(20)));
    const auto listeners = std::exchange(is_short_, false) ? std::size_t{0} : points.size();
    const auto callers = std::span(all).subspan(1 + points.size());
    if (listeners == 0 && !points.empty()) {
      for (std::size_t i = 0; i < points.size(); ++i) all[1 + i].fd = -1;
    }
    os::wait_readable(all, until);
    if (all[0].is_ready) bell.drain();
    for (std::size_t i = callers.size(); i > 0; --i) {
      if (!callers[i - 1].is_ready) continue;
      listen_to(callers_[i - 1]);
      callers_.erase(callers_.begin() + static_cast<std::ptrdiff_t>(i - 1));
    }
    for (std::size_t i = 0; i < listeners; ++i) {
      if (all[1 + i].is_ready) let_in(points[i]);
    }
  }

  // And those who came for a participant that has left.
  void forget_the_slow(const Points& points) {
    std::erase_if(callers_, [&](const Caller& caller) {
      return caller.until.passed() || std::ranges::find(points, caller.point) == points.end();
    });
  }

  void let_in(const std::shared_ptr<MeetingPoint>& point) {
    auto accepted = os::accept_from(os_listener(*point));
    if (!accepted) {
      is_short_ = is_short_ || accepted.error().code != Errc::would_block;
      return;
    }
    const auto peer = os::peer_of(*accepted);
    if (!peer) return;
    if (!admits(point->sharing(), *peer)) return reply(*accepted, Answer::stranger, {});
    if (callers_.size() >= connections_max) callers_.erase(callers_.begin());
    callers_.push_back(
        {point, os::LifeFd(std::move(*accepted)), peer->pid, Deadline::after(kPatience)});
  }
  static const os::Fd& os_listener(const MeetingPoint& point) noexcept {
    return point.own().listener.fd();
  }

  // One request, one answer; what cannot be sent at once is not sent.
  static void listen_to(const Caller& caller) {
    Request request{};
    std::vector<os::Fd> descriptors;
    auto received = os::receive_unix(caller.connection.fd(),
                                     {.room = std::as_writable_bytes(std::span(&request, 1)),
                                      .descriptors = &descriptors,
                                      .descriptors_max = introduction_descriptors_max});
    if (!received || received->bytes == 0) return;
    Answer answer = Answer::malformed;
    std::vector<int> give;
    if (received->is_whole() && received->bytes == sizeof(request) &&
        request.magic == introduction_magic) {
      answer = request.version == introduction_version
                   ? caller.point->answer(request, caller.pid, std::move(descriptors), give)
                   : Answer::other_version;
    }
    reply(caller.connection.fd(), answer, give);
  }

  static void reply(const os::Fd& connection, Answer answer, std::span<const int> give) {
    const Reply reply{.magic = introduction_magic,
                      .version = introduction_version,
                      .answer = answer,
                      .reserved = {}};
    static_cast<void>(os::send_message(connection, std::as_bytes(std::span(&reply, 1)), give));
  }

  mutable std::mutex mutex_;
  Points points_;  // guarded by mutex_, and changed only under that of State
  std::atomic<bool> is_over_{false};
  bool is_short_ = false;  // of descriptors
  std::vector<Caller> callers_;
  std::unique_ptr<os::BackgroundThread> thread_;
};

// A forked child may find the parent's mutex locked, for ever: it makes a state of its own.
struct State {
  unsigned generation = os::fork_generation();
  std::mutex mutex;
  std::unique_ptr<Server> server;
};

std::atomic<State*>& current_state() {
  static std::atomic<State*> current{nullptr};
  return current;
}

// Null: nobody has begun in this process.
State* existing_state() noexcept {
  State* const known = current_state().load();
  return known != nullptr && known->generation == os::fork_generation() ? known : nullptr;
}

State* state_of_this_process() {
  if (State* const known = existing_state()) return known;
  State* known = current_state().load();
  auto fresh = std::make_unique<State>();
  // On failure somebody was quicker, and `known` is his.
  if (current_state().compare_exchange_strong(known, fresh.get())) return fresh.release();
  return known;
}

}  // namespace

Result<void> begin_answering(std::shared_ptr<MeetingPoint> point) {
  State& state = *state_of_this_process();
  const std::lock_guard lock(state.mutex);
  if (state.server == nullptr) {
    auto server = Server::start();
    if (!server) return std::unexpected(std::move(server.error()));
    state.server = std::move(*server);
  }
  state.server->add(std::move(point));
  return {};
}

void end_answering(const std::shared_ptr<MeetingPoint>& point) noexcept {
  State* const known = existing_state();
  if (known == nullptr) return;
  State& state = *known;
  std::unique_ptr<Server> last;
  {
    const std::lock_guard lock(state.mutex);
    if (state.server == nullptr || !state.server->has(point)) return;
    state.server->remove(point);
    if (state.server->is_idle()) last = std::move(state.server);
  }
  // Its thread is waited for without the lock: another may begin meanwhile.
}

}  // namespace signalbox::topic
