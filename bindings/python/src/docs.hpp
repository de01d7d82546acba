// docs.hpp: what help() says about the compiled classes. Python's own files carry the rest.
#pragma once

// The methods that Python calls without nanobind between begin with their signature.
namespace signalbox_python::docs {

inline constexpr char kPublisher[] = "The compiled half of signalbox.Publisher.";
inline constexpr char kSubscriber[] = "The compiled half of signalbox.Subscriber.";

inline constexpr char kTopic[] = "The topic's name.";
inline constexpr char kDtype[] = "The numpy dtype of the fixed part; None for plain bytes.";
inline constexpr char kClosed[] = "True after close().";

// ---- Loan

inline constexpr char kLoan[] =
    "A message being filled in place, in shared memory. Made by Publisher.loan().\n\n"
    "As a context manager it is published on a clean exit, without waiting for reliable\n"
    "subscribers, and dropped on an exception. A loan that is forgotten is dropped when its last\n"
    "array is gone.";
inline constexpr char kLoanData[] =
    "The fixed part to fill: a writable 0-d structured array; None for plain bytes.\n\n"
    "Its bytes are those of an older message. It becomes read-only when the loan is published or\n"
    "dropped; do not write through views of it after that. The publisher leaves its topic only\n"
    "when no array over its frames is left.";
inline constexpr char kLoanTail[] =
    "The bytes behind the fixed part, as many as were asked for: a writable uint8 array.";
inline constexpr char kLoanPosition[] =
    "The message's number once it is published, until then None.";
inline constexpr char kLoanShorten[] = "Publishes fewer tail bytes than were lent.";
inline constexpr char kLoanDrop[] = "Gives the loan back unpublished. Nothing if it is finished.";

// ---- Publisher

inline constexpr char kPublisherLoan[] =
    "Lends a message with a tail of `tail_bytes`, to be filled in place. Never waits.\n\n"
    "Raises SignalboxError: would_block (subscribers hold every frame), limit_reached (loans_max\n"
    "are open), too_large (more than tail_max and grown_tail_max), and where it makes room for a\n"
    "tail above tail_max no_space.";
inline constexpr char kPublisherPublish[] =
    "Shows the message to every subscriber and finishes the loan; returns its position, from 0.\n\n"
    "Waits only for a reliable subscriber that is a whole ring behind, at most `timeout` seconds\n"
    "(None: forever), with the GIL released. On failure the loan is still open.\n"
    "Raises SignalboxError: would_block (timeout 0) or timed_out.";
inline constexpr char kPublisherSend[] =
    "send($self, value, tail=None, timeout=0.0)\n--\n\n"
    "Publishes a copy of `value`, and of `tail` behind it; returns its position.\n\n"
    "`value` is a structured scalar or 0-d array of the topic's dtype, or a dict or tuple that\n"
    "gives every field; with dtype None it is the message, as bytes. `tail` is anything with\n"
    "contiguous bytes. `timeout` is that of publish().";
inline constexpr char kLoanBatch[] =
    "Lends up to `count` messages at once, as a list. Never waits.\n\n"
    "Fewer than asked where loan() would raise for the next; raises, as loan(), only if there is\n"
    "none.";
inline constexpr char kPublishBatch[] =
    "Publishes each of the loans, in order, and finishes it; returns how many were published.\n\n"
    "Sleepers are woken once. Fewer than given where a reliable subscriber is a whole ring behind\n"
    "when `timeout` ends: the others are still open. Raises, as publish(), only if none was\n"
    "published. `position` stays None.";
inline constexpr char kSendBatch[] =
    "Publishes a copy of each message of `values`, in order; returns how many were published.\n\n"
    "`values` is a 1-d array of the topic's dtype, without gaps; a tail is sent empty. Sleepers "
    "are\n"
    "woken once. Fewer than given where a reliable subscriber is a whole ring behind when "
    "`timeout`\n"
    "ends: go on with the rest. Raises, as send(), only if none was published.";
inline constexpr char kDroppedCount[] = "Messages given up (when_behind \"drop_new\").";
inline constexpr char kEvictedCount[] = "Subscribers left behind (when_behind \"evict\").";
inline constexpr char kPublisherClose[] =
    "Leaves the topic; subscribers still receive what was published.\n\n"
    "While arrays over the publisher's frames are alive (from loan.data or loan.tail), leaving\n"
    "is put off until the last of them is gone.";
inline constexpr char kSubscriberCount[] =
    "How many subscribers are attached now. Cheap.\n\n"
    "What is published after one was counted reaches it, unless it falls behind.";

// ---- Sample

inline constexpr char kSample[] =
    "One received message. Its arrays read the publisher's memory without a copy.\n\n"
    "A message larger than 480 bytes is pinned where it lies while the sample or any array made\n"
    "from it lives, also beyond the life of the subscriber. As a context manager it is released\n"
    "on exit.";
inline constexpr char kSampleData[] =
    "The fixed part: a read-only 0-d structured array; None for plain bytes.";
inline constexpr char kSampleTail[] =
    "The bytes behind the fixed part: a read-only uint8 array, empty where there are none.";
inline constexpr char kSamplePosition[] = "The message's number at its publisher, from 0.";
inline constexpr char kSamplePublisher[] =
    "Which publisher sent it: a number that changes when the publisher restarts.";
inline constexpr char kSampleRelease[] =
    "Lets go of the message: `data` and `tail` can no longer be asked for.\n\n"
    "Arrays that were taken from it stay valid; the pin ends when the last of them dies.";

// ---- Subscriber

inline constexpr char kTake[] =
    "take($self, /)\n--\n\n"
    "The next message in publishing order, or None when there is nothing new. Never waits.\n\n"
    "Raises SignalboxError: limit_reached (64 samples are held), damaged, evicted (a publisher "
    "went\n"
    "on without this reliable subscriber and sends it nothing more: open another one).";
inline constexpr char kTakeBatch[] =
    "As many messages as there are, up to `room`, copied in order into one array. Never waits.\n\n"
    "Without `out` the array is a new one; with it, a 1-d array of the topic's dtype without "
    "gaps,\n"
    "it is the beginning of `out`, which is then the room. Nothing new: an array of length 0. "
    "Tails\n"
    "are passed over. Cheaper than take() where messages are small and many. Raises as take(); "
    "what\n"
    "stops it behind the first message is raised by the next call.";
inline constexpr char kTakeLatest[] =
    "take_latest($self, /)\n--\n\n"
    "The newest message of the publisher in turn, or None; skipped_count counts the rest.";
inline constexpr char kWait[] =
    "Sleeps until a message is there (True) or `timeout` seconds passed (False).\n\n"
    "None waits forever. Other threads run meanwhile; signal handlers run, and Ctrl-C raises\n"
    "KeyboardInterrupt.";
inline constexpr char kReceive[] =
    "The next message, sleeping until there is one; None when `timeout` seconds passed.";
inline constexpr char kFileno[] =
    "A descriptor for select, poll or an event loop: readable when a message may be there.\n\n"
    "After it was readable, take() until None: that last take() arms it again. It never changes;\n"
    "do not read or close it.";
inline constexpr char kSubscriberClose[] = "Leaves the topic. Samples and their arrays stay valid.";
inline constexpr char kLostCount[] =
    "Messages overwritten before this subscriber came to them, counted when it does; and of a\n"
    "publisher that evicted it all that it has not taken, a number that grows with each further\n"
    "message.";
inline constexpr char kSubscriberDroppedCount[] =
    "Messages that publishers gave up since this subscriber joined (when_behind \"drop_new\"), so\n"
    "that nobody got them.";
inline constexpr char kSkippedCount[] = "Messages that take_latest() passed over.";
inline constexpr char kPublisherCount[] = "How many publishers are attached now.";

}  // namespace signalbox_python::docs
