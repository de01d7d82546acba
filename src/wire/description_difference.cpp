// description_difference.cpp: says in one phrase how two types differ, for the error a program gets
// when it opens a topic with another idea of the message.
#include <algorithm>

#include "wire/description.hpp"

namespace signalbox::wire {
namespace {

using Fields = std::vector<Field>;

std::string quoted(const std::string& path) { return "'" + path + "'"; }

std::string joined(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

const Field* find(const Fields& fields, const std::string& name) {
  const auto found = std::ranges::find(fields, name, &Field::name);
  return found == fields.end() ? nullptr : &*found;
}

// "f32 at byte 16", and inside a nested struct "f32 at byte 16 of 'items'".
std::string placed(const Field& field, const std::string& parent) {
  std::string text = type_text(field) + " at byte " + std::to_string(field.offset);
  return parent.empty() ? text : text + " of " + quoted(parent);
}

std::string fields_difference(const Fields& theirs, const Fields& ours, const std::string& parent);

// How two fields of the same name differ. What they are comes before where they are: a field that
// grew is the cause, the ones it pushed back are only the consequence.
std::string field_difference(const Field& theirs, const Field& ours, const std::string& parent) {
  const std::string path = joined(parent, theirs.name);
  if (theirs.kind != ours.kind || theirs.counts != ours.counts || theirs.offset != ours.offset) {
    return "field " + quoted(path) + " is " + placed(theirs, parent) + " in the topic, " +
           placed(ours, parent) + " here";
  }
  if (theirs.kind != Kind::structure) return {};
  std::string inner = fields_difference(theirs.fields, ours.fields, path);
  if (inner.empty() && theirs.element_bytes != ours.element_bytes) {
    inner = "the size of one " + quoted(path) + " is " + std::to_string(theirs.element_bytes) +
            " bytes in the topic, " + std::to_string(ours.element_bytes) + " here";
  }
  return inner;
}

// Two fields of different names in the same place of the order: renamed, only on one side, or the
// same fields in another order.
std::string name_difference(const Field& theirs, const Field& ours, const Fields& their_fields,
                            const Fields& our_fields, const std::string& parent) {
  const Field* ours_by_name = find(our_fields, theirs.name);
  const Field* theirs_by_name = find(their_fields, ours.name);
  if (ours_by_name == nullptr && theirs_by_name == nullptr) {
    return "field " + quoted(joined(parent, theirs.name)) + " (" + placed(theirs, parent) +
           ") in the topic is " + quoted(joined(parent, ours.name)) + " (" + placed(ours, parent) +
           ") here";
  }
  if (ours_by_name == nullptr) {
    return "field " + quoted(joined(parent, theirs.name)) + " exists only in the topic";
  }
  if (theirs_by_name == nullptr) {
    return "field " + quoted(joined(parent, ours.name)) + " exists only here";
  }
  // Both are somewhere on both sides, so at least one of them has moved.
  std::string difference = field_difference(theirs, *ours_by_name, parent);
  return difference.empty() ? field_difference(*theirs_by_name, ours, parent) : difference;
}

std::string fields_difference(const Fields& theirs, const Fields& ours, const std::string& parent) {
  const std::size_t shared = std::min(theirs.size(), ours.size());
  for (std::size_t i = 0; i < shared; ++i) {
    std::string difference = theirs[i].name == ours[i].name
                                 ? field_difference(theirs[i], ours[i], parent)
                                 : name_difference(theirs[i], ours[i], theirs, ours, parent);
    if (!difference.empty()) return difference;
  }
  if (theirs.size() > shared) {
    return "field " + quoted(joined(parent, theirs[shared].name)) + " exists only in the topic";
  }
  if (ours.size() > shared) {
    return "field " + quoted(joined(parent, ours[shared].name)) + " exists only here";
  }
  return {};
}

}  // namespace

std::string first_difference(const ParsedType& theirs, const ParsedType& ours) {
  if (theirs.fields.empty() != ours.fields.empty()) {
    return theirs.fields.empty()
               ? "the topic's messages have no fixed part, ours have one of " +
                     std::to_string(ours.fixed_bytes) + " bytes"
               : "the topic's messages have a fixed part of " + std::to_string(theirs.fixed_bytes) +
                     " bytes, ours have none";
  }
  std::string difference = fields_difference(theirs.fields, ours.fields, "");
  if (!difference.empty()) return difference;
  if (theirs.fixed_bytes != ours.fixed_bytes) {
    return "the size is " + std::to_string(theirs.fixed_bytes) + " bytes in the topic, " +
           std::to_string(ours.fixed_bytes) + " here";
  }
  if (theirs.has_tail != ours.has_tail) {
    return theirs.has_tail ? "the topic's messages carry a tail, ours do not"
                           : "our messages carry a tail, the topic's do not";
  }
  return {};
}

}  // namespace signalbox::wire
