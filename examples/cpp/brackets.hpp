// Brackets on the terminal, and every chance for another process to write its own between them.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>

#include "signalbox/os/semaphore_set.hpp"

class Brackets {
 public:
  // Each bracket goes to the terminal at once.
  Brackets() { std::setvbuf(stdout, nullptr, _IONBF, 0); }
  ~Brackets() { static_cast<void>(inside_.remove()); }
  Brackets(const Brackets&) = delete;
  Brackets& operator=(const Brackets&) = delete;

  void write(char opening, char closing) {
    using signalbox::os::give, signalbox::os::take;
    std::putchar(opening);
    inside_.apply({give(0)}, signalbox::Deadline::never()).value();
    // Waits until two processes are between their brackets, which changes no count; or for 2 ms,
    // where whoever keeps them apart does not let another in.
    static_cast<void>(inside_.apply({take(0, 2), give(0, 2)},
                                    signalbox::Deadline::after(std::chrono::milliseconds(2))));
    inside_.apply({take(0)}, signalbox::Deadline::never()).value();
    std::putchar(closing);
  }

 private:
  static constexpr std::uint16_t nobody[] = {0};
  signalbox::os::SemaphoreSet inside_ =
      signalbox::os::SemaphoreSet::create(signalbox::os::SysvKey::private_key(), nobody).value();
};
