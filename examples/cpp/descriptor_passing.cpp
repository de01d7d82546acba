// A file that one process may open and another may not: the first opens it and passes the
// descriptor over a Unix socket. The kernel asks for permission when a file is opened, not later.
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "forked.hpp"
#include "signalbox/os/mapped_file.hpp"
#include "signalbox/os/unix_socket.hpp"

namespace os = signalbox::os;
using signalbox::Deadline;

constexpr const char* path = "secret.txt";

void receive_and_read(os::UnixSeqpacket& socket) {
  if (geteuid() == 0 && setuid(65534) != 0) return std::perror("setuid");  // root may open anything
  std::byte room[16];
  std::vector<os::Fd> descriptors;
  socket.receive(room, Deadline::never(), os::OnSignal::go_on, &descriptors).value();

  const auto opened = os::MappedFile::open(path, {});
  std::puts(opened ? "it may open the file" : opened.error().text.c_str());
  const auto file = os::Mapping::map_all(descriptors.at(0), {}).value();
  std::printf("received: %.*s\n", static_cast<int>(file.size()), file.at<const char>(0));
}

int main() {
  auto [ours, theirs] = os::UnixSeqpacket::pair().value();
  os::Child receiver[] = {start([&] { receive_and_read(theirs); })};  // the file is not open yet

  constexpr std::string_view text = "the secret is out";
  // Mode 0: nobody may open it, and who has made it has it open.
  const auto file = os::MappedFile::create(path, text.size(), 0, {}).value();
  std::memcpy(file.mapping().data(), text.data(), text.size());
  const std::byte note{'f'};  // a descriptor travels with at least one byte
  const int descriptors[] = {file.fd().get()};
  ours.send(std::span(&note, 1), Deadline::never(), os::OnSignal::go_on, descriptors).value();

  const bool is_well = all_ended_well(receiver);
  std::remove(path);
  return is_well ? 0 : 1;
}
