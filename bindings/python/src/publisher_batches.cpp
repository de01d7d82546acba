// Many messages in one call: copies of values, and loans that were filled in place.
#include <cstddef>
#include <memory>
#include <vector>

#include "patience.hpp"
#include "publisher.hpp"

namespace nb = nanobind;

namespace signalbox_python {

std::size_t Publisher::send_batch(nb::handle values, std::optional<double> timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  if (dtype_.is_none()) throw nb::type_error("send_batch: messages of plain bytes go one by one");
  const Records records = records_of(values, dtype_, Use::read, "send_batch");
  const auto publisher = handle();
  const bool is_much = records.count * fixed_bytes_ > kCopyAloneMax;
  std::size_t sent = 0;
  sbx_error error;
  const int code = with_patience(*publisher, deadline, [&](std::int64_t until) {
    Turn turn(*publisher);
    return without_gil_if(is_much || until != SBX_IMMEDIATE, [&] {
      std::size_t more = 0;
      const int answer = sbx_publisher_send_batch(
          publisher->raw(), static_cast<const std::byte*>(records.data) + sent * fixed_bytes_,
          records.count - sent, until, &more, &error);
      sent += more;
      return answer;
    });
  });
  // An exception could not tell how many went; what stopped the rest meets it in the next call.
  if (sent == 0) check(code, error);
  return sent;
}

// An exception could not hand over those that there are; what stopped the rest meets the next call.
nb::list Publisher::loan_batch(const Whole& count, const Whole& tail_bytes) {
  nb::list loans;
  const auto wanted = checked<std::uint32_t>(count, in_words(topic_), "count");
  for (std::uint32_t i = 0; i < wanted; ++i) {
    try {
      loans.append(nb::cast(loan(tail_bytes)));
    } catch (const Failure&) {
      if (i == 0) throw;
      break;
    }
  }
  return loans;
}

std::size_t Publisher::publish_batch(const nb::sequence& loans, std::optional<double> timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  const auto publisher = handle();
  std::vector<nb::object> given;
  std::vector<std::shared_ptr<LoanBlock>> blocks;
  // What the library wants side by side: a loan says where its message lies, and may be copied.
  std::vector<sbx_loan> raw;
  for (nb::handle entry : loans) {
    given.push_back(nb::borrow(entry));
    blocks.push_back(nb::cast<Loan&>(entry).open_block_of(*publisher));
    raw.push_back(blocks.back()->raw());
  }
  std::size_t done = 0;
  sbx_error error;
  const int code = with_patience(*publisher, deadline, [&](std::int64_t until) {
    Turn turn(*publisher);
    for (std::size_t i = done; i < blocks.size(); ++i) blocks[i]->begin_publishing();
    std::size_t more = 0;
    const int answer = without_gil_if(until != SBX_IMMEDIATE, [&] {
      return sbx_publisher_publish_batch(publisher->raw(), raw.data() + done, raw.size() - done,
                                         until, &more, &error);
    });
    for (std::size_t i = done; i < blocks.size(); ++i) blocks[i]->end_publishing(i < done + more);
    done += more;
    return answer;
  });
  for (std::size_t i = 0; i < done; ++i) nb::cast<Loan&>(given[i]).finish_published();
  if (done == 0) check(code, error);
  return done;
}

}  // namespace signalbox_python
