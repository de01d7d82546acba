// queues.cpp: the compiled halves of signalbox.SysvQueue and signalbox.PosixQueue.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

#include "bytes.hpp"
#include "kernel_object.hpp"
#include "object_docs.hpp"
#include "signalbox/c/posix_queue.h"
#include "signalbox/c/sysv_queue.h"
#include "sliced_wait.hpp"
#include "whole.hpp"

namespace nb = nanobind;

namespace signalbox_python {
namespace {

using SysvQueue = KernelObject<sbx_sysv_queue>;

using SysvFacts =
    std::tuple<int, int, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t,
               std::uint64_t, std::uint64_t, std::uint64_t, std::uint32_t, std::uint32_t,
               std::int64_t, std::int64_t, std::int64_t>;

// A bytes object to receive into, cut to what came.
class Buffer {
 public:
  explicit Buffer(const Whole& room)
      : Buffer(narrow<std::int64_t>(room, "room", {0, std::numeric_limits<Py_ssize_t>::max()})) {}
  explicit Buffer(std::int64_t room) {
    bytes_ = nb::steal(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(room)));
    if (!bytes_.is_valid()) throw nb::python_error();
  }
  void* data() const noexcept { return PyBytes_AS_STRING(bytes_.ptr()); }
  std::size_t room() const noexcept {
    return static_cast<std::size_t>(PyBytes_GET_SIZE(bytes_.ptr()));
  }
  // Once only.
  nb::object cut_to(std::uint64_t bytes) {
    if (bytes == room()) return std::move(bytes_);
    return nb::steal(PyBytes_FromStringAndSize(static_cast<const char*>(data()),
                                               static_cast<Py_ssize_t>(bytes)));
  }

