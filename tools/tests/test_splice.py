"""Goal: no document shows an old program or links to nowhere without `./dev docs` saying so."""

import splice

PLACE = "before\n<!-- splice: a.cpp -->\n{body}<!-- /splice -->\nafter\n"


def test_a_place_is_filled_and_filling_again_changes_nothing(tmp_path):
    (tmp_path / "a.cpp").write_text("int main() {}\n")
    once = splice.spliced(PLACE.format(body=""), tmp_path)
    assert once == PLACE.format(body="```cpp\nint main() {}\n```\n")
    assert splice.spliced(once, tmp_path) == once


def test_a_changed_program_is_noticed_and_the_document_is_left_alone(tmp_path):
    (tmp_path / "a.cpp").write_text("int main() { return 1; }\n")
    document = tmp_path / "README.md"
    old = PLACE.format(body="```cpp\nint main() {}\n```\n")
    document.write_text(old)
    assert len(splice.process(document, tmp_path, check_only=True)) == 1
    assert document.read_text() == old
    assert splice.process(document, tmp_path, check_only=False) == []
    assert "return 1" in document.read_text()


def test_a_missing_program_is_an_error(tmp_path):
    document = tmp_path / "README.md"
    document.write_text(PLACE.format(body=""))
    assert "does not exist" in splice.process(document, tmp_path, check_only=False)[0]


def test_a_link_to_nowhere_is_an_error_but_not_one_in_a_program(tmp_path):
    document = tmp_path / "README.md"
    document.write_text("[a](missing.md) `[b](c)`\n```\n[d](e)\n```\n[f](README.md#g)\n")
    assert splice.process(document, tmp_path, check_only=True) == [
        "README.md: the link to missing.md leads nowhere"
    ]
