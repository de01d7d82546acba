#include "os/spawn_plan.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"
#include "os/failure.hpp"

namespace signalbox::os {

namespace {

Error bad(const std::string& text) { return {Errc::bad_argument, 0, {}, "cannot start " + text}; }

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

Result<void> refuse_cut(std::span<const std::string> argv, const SpawnOptions& options) {
  const auto refuse = [&](const std::string& text) -> Result<void> {
    if (!holds_zero(text)) return {};
    return std::unexpected(
        zero_inside(Errc::bad_argument, "start " + shown(argv[0]) + " with", text));
  };
  Result<void> all = refuse(options.working_directory);
  for (const std::string& word : argv) all = all ? refuse(word) : all;
  if (!options.environment) return all;
  for (const std::string& word : *options.environment) all = all ? refuse(word) : all;
  return all;
}

// Where execvp(3) would look.
std::vector<std::string> places_of(const std::string& program) {
  if (program.find('/') != std::string::npos) return {program};
  const char* const path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/bin:/usr/bin" : path;
  std::vector<std::string> places;
  for (bool is_last = false; !is_last;) {
    const std::size_t colon = rest.find(':');
    is_last = colon == std::string_view::npos;
    const std::string_view directory = rest.substr(0, colon);
    places.push_back(std::string(directory.empty() ? "." : directory) + "/" + program);
    if (!is_last) rest.remove_prefix(colon + 1);
  }
  return places;
}

}  // namespace

Result<void> SpawnPlan::add_null(int number) {
  Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.is_open()) return std::unexpected(failure(errno, "open", "open /dev/null for a child"));
  places.push_back({null.get(), number});
  owned.push_back(std::move(null));
  return {};
}

Result<void> SpawnPlan::add(int number, ChildStream stream) {
  using Kind = ChildStream::Kind;
  const std::string tried = words[0] + ": its descriptor " + std::to_string(number);
  if (number < 0) return std::unexpected(bad(tried + " is below 0."));
  if (stream.kind_ == Kind::null) return add_null(number);
  const int source = stream.kind_ == Kind::inherit ? number : stream.fd_;
  const bool is_open = source >= 0 && ::fcntl(source, F_GETFD) >= 0;
  if (!is_open && stream.kind_ == Kind::inherit) return add_null(number);
  if (!is_open) {
    return std::unexpected(
        bad(tried + " shall be our " + std::to_string(source) + ", which is not open."));
  }
  if (stream.kind_ == Kind::give) {
    const int flags = ::fcntl(source, F_GETFL);
    if (flags < 0 || ::fcntl(source, F_SETFL, flags & ~O_NONBLOCK) != 0) {
      return std::unexpected(failure(errno, "fcntl", "make a descriptor of a child blocking"));
    }
    owned.push_back(std::move(stream.owned_));
  }
  places.push_back({source, number});
  return {};
}

Result<SpawnPlan> SpawnPlan::make(std::span<const std::string> argv, SpawnOptions options) {
  if (argv.empty() || argv[0].empty()) return std::unexpected(bad("a child: it has no name."));
  if (auto cut = refuse_cut(argv, options); !cut) return std::unexpected(std::move(cut.error()));
  SpawnPlan plan;
  plan.words.assign(argv.begin(), argv.end());
  plan.programs = places_of(argv[0]);
  plan.word_pointers = pointers_to(plan.words);
  plan.environment_of_child = environ;
  if (options.environment) {
    plan.environment = std::move(*options.environment);
    plan.environment_pointers = pointers_to(plan.environment);
    plan.environment_of_child = plan.environment_pointers.data();
  }
  std::vector<GivenDescriptor> given = std::move(options.descriptors);
  given.push_back({0, std::move(options.input)});
  given.push_back({1, std::move(options.output)});
  given.push_back({2, std::move(options.errors)});
  for (GivenDescriptor& one : given) {
    if (auto added = plan.add(one.number, std::move(one.stream)); !added) {
      return std::unexpected(std::move(added.error()));
    }
  }
  std::ranges::sort(plan.places, {}, &Place::number);
  const auto twice = std::ranges::adjacent_find(plan.places, {}, &Place::number);
  if (twice != plan.places.end()) {
    return std::unexpected(
        bad(plan.words[0] + ": descriptor " + std::to_string(twice->number) + " is given twice."));
  }
  plan.working_directory = std::move(options.working_directory);
  plan.group = options.group;
  plan.death_signal = options.death_signal;
  plan.keeps_signals = options.keeps_signals;
  plan.parent = ::getpid();
  return plan;
}

}  // namespace signalbox::os
