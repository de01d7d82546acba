#include "signalbox/os/signal_handler.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <memory>
#include <string>

#include "os/failure.hpp"
#include "os/signal_facts.hpp"

namespace signalbox::os {

namespace {

using Function = SignalHandler::Function;

// By the signal's number. Read in handlers, hence lock-free.
std::array<std::atomic<Function>, 128> functions{};
static_assert(std::atomic<Function>::is_always_lock_free);

void on_signal(int number, siginfo_t* info, void*) {
  const int kept = errno;  // of whatever was interrupted
  const Function function = functions[static_cast<std::size_t>(number)].load();
  if (function != nullptr) function(signal_from(*info));
  errno = kept;
}

int flags_of(const HandlerOptions& options) noexcept {
  int flags = SA_SIGINFO;
  if (options.restarts_calls) flags |= SA_RESTART;
  if (options.is_once) flags |= static_cast<int>(SA_RESETHAND);
  if (options.on_alternate_stack) flags |= SA_ONSTACK;
  if (options.ignores_stopped_children) flags |= SA_NOCLDSTOP;
  if (options.may_nest) flags |= SA_NODEFER;
  return flags;
}

Error refusal(int refused, int number) {
  return failure(refused, "sigaction", "handle signal " + std::to_string(number),
                 Errc::bad_argument,
                 "There is no such signal, or it cannot be handled: SIGKILL and SIGSTOP never, and "
                 "32 and 33 belong to the C library.");
}

}  // namespace

struct SignalHandler::Before {
  int number;
  struct sigaction action;
  Function function;
};

Result<SignalHandler> SignalHandler::put(int number, Function function,
                                         const HandlerOptions& options) {
  return signalbox::detail::or_out_of_memory([&]() -> Result<SignalHandler> {
    struct sigaction action{};
    ::sigemptyset(&action.sa_mask);
    for (const int blocked : options.blocked) {
      if (::sigaddset(&action.sa_mask, blocked) != 0) {
        return std::unexpected(refusal(errno, blocked));
      }
    }
    if (function == nullptr) {
      action.sa_handler = SIG_IGN;
    } else {
      action.sa_sigaction = on_signal;
      action.sa_flags = flags_of(options);
    }
    if (number <= 0 || static_cast<std::size_t>(number) >= functions.size()) {
      return std::unexpected(refusal(EINVAL, number));
    }
    auto before = std::make_unique<Before>(Before{number, {}, nullptr});
    // The function first: the handler may run before sigaction() returns.
    auto& slot = functions[static_cast<std::size_t>(number)];
    before->function = function == nullptr ? slot.load() : slot.exchange(function);
    if (::sigaction(number, &action, &before->action) != 0) {
      const int refused = errno;
      slot.store(before->function);
      return std::unexpected(refusal(refused, number));
    }
    return SignalHandler(before.release());
  });
}

Result<SignalHandler> SignalHandler::install(int number, Function function,
                                             const HandlerOptions& options) {
  if (function != nullptr) return put(number, function, options);
  return std::unexpected(
      Error{Errc::bad_argument, 0, {}, "cannot install no function: use SignalHandler::ignore()."});
}

Result<SignalHandler> SignalHandler::ignore(int number) { return put(number, nullptr, {}); }

SignalHandler::~SignalHandler() {
  const std::unique_ptr<Before> before(before_);
  if (!before) return;
  // In the opposite order of put(): whatever runs in between finds a function that fits.
  ::sigaction(before->number, &before->action, nullptr);
  functions[static_cast<std::size_t>(before->number)].store(before->function);
}

}  // namespace signalbox::os
