// held_lock.hpp: what a lock gave, as Python holds it.
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <utility>

#include "kernel_object.hpp"

namespace signalbox_python {

// A guard of the C library. `give_back` releases it; a guard that is forgotten is given back by
// whatever thread forgets it last.
template <class Kept, int (*give_back)(Kept*, sbx_error*)>
class HeldLock {
 public:
  HeldLock(std::string name, const Kept& kept, bool owner_died = false)
      : name_(std::move(name)), kept_(kept), owner_died_(owner_died) {}
  HeldLock(HeldLock&& other) noexcept
      : name_(std::move(other.name_)),
        kept_(std::exchange(other.kept_, Kept{})),
        owner_died_(other.owner_died_) {}
  HeldLock& operator=(HeldLock&&) = delete;
  ~HeldLock() {
    if constexpr (requires { kept_.thread; }) kept_.thread = 0;
    if (is_held()) give_back(&kept_, nullptr);
  }

  bool is_held() const noexcept { return kept_.is_held != 0; }
  bool owner_died() const noexcept { return owner_died_; }
  // Nothing to do where it was released. Throws Failure: another thread holds it.
  void release() {
    if (is_held()) finish(give_back);
  }
  // Runs a call of the C library on what is held. Throws Failure.
  template <class Call>
  void finish(Call&& call) {
    checked([&](sbx_error* error) { return call(&kept_, error); });
  }
  Kept& kept() noexcept { return kept_; }
  void heard_of_death(bool died) noexcept { owner_died_ = died; }
  std::string repr() const { return "<signalbox " + name_ + (is_held() ? " held>" : " released>"); }

 private:
  std::string name_;
  Kept kept_;
  bool owner_died_;
};

// What each class of them has.
template <class Held>
nanobind::class_<Held> bind_held(nanobind::module_& module, const char* name, const char* doc) {
  namespace nb = nanobind;
  return nb::class_<Held>(module, name, doc)
      .def("release", &Held::release, "Gives it back now. Nothing to do where that was done.")
      .def_prop_ro("held", &Held::is_held, "False after release().")
      .def("__enter__", [](nb::object self) { return self; })
      .def(
          "__exit__", [](Held& self, nb::handle, nb::handle, nb::handle) { self.release(); },
          nb::arg("type").none(), nb::arg("value").none(), nb::arg("traceback").none())
      .def("__repr__", &Held::repr);
}

inline constexpr char kOwnerDied[] =
    "True: the last owner died while he held it, and what it guards was repaired or is as it was.";

}  // namespace signalbox_python
