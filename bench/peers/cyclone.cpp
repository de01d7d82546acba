// Cyclone DDS: readers and writers that find each other. Where both are on one machine and what
// they ask for allows it, its data goes through iceoryx and its daemon; else through a UDP socket.
#include <dds/dds.h>
#include <dds/ddsc/dds_loan_api.h>
#include <dds_messages.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "bench/payload.hpp"
#include "bench/peers/link.hpp"

namespace bench {

namespace {

dds_entity_t must(dds_entity_t entity) {
  if (entity < 0) throw std::runtime_error(dds_strretcode(entity));
  return entity;
}

// One participant a process. It looks for others on this machine only.
dds_entity_t participant(bool shared_memory) {
  static const dds_entity_t one = [&] {
    std::string text =
        "<General><Interfaces><NetworkInterface name=\"lo\"/></Interfaces>"
        "<AllowMulticast>false</AllowMulticast><MaxMessageSize>65500B</MaxMessageSize></General>"
        "<Discovery><ParticipantIndex>auto</ParticipantIndex>"
        "<Peers><Peer address=\"127.0.0.1\"/></Peers></Discovery>";
    if (shared_memory) {
      text += "<SharedMemory><Enable>true</Enable><LogLevel>error</LogLevel></SharedMemory>";
    }
    must(dds_create_domain(0, ("<Domain>" + text + "</Domain>").c_str()));
    return must(dds_create_participant(0, nullptr, nullptr));
  }();
  return one;
}

class CycloneLink final : public Link {
 public:
  explicit CycloneLink(const LinkPlan& plan) : plan_(plan) {}
  void open_sender() override {
    dds_qos_t* const wishes = wishes_for();
    writer_ = must(dds_create_writer(participant(shared()), topic(), wishes, nullptr));
    dds_delete_qos(wishes);
    expect_shared(writer_);
  }
  void open_receiver() override {
    dds_qos_t* const wishes = wishes_for();
    reader_ = must(dds_create_reader(participant(shared()), topic(), wishes, nullptr));
    dds_delete_qos(wishes);
    expect_shared(reader_);
    const dds_entity_t arrived = must(dds_create_readcondition(reader_, DDS_ANY_STATE));
    waiting_ = must(dds_create_waitset(participant(shared())));
    must(dds_waitset_attach(waiting_, arrived, 0));
  }
  void await_receiver() override {
    dds_publication_matched_status_t matched{};
    while (matched.current_count == 0) {
      must(dds_get_publication_matched_status(writer_, &matched));
      dds_sleepfor(DDS_MSECS(1));
    }
  }
  void send(std::uint64_t round) override {
    if (plan_.frame()) return send_picture(round);
    bench_dds_Message message;
    const Payload payload = payload_of(round);
    static_assert(sizeof(message) == sizeof(payload));
    std::memcpy(&message, &payload, sizeof(payload));
    must(dds_write(writer_, &message));
  }
  void receive(std::uint64_t round) override {
    for (;;) {
      void* sample = nullptr;
      dds_sample_info_t info;
      const int taken = must(dds_take(reader_, &sample, &info, 1, 1));
      if (taken == 1 && info.valid_data) {
        look_at(sample, round);
        must(dds_return_loan(reader_, &sample, taken));
        return;
      }
      if (taken == 1) must(dds_return_loan(reader_, &sample, taken));
      must(dds_waitset_wait(waiting_, nullptr, 0, DDS_INFINITY));
    }
  }
  bool took_any() override {
    void* sample = nullptr;
    dds_sample_info_t info;
    const int taken = must(dds_take(reader_, &sample, &info, 1, 1));
    if (taken == 1) must(dds_return_loan(reader_, &sample, taken));
    return taken == 1 && info.valid_data;
  }

 private:
  // A stream must lose nothing, which in shared memory it cannot promise: there the reader keeps a
  // number of messages and then drops the oldest.
  bool shared() const { return plan_.work != Work::stream; }
  void expect_shared(dds_entity_t entity) const {
    if (dds_is_shared_memory_available(entity) == shared()) return;
    throw std::runtime_error("shared memory is used where it should not be, or the reverse");
  }
  dds_entity_t topic() {
    const auto& described = plan_.frame() ? bench_dds_Picture_desc : bench_dds_Message_desc;
    std::string name = plan_.tag;
    for (char& letter : name) letter = letter == '-' ? '_' : letter;
    return must(
        dds_create_topic(participant(shared()), &described, name.c_str(), nullptr, nullptr));
  }
  dds_qos_t* wishes_for() const {
    dds_qos_t* const wishes = dds_create_qos();
    dds_qset_durability(wishes, DDS_DURABILITY_VOLATILE);
    dds_qset_reliability(wishes,
                         plan_.publishes() ? DDS_RELIABILITY_BEST_EFFORT : DDS_RELIABILITY_RELIABLE,
                         DDS_INFINITY);
    if (plan_.work == Work::stream) {
      dds_qset_history(wishes, DDS_HISTORY_KEEP_ALL, 0);
      dds_qset_resource_limits(wishes, stream_depth, DDS_LENGTH_UNLIMITED, DDS_LENGTH_UNLIMITED);
    } else {
      dds_qset_history(wishes, DDS_HISTORY_KEEP_LAST, 4);
    }
    return wishes;
  }
  void send_picture(std::uint64_t round) {
    void* loan = nullptr;
    must(dds_loan_sample(writer_, &loan));
    static_cast<bench_dds_Picture*>(loan)->number = round;
    must(dds_write(writer_, loan));
  }
  void look_at(const void* sample, std::uint64_t round) const {
    if (plan_.frame()) {
      if (static_cast<const bench_dds_Picture*>(sample)->number != round) std::abort();
      return;
    }
    Payload payload;
    std::memcpy(&payload, sample, sizeof(payload));
    check(payload, round);
  }
  LinkPlan plan_;
  dds_entity_t writer_ = 0, reader_ = 0, waiting_ = 0;
};

}  // namespace

std::unique_ptr<Link> cyclone_link(const LinkPlan& plan) {
  return std::make_unique<CycloneLink>(plan);
}

}  // namespace bench
