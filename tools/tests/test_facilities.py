"""Goal: docs/facilities.md says of every facility what its header's card says, and a card that
lacks a line is told."""

import facilities

HEADER = """\
// os/timer.hpp: a clock that makes a descriptor
// readable.
//
// A second paragraph, which is not in the table.
//
//   Lives     until its Timer is destroyed
//   Threads   one thread
//             at a time
//   Crash     the kernel closes it
//   Fork      a child shares it
//   Limits    RLIMIT_NOFILE | another
//   Pollable  yes
//   Manual    timerfd_create(2)
#pragma once
//   Lives     not here
"""


def test_a_card_is_what_it_says_and_its_lines():
    card = facilities.card_of("timer.hpp", HEADER)
    assert card.says == "a clock that makes a descriptor readable."
    assert card.entries["Threads"] == "one thread at a time"
    assert card.entries["Lives"] == "until its Timer is destroyed"
    assert card.missing() == []


def test_a_header_of_vocabulary_is_no_facility():
    vocabulary = "\n".join(
        line
        for line in HEADER.splitlines()
        if not line.startswith(("//   Lives", "//   Pollable", "//   Manual"))
    )
    assert facilities.card_of("fd.hpp", vocabulary) is None


def test_lines_that_a_formatter_ran_together_are_told():
    together = HEADER.replace("yes\n//   Manual", "yes\n//   Linux only Manual")
    card = facilities.card_of("timer.hpp", together)
    assert card.missing() == ["Manual"]
    assert card.strays == ("//   Linux only Manual    timerfd_create(2)",)


def test_a_line_that_lacks_is_told():
    assert facilities.card_of("timer.hpp", HEADER.replace("Pollable", "Poll")).missing() == [
        "Pollable"
    ]


def test_the_table_has_one_row_for_each_and_keeps_its_columns():
    card = facilities.card_of("timer.hpp", HEADER)
    last = facilities.document([card]).splitlines()[-1]
    assert last.startswith("| [timer.hpp](../include/signalbox/os/timer.hpp) |")
    assert "RLIMIT_NOFILE \\| another" in last


def test_every_card_of_the_tree_is_whole():
    found = facilities.cards(facilities.ROOT)
    assert found
    assert [card.header for card in found if card.missing() or card.strays] == []