 private:
  nb::object bytes_;
};

// ---- System V

template <class Make>
SysvQueue make_sysv(Make&& make) {
  const SysvQueue queue =
      made<SysvQueue>("System V queue", sbx_sysv_queue_close, std::forward<Make>(make));
  const auto raw = queue.open();
  return SysvQueue("System V queue " + std::to_string(sbx_sysv_queue_id(raw.get())), raw);
}

using MakeSysv = int (*)(std::int32_t, const sbx_sysv_queue_options*, sbx_sysv_queue**, sbx_error*);

template <MakeSysv call>
SysvQueue create_sysv(const Whole& key, const Whole& mode) {
  sbx_sysv_queue_options options;
  sbx_sysv_queue_options_init(&options);
  options.mode = narrow<std::uint32_t>(mode, "mode");
  return make_sysv([&](sbx_sysv_queue** out, sbx_error* error) {
    return call(narrow<std::int32_t>(key, "key"), &options, out, error);
  });
}

std::int64_t type_of(const Whole& type) { return narrow<std::int64_t>(type, "type", {.low = 1}); }

void sysv_send(const SysvQueue& self, const Whole& type, nb::handle data,
               std::optional<double> timeout) {
  const Bytes bytes(data);
  const std::int64_t number = type_of(type);
  const auto queue = self.open();
  const std::int64_t deadline = deadline_after(timeout);
  sbx_error error;
  const int code = wait_in_slices(
      deadline, sleep_max_of_naps(deadline), error, [&](std::int64_t until, sbx_error* why) {
        return sbx_sysv_queue_send(queue.get(), number, bytes.data(), bytes.size(), until,
                                   SBX_ON_SIGNAL_GIVE_UP, why);
      });
  check(code, error);
}

bool sysv_try_send(const SysvQueue& self, const Whole& type, nb::handle data) {
  const Bytes bytes(data);
  int sent = 0;
  checked([&](sbx_error* error) {
    return sbx_sysv_queue_try_send(self.open().get(), type_of(type), bytes.data(), bytes.size(),
                                   &sent, error);
  });
  return sent != 0;
}

nb::object tuple_of(const sbx_queue_message& message, Buffer& buffer) {
  return nb::make_tuple(message.type, buffer.cut_to(message.bytes), message.was_cut_off != 0);
}

// (type, data, was_cut_off), or None when the deadline passed. It sleeps in the kernel for as long
// as it may: shorter sleeps would be naps, since the kernel knows no deadline here.
nb::object sysv_receive(const SysvQueue& self, std::uint32_t kind, const Whole& type,
                        const Whole& room, bool cut_off, std::optional<double> timeout) {
  const auto queue = self.open();
  Buffer buffer(room);
  const std::uint32_t flags = cut_off ? SBX_RECEIVE_CUT_OFF : 0;
  const sbx_message_filter filter{.kind = kind, .reserved = 0, .type = type_of(type)};
  sbx_queue_message message{};
  const std::int64_t deadline = deadline_after(timeout);
  sbx_error error;
  const int code = wait_in_slices(
      deadline, sleep_max_of_naps(deadline), error, [&](std::int64_t until, sbx_error* why) {
        return sbx_sysv_queue_receive(queue.get(), buffer.data(), buffer.room(), filter, flags,
                                      until, SBX_ON_SIGNAL_GIVE_UP, &message, why);
      });
  if (code == SBX_TIMED_OUT) return nb::none();
  check(code, error);
  return tuple_of(message, buffer);
}

nb::object sysv_try_receive(const SysvQueue& self, std::uint32_t kind, const Whole& type,
                            const Whole& room, bool cut_off) {
  Buffer buffer(room);
  sbx_queue_message message{};
  int received = 0;
  checked([&](sbx_error* error) {
    return sbx_sysv_queue_try_receive(self.open().get(), buffer.data(), buffer.room(),
                                      {.kind = kind, .reserved = 0, .type = type_of(type)},
                                      cut_off ? SBX_RECEIVE_CUT_OFF : 0, &message, &received,
                                      error);
  });
  return received == 0 ? nb::none() : tuple_of(message, buffer);
}

nb::object sysv_peek(const SysvQueue& self, const Whole& place, const Whole& room) {
  Buffer buffer(room);
  sbx_queue_message message{};
  int found = 0;
  checked([&](sbx_error* error) {
    return sbx_sysv_queue_peek(self.open().get(), narrow<std::uint64_t>(place, "place"),
                               buffer.data(), buffer.room(), &message, &found, error);
  });
  return found == 0 ? nb::none() : tuple_of(message, buffer);
}

SysvFacts sysv_facts(const SysvQueue& self) {
  sbx_sysv_queue_facts facts{.struct_size = sizeof(facts)};
  checked([&](sbx_error* error) { return sbx_sysv_queue_look(self.open().get(), &facts, error); });
  const sbx_sysv_access& access = facts.access;
  return {facts.id,           access.key,         access.owner_uid,  access.owner_gid,
          access.creator_uid, access.creator_gid, access.mode,       facts.messages,
          facts.bytes,        facts.bytes_max,    facts.last_sender, facts.last_receiver,
          facts.last_send,    facts.last_receive, facts.last_change};
}

void bind_sysv(nb::module_& module) {
  bind_object<SysvQueue>(module, "SysvQueue", docs::kSysvQueue)
      .def_prop_ro(
          "id", [](const SysvQueue& self) { return sbx_sysv_queue_id(self.open().get()); },
          docs::kSysvId)
      .def("send", &sysv_send, nb::arg("type"), nb::arg("data"),
           nb::arg("timeout").none() = nb::none(), docs::kSysvSend)
      .def("try_send", &sysv_try_send, nb::arg("type"), nb::arg("data"), docs::kTrySend)
      .def("_receive", &sysv_receive, nb::arg("kind"), nb::arg("type"), nb::arg("room"),
           nb::arg("cut_off"), nb::arg("timeout").none())
      .def("_try_receive", &sysv_try_receive)
      .def("_peek", &sysv_peek)
      .def("_facts", &sysv_facts)
      .def(
          "set_capacity",
          [](const SysvQueue& self, const Whole& bytes) {
            checked([&](sbx_error* error) {
              return sbx_sysv_queue_set_capacity(self.open().get(),
                                                 narrow<std::uint64_t>(bytes, "bytes"), error);
            });
          },
          nb::arg("bytes"), docs::kSetCapacity)
      .def(
          "set_mode",
          [](const SysvQueue& self, const Whole& mode) {
            checked([&](sbx_error* error) {
              return sbx_sysv_queue_set_mode(self.open().get(), narrow<std::uint32_t>(mode, "mode"),
                                             error);
            });
          },
          nb::arg("mode"), docs::kSetMode)
      .def(
          "remove",
          [](const SysvQueue& self) {
            checked(
                [&](sbx_error* error) { return sbx_sysv_queue_remove(self.open().get(), error); });
          },
          docs::kRemove);
  module.def("create_sysv_queue", &create_sysv<sbx_sysv_queue_create>);
  module.def("open_or_create_sysv_queue", &create_sysv<sbx_sysv_queue_open_or_create>);
  module.def("open_sysv_queue", [](const Whole& key) {
    return make_sysv([&](sbx_sysv_queue** out, sbx_error* error) {
      return sbx_sysv_queue_open(narrow<std::int32_t>(key, "key"), out, error);
    });
  });
  module.def("attach_sysv_queue", [](const Whole& id) {
    return make_sysv([&](sbx_sysv_queue** out, sbx_error* error) {
      return sbx_sysv_queue_attach(narrow<std::int32_t>(id, "id"), out, error);
    });
  });
}

// ---- POSIX

using PosixFacts = std::tuple<std::int64_t, std::int64_t, std::int64_t>;

PosixFacts look(sbx_posix_queue* queue) {
  sbx_posix_queue_facts facts{.struct_size = sizeof(facts)};
  checked([&](sbx_error* error) { return sbx_posix_queue_look(queue, &facts, error); });
  return {facts.messages_max, facts.message_bytes_max, facts.messages};
}

// Knows how long its messages may be, which the kernel never changes.
class PosixQueue : public KernelObject<sbx_posix_queue> {
 public:
  PosixQueue(std::string name, sbx_posix_queue* raw, void (*close)(sbx_posix_queue*))
      : KernelObject(std::move(name), raw, close), room_(std::get<1>(look(raw))) {}
  std::int64_t room() const noexcept { return room_; }

