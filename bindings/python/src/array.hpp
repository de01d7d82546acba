// array.hpp: numpy arrays over memory of a topic. An array's life holds what keeps the memory.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <memory>

namespace signalbox_python {

// Memory of one message, and what must not happen to it while an array looks at it: the destructor
// of the derived class ends the pin or gives the loan back.
class Block {
 public:
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  virtual ~Block() = default;
  virtual bool is_writable() const noexcept = 0;

 protected:
  Block() = default;
};

// A 0-d structured array over `data`.
nanobind::object record_array(std::shared_ptr<Block> block, nanobind::handle dtype,
                              const void* data, std::size_t bytes);

// A 1-d uint8 array over `data`.
nanobind::object byte_array(std::shared_ptr<Block> block, const void* data, std::size_t bytes);

// Makes the array refuse assignments. Views that were made from it earlier are not reached.
void forbid_writing(nanobind::handle array);

void bind_region(nanobind::module_& module);

}  // namespace signalbox_python
