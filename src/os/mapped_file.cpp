#include "signalbox/os/mapped_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.hpp"
#include "os/failure.hpp"
#include "os/file.hpp"

namespace signalbox::os {

namespace {

using signalbox::detail::or_out_of_memory;

[[gnu::cold]] Error refusal(int refused, std::string_view call, const char* verb,
                            const std::string& path) {
  std::string tried = verb + (" file " + path);
  switch (refused) {
    case EACCES:
    case EPERM:
      return failure(
          refused, call, std::move(tried), Errc::permission_denied,
          "This process is uid " + std::to_string(::geteuid()) + "; who may, is told by `ls -l`.");
    case ENOENT:
      return failure(refused, call, std::move(tried), Errc::not_found,
                     "There is no such file, or a folder on the way to it is missing.");
    case EEXIST:
      return failure(refused, call, std::move(tried), Errc::already_exists,
                     "Open it, or remove it first if nobody needs it.");
    case ENOSPC:
    case EDQUOT:
      return failure(refused, call, std::move(tried), Errc::no_space,
                     "Free space there (df -h, df -i), or ask for less.");
    default:
      return failure(refused, call, std::move(tried));
  }
}

// A mapping knows a descriptor only.
[[gnu::cold]] Error named(Error error, const std::string& path) noexcept {
  signalbox::detail::done_unless_out_of_memory([&] {
    error.text.append(" The file is ").append(path).append(".");
    return true;
  });
  return error;
}

}  // namespace

Result<MappedFile> MappedFile::not_opened(long refused, const std::string& path) noexcept {
  return or_out_of_memory([&]() -> Result<MappedFile> {
    if (holds_zero(path)) return std::unexpected(zero_inside(Errc::bad_name, "open file", path));
    return std::unexpected(refusal(static_cast<int>(-refused), "open", "open", path));
  });
}

Result<MappedFile> MappedFile::not_mapped(Fd /*file*/, long refused, std::uint64_t file_bytes,
                                          const std::string& path, MapOptions options) noexcept {
  auto why = Mapping::not_all_mapped(refused, file_bytes, options);
  return std::unexpected(named(std::move(why.error()), path));
}

Result<MappedFile> MappedFile::create(const std::string& path, std::uint64_t bytes, unsigned mode,
                                      const MapOptions& options) {
  return or_out_of_memory([&]() -> Result<MappedFile> {
    if (holds_zero(path)) {
      return std::unexpected(zero_inside(Errc::bad_name, "create file", path));
    }
    constexpr int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    Fd fd(retried([&] { return ::open(path.c_str(), flags, mode); }));
    if (!fd.is_open()) return std::unexpected(refusal(errno, "open", "create", path));
    const auto given_up = [&](Error error) {
      ::unlink(path.c_str());
      return std::unexpected(std::move(error));
    };
    if (::fchmod(fd.get(), mode) != 0) {
      return given_up(refusal(errno, "fchmod", "set the mode of", path));
    }
    if (const int refused = bytes == 0 ? 0 : reserve(fd, bytes); refused != 0) {
      const std::string verb = "reserve " + std::to_string(bytes) + " bytes for";
      return given_up(refusal(refused, "fallocate", verb.c_str(), path));
    }
    MapOptions written = options;
    written.access = Access::read_write;
    auto mapping = Mapping::map_all(fd, written);
    if (!mapping) return given_up(named(std::move(mapping.error()), path));
    return MappedFile(std::move(fd), std::move(*mapping));
  });
}

Result<void> MappedFile::resize(std::uint64_t bytes) {
  return or_out_of_memory([&]() -> Result<void> {
    const auto facts = facts_of(fd_);
    if (!facts) return std::unexpected(facts.error());
    const std::uint64_t offset = mapping_.offset_;
    if (bytes <= offset || bytes - offset > SIZE_MAX) {
      return std::unexpected(Error{Errc::bad_argument,
                                   0,
                                   {},
                                   "cannot resize a mapped file to " + std::to_string(bytes) +
                                       " bytes: its mapping begins at byte " +
                                       std::to_string(offset) + " and would not fit."});
    }
    const auto remap = [&] { return mapping_.resize(static_cast<std::size_t>(bytes - offset)); };
    // While it shrinks, the mapping goes first: no page of it is ever behind the end.
    if (bytes < facts->bytes) {
      if (auto moved = remap(); !moved) return moved;
    }
    if (const auto [refused, call] = set_size(fd_, facts->bytes, bytes); refused != 0) {
      if (refused == EBADF || (refused == EINVAL && bytes <= facts->bytes)) {
        return std::unexpected(failure(refused, call, "resize a mapped file",
                                       Errc::permission_denied,
                                       "It was opened for reading, or mapped privately."));
      }
      return std::unexpected(failure(refused, call, "resize a mapped file"));
    }
    return bytes < facts->bytes ? Result<void>{} : remap();
  });
}

Result<FileSearch> FileSearch::create(const Fd& file, std::string_view wanted, std::uint64_t from,
                                      std::size_t window_bytes) {
  return or_out_of_memory([&]() -> Result<FileSearch> {
    const std::size_t whole_pages =
        std::max(window_bytes, page_bytes()) / page_bytes() * page_bytes();
    return FileSearch(file.get(), std::string(wanted), from, whole_pages);
  });
}

// To where the search stands. False: too little of the file is left there.
Result<bool> FileSearch::move_window() {
  struct stat facts{};
  if (::fstat(file_, &facts) != 0) {
    return std::unexpected(failure(errno, "fstat", "search in a file"));
  }
  const auto end = static_cast<std::uint64_t>(facts.st_size);
  if (at_ >= end || end - at_ < wanted_.size()) return false;
  const std::uint64_t begin = at_ / page_bytes() * page_bytes();
  // What begins in a window may end behind it.
  const std::size_t reach = window_bytes_ + page_bytes() + wanted_.size();
  const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(end - begin, reach));
  Fd file(file_);
  auto moved = Mapping::map(file, bytes, {.offset = begin, .is_in_children = false});
  file.release();
  if (!moved) return std::unexpected(std::move(moved.error()));
  window_ = std::move(*moved);
  window_begin_ = begin;
  static_cast<void>(window_.advise(Advice::sequential));
  return true;
}

Result<std::optional<std::uint64_t>> FileSearch::next() {
  using Found = std::optional<std::uint64_t>;
  return or_out_of_memory([&]() -> Result<Found> {
    if (wanted_.empty()) return Found{};
    for (;;) {
      const std::uint64_t window_end = window_begin_ + window_.size();
      const bool is_inside = window_.is_mapped() && at_ >= window_begin_ && at_ < window_end &&
                             window_end - at_ >= wanted_.size();
      if (!is_inside) {
        const auto moved = move_window();
        if (!moved) return std::unexpected(moved.error());
        if (!*moved) return Found{};
      }
      const std::byte* const from = window_.data() + (at_ - window_begin_);
      const std::size_t rest = window_.size() - static_cast<std::size_t>(at_ - window_begin_);
      const void* const found = ::memmem(from, rest, wanted_.data(), wanted_.size());
      if (window_.is_lost()) {
        return std::unexpected(
            Error{Errc::damaged, 0, {}, "cannot search on: the file was shortened meanwhile."});
      }
      if (found != nullptr) {
        const std::uint64_t place =
            window_begin_ +
            static_cast<std::uint64_t>(static_cast<const std::byte*>(found) - window_.data());
        at_ = place + 1;
        return Found{place};
      }
      // All that begins here and ends in this window has been looked at.
      at_ = window_begin_ + window_.size() - wanted_.size() + 1;
    }
  });
}

}  // namespace signalbox::os
