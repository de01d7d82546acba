// array.hpp: numpy arrays over memory of a topic. An array's life holds what keeps the memory.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <memory>
#include <string>

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

// A 0-d structured array with a copy of `data`, read-only like the others: for small messages, of
// which a copy costs less than what would keep their memory.
nanobind::object record_copy(nanobind::handle dtype, const void* data, std::size_t bytes);

// A 1-d uint8 array over `data`.
nanobind::object byte_array(std::shared_ptr<Block> block, const void* data, std::size_t bytes);

// `room` messages of `dtype`, uninitialised, as a new 1-d array.
nanobind::object new_records(nanobind::handle dtype, std::size_t room);

// The first `count` of an array made by new_records() or accepted by records_of().
nanobind::object first_records(nanobind::handle array, std::size_t count);

// The bytes of `value` if it is one message of exactly `dtype`: a 0-d array or structured scalar.
// Else null, and no Python error is set. They live as long as `value`.
const void* message_bytes(nanobind::handle value, nanobind::handle dtype) noexcept;

// Many messages, one behind the other.
struct Records {
  void* data;
  std::size_t count;
};
enum class Use { read, write };

// Those of a 1-d array of exactly `dtype` without gaps. Raises TypeError for all else, in the words
// of `function`.
Records records_of(nanobind::handle array, nanobind::handle dtype, Use use, const char* function);

// Makes the array refuse assignments. Views that were made from it earlier are not reached.
void forbid_writing(nanobind::handle array);

void bind_region(nanobind::module_& module);

}  // namespace signalbox_python
