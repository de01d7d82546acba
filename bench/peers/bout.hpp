// bout.hpp: one peer against us on one work, in processes that cannot take the bench with them.
#pragma once

#include "bench/peers/comparison.hpp"
#include "bench/peers/link.hpp"

namespace bench {

// Never throws and never hangs: a peer that fails or stalls is a row with the reason.
Comparison fight(const Peer& peer, Work work, std::size_t windows);
// The same for the instructions of one publish to idle subscribers, stepped through.
Comparison count(const Peer& peer, Work work);

}  // namespace bench
