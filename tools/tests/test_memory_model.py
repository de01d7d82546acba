"""Goal: docs/memory-model.md says of every order what the code says, with both ends of a pair."""

import memory_model

SOURCE = """\
  // sync[ring.ready] release: the words are complete
  // before anyone expects them.
  slot.store(ready(next_), std::memory_order_release);
  // sync[ring.ready] acquire: meets publish().
  if (slot.load(std::memory_order_acquire) == 0) {
  // relaxed[ring.words]: checked by the second look.
  word = slot.load(
      std::memory_order_relaxed);
  // relaxed[ring.words]: as above.
  word = slot.load(std::memory_order_relaxed);
"""


def uses():
    return memory_model.uses_in("src/shm/ring.hpp", SOURCE.splitlines())


def test_a_tag_carries_its_sentences_and_the_statement_below():
    first = uses()[0]
    assert first.reason == "the words are complete before anyone expects them."
    assert first.code == "slot.store(ready(next_), release)"
    assert first.ends == "release"


def test_a_statement_over_two_lines_is_one():
    assert uses()[2].code == "word = slot.load( relaxed)"


def test_both_ends_stand_together_and_repetitions_are_left_out():
    text = memory_model.document(uses())
    assert text.count("### `ring.ready`") == 1
    assert text.index("**release**") < text.index("**acquire**")
    assert text.count("ring.words") == 1
    assert "as above" not in text


def test_a_pair_with_two_ends_at_once_says_both():
    lines = ["// sync[pin.scan] release acquire: either sees the other.", "P::full_fence();"]
    assert memory_model.uses_in("a.hpp", lines)[0].ends == "release and acquire"
