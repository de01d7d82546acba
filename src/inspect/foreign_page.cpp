#include "inspect/foreign_page.hpp"

#include <algorithm>
#include <span>

namespace signalbox::inspect {

Result<ForeignPage> ForeignPage::open(const os::Fd& directory, const std::string& name,
                                      const std::string& path, topic::SegmentKind kind) {
  ForeignPage page;
  auto file = os::open_file(directory, name, os::Access::read);
  if (!file) return std::unexpected(std::move(file.error()));
  page.file_ = std::move(*file);
  const auto facts = os::facts_of(page.file_);
  if (!facts) return std::unexpected(facts.error());
  page.file_bytes_ = facts->bytes;
  page.copy_.resize(topic::page_bytes_of(kind));
  if (auto got = os::read_at(page.file_, 0, page.copy_); !got) {
    // Whatever else may bear the name: a pipe, a directory, a file that is too short.
    return std::unexpected(Error{Errc::damaged, got.error().sys_errno, got.error().call,
                                 "cannot use " + path +
                                     ": it is no segment of a topic. It was "
                                     "left as it is; remove it by hand if no program needs it."});
  }
  page.header_ = page.field<topic::SegmentHeader>(0);
  if (auto ok =
          topic::check_header(page.header_, path, kind,
                              static_cast<std::uint32_t>(page.copy_.size()), page.file_bytes_);
      !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  return page;
}

Result<ForeignPage> ForeignPage::of_memory(os::Fd memory, const std::string& path,
                                           topic::SegmentKind kind, std::uint64_t incarnation,
                                           os::Seals seal) {
  ForeignPage page;
  page.file_ = std::move(memory);
  page.copy_.resize(topic::page_bytes_of(kind));
  const auto bytes = static_cast<std::uint32_t>(page.copy_.size());
  if (auto ok = topic::check_memory_segment(page.file_, path, kind, incarnation, bytes, seal);
      !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  const auto facts = os::facts_of(page.file_);
  if (!facts) return std::unexpected(facts.error());
  page.file_bytes_ = facts->bytes;
  if (auto got = os::read_at(page.file_, 0, page.copy_); !got) {
    return std::unexpected(std::move(got.error()));
  }
  page.header_ = page.field<topic::SegmentHeader>(0);
  return page;
}

std::string ForeignPage::program() const {
  return printable({header_.program, strnlen(header_.program, sizeof(header_.program))});
}

std::string printable(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

bool says_closed(const os::Fd& file, topic::Role role) noexcept {
  const std::size_t offset = role == topic::Role::publisher
                                 ? offsetof(topic::PublisherPage, stage)
                                 : offsetof(topic::SubscriberPage, stage);
  topic::Stage stage{};
  const auto got = os::read_at(file, offset, std::as_writable_bytes(std::span(&stage, 1)));
  return got && stage == topic::Stage::closed;
}

std::string topic_of_directory(std::string name) {
  std::ranges::replace(name, '+', '/');
  return name;
}

}  // namespace signalbox::inspect