 private:
  std::int64_t room_;
};

std::uint32_t access_of(const std::string& word) {
  if (word == "receive") return SBX_QUEUE_RECEIVE;
  if (word == "send") return SBX_QUEUE_SEND;
  if (word == "both") return SBX_QUEUE_BOTH;
  throw Failure("bad_argument", 0,
                "access is '" + word + "'. Use \"receive\", \"send\" or \"both\".");
}

template <class Make>
PosixQueue make_posix(const std::string& name, Make&& make) {
  return made<PosixQueue>("POSIX queue " + name, sbx_posix_queue_close, std::forward<Make>(make));
}

using MakePosix = int (*)(const char*, const sbx_posix_queue_options*, sbx_posix_queue**,
                          sbx_error*);

template <MakePosix call>
PosixQueue create_posix(const std::string& name, const Whole& messages_max,
                        const Whole& message_bytes_max, const Whole& mode,
                        const std::string& access) {
  sbx_posix_queue_options options;
  sbx_posix_queue_options_init(&options);
  options.messages_max = narrow<std::int64_t>(messages_max, "messages_max", {.low = 0});
  options.message_bytes_max =
      narrow<std::int64_t>(message_bytes_max, "message_bytes_max", {.low = 0});
  options.mode = narrow<std::uint32_t>(mode, "mode");
  options.access = access_of(access);
  return make_posix(name, [&](sbx_posix_queue** out, sbx_error* error) {
    return call(c_name(name), &options, out, error);
  });
}

std::uint32_t priority_of(const Whole& priority) {
  constexpr std::uint32_t kPriorityMax = 32767;
  return narrow<std::uint32_t>(priority, "priority", {0, kPriorityMax});
}

void posix_send(const PosixQueue& self, nb::handle data, const Whole& priority,
                std::optional<double> timeout) {
  const Bytes bytes(data);
  const std::uint32_t urgency = priority_of(priority);
  const auto queue = self.open();
  sbx_error error;
  const int code = wait_in_slices(
      deadline_after(timeout), kWaitNsMax, error, [&](std::int64_t until, sbx_error* why) {
        return sbx_posix_queue_send(queue.get(), bytes.data(), bytes.size(), urgency, until,
                                    SBX_ON_SIGNAL_GIVE_UP, why);
      });
  check(code, error);
}

bool posix_try_send(const PosixQueue& self, nb::handle data, const Whole& priority) {
  const Bytes bytes(data);
  int sent = 0;
  checked([&](sbx_error* error) {
    return sbx_posix_queue_try_send(self.open().get(), bytes.data(), bytes.size(),
                                    priority_of(priority), &sent, error);
  });
  return sent != 0;
}

// (data, priority), or None when the deadline passed.
nb::object posix_receive(const PosixQueue& self, std::optional<double> timeout) {
  const auto queue = self.open();
  Buffer buffer(self.room());
  sbx_priority_message message{};
  const bool is_here =
      done_in_time(deadline_after(timeout), [&](std::int64_t until, sbx_error* error) {
        return sbx_posix_queue_receive(queue.get(), buffer.data(), buffer.room(), until,
                                       SBX_ON_SIGNAL_GIVE_UP, &message, error);
      });
  if (!is_here) return nb::none();
  return nb::make_tuple(buffer.cut_to(message.bytes), message.priority);
}

nb::object posix_try_receive(const PosixQueue& self) {
  Buffer buffer(self.room());
  sbx_priority_message message{};
  int received = 0;
  checked([&](sbx_error* error) {
    return sbx_posix_queue_try_receive(self.open().get(), buffer.data(), buffer.room(), &message,
                                       &received, error);
  });
  if (received == 0) return nb::none();
  return nb::make_tuple(buffer.cut_to(message.bytes), message.priority);
}

void bind_posix(nb::module_& module) {
  bind_object<PosixQueue>(module, "PosixQueue", docs::kPosixQueue)
      .def("send", &posix_send, nb::arg("data"), nb::arg("priority") = 0,
           nb::arg("timeout").none() = nb::none(), docs::kPosixSend)
      .def("try_send", &posix_try_send, nb::arg("data"), nb::arg("priority") = 0, docs::kTrySend)
      .def("_receive", &posix_receive, nb::arg("timeout").none())
      .def("_try_receive", &posix_try_receive)
      .def("_facts", [](const PosixQueue& self) { return look(self.open().get()); })
      .def(
          "fileno",
          [](const PosixQueue& self) { return sbx_posix_queue_descriptor(self.open().get()); },
          docs::kQueueFileno)
      .def(
          "notify_once",
          [](const PosixQueue& self, const Whole& signal, const Whole& value) {
            checked([&](sbx_error* error) {
              return sbx_posix_queue_notify_once(self.open().get(),
                                                 narrow<std::int32_t>(signal, "signal"),
                                                 narrow<std::int32_t>(value, "value"), error);
            });
          },
          nb::arg("signal"), nb::arg("value") = 0, docs::kNotifyOnce)
      .def(
          "forget_notice",
          [](const PosixQueue& self) {
            checked([&](sbx_error* error) {
              return sbx_posix_queue_forget_notice(self.open().get(), error);
            });
          },
          docs::kForgetNotice)
      .def_static(
          "unlink",
          [](const std::string& name) {
            checked([&](sbx_error* error) { return sbx_posix_queue_unlink(c_name(name), error); });
          },
          nb::arg("name"), docs::kUnlink);
  module.def("create_posix_queue", &create_posix<sbx_posix_queue_create>);
  module.def("open_or_create_posix_queue", &create_posix<sbx_posix_queue_open_or_create>);
  module.def("open_posix_queue", [](const std::string& name, const std::string& access) {
    return make_posix(name, [&](sbx_posix_queue** out, sbx_error* error) {
      return sbx_posix_queue_open(c_name(name), access_of(access), out, error);
    });
  });
}

}  // namespace

void bind_queues(nb::module_& module) {
  bind_sysv(module);
  bind_posix(module);
}

}  // namespace signalbox_python
