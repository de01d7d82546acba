// lock_exchange.hpp: locks of ours and of others, taken and given back alone, and handed over
// between two processes.
#pragma once

#include <cstdint>
#include <memory>

#include "bench/exchange.hpp"

namespace bench {

// Alone: turns_a_round times taken and given back.
inline constexpr std::uint64_t turns_a_round = 1000;
std::unique_ptr<Exchange> glibc_mutex_alone();
std::unique_ptr<Exchange> glibc_robust_alone();
std::unique_ptr<Exchange> posix_semaphore_alone();
std::unique_ptr<Exchange> semaphore_set_alone();
std::unique_ptr<Exchange> our_mutex_alone();
std::unique_ptr<Exchange> our_semaphore_alone();

// Handed over and back: each side sleeps until the other gives.
std::unique_ptr<Exchange> futex_handed_over();
std::unique_ptr<Exchange> our_mutex_handed_over();
std::unique_ptr<Exchange> our_semaphore_handed_over();

}  // namespace bench
