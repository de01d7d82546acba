#include "topic/place.hpp"

#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "base/text.hpp"

namespace signalbox::topic {

namespace {

constexpr std::string_view arena_suffix = ".frames-";

bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.';
}

Error bad_name(std::string_view what, std::string_view name, std::string why) {
  return {
      Errc::bad_name,
      0,
      {},
      "cannot use " + std::string(what) + " name \"" + shown(name) + "\": " + std::move(why) +
          " Names are 1 to 128 letters, digits, '_', '-' and '.'; that of a topic may have several "
          "such parts joined by '/', of 128 bytes all together."};
}

std::string printable(char c) {
  char text[16];
  const auto byte = static_cast<unsigned char>(c);
  std::snprintf(text, sizeof(text), byte >= 0x20 && byte < 0x7f ? "'%c'" : "0x%02x", byte);
  return text;
}

Result<void> check_name(std::string_view what, std::string_view name, bool parts_allowed) {
  if (name.empty()) return std::unexpected(bad_name(what, name, "it is empty."));
  if (name.size() > name_bytes_max) {
    return std::unexpected(
        bad_name(what, cut_to(name, 40), "it has " + std::to_string(name.size()) + " bytes."));
  }
  std::size_t part_start = 0;
  for (std::size_t i = 0; i <= name.size(); ++i) {
    if (i == name.size() || (name[i] == '/' && parts_allowed)) {
      const std::string_view part = name.substr(part_start, i - part_start);
      if (part.empty() || part == "." || part == "..") {
        return std::unexpected(bad_name(what, name,
                                        "the part \"" + std::string(part) + "\" before column " +
                                            std::to_string(i + 1) + " is not a name."));
      }
      part_start = i + 1;
    } else if (!is_name_character(name[i])) {
      return std::unexpected(bad_name(what, name,
                                      "column " + std::to_string(i + 1) + " holds " +
                                          printable(name[i]) + ", which is not allowed."));
    }
  }
  return {};
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

Result<Place> locate(std::string_view topic, std::string_view domain) {
  if (auto ok = check_name("topic", topic, true); !ok)
    return std::unexpected(std::move(ok.error()));
  std::string chosen(domain);
  if (chosen.empty()) chosen = environment("SIGNALBOX_DOMAIN");
  if (chosen.empty()) chosen = "default";
  if (auto ok = check_name("domain", chosen, false); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  Place place;
  place.root = environment("SIGNALBOX_DIR");
  place.root_is_ours = place.root.empty();
  if (place.root_is_ours) place.root = "/dev/shm/signalbox-" + std::to_string(::geteuid());
  if (place.root.front() != '/') {
    return std::unexpected(Error{Errc::bad_argument,
                                 0,
                                 {},
                                 "cannot use SIGNALBOX_DIR=" + place.root +
                                     ": it must be an absolute path of a tmpfs directory."});
  }
  place.domain_path = place.root + "/" + chosen;
  std::string directory(topic);
  for (char& c : directory) {
    if (c == '/') c = '+';
  }
  place.topic_path = place.domain_path + "/" + directory;
  place.name = topic;
  return place;
}

std::string file_name(Role role, std::uint64_t incarnation) {
  char text[32];
  std::snprintf(text, sizeof(text), "%s-%016llx", role == Role::publisher ? "pub" : "sub",
                static_cast<unsigned long long>(incarnation));
  return text;
}

std::string fifo_name(const std::string& subscriber_file) { return subscriber_file + ".fifo"; }

std::string arena_name(const std::string& publisher_file, std::uint32_t number) {
  return publisher_file + std::string(arena_suffix) + std::to_string(number);
}

bool is_arena_name(std::string_view file) noexcept {
  const std::size_t dot = file.find('.');
  return dot != file.npos && file.substr(dot).starts_with(arena_suffix);
}

std::optional<Participant> participant_of(const std::string& file) {
  if (file.size() != 20 || (file.rfind("pub-", 0) != 0 && file.rfind("sub-", 0) != 0)) return {};
  std::uint64_t incarnation = 0;
  const auto parsed = std::from_chars(file.data() + 4, file.data() + 20, incarnation, 16);
  if (parsed.ec != std::errc{} || parsed.ptr != file.data() + 20) return {};
  return Participant{file[0] == 'p' ? Role::publisher : Role::subscriber, incarnation, file};
}

}  // namespace signalbox::topic
