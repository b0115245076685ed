"""docs/fuzzing.md says what `fuzz/results.toml` says, of targets that are there."""

from fuzz import targets
from fuzz.__main__ import BEGIN, END, PAGE, read, table

TEXT = PAGE.read_text("utf-8")


def test_the_table_is_that_of_the_kept_results() -> None:
    told = TEXT.partition(BEGIN)[2].partition(END)[0]
    assert told == table(read())


def test_every_target_has_its_laws_on_the_page_and_a_result() -> None:
    laws = TEXT.partition("## Targets")[2].partition("## A finding")[0]
    dialects = targets.NAMES[targets.NAMES.index("openai_chat") :]
    assert {
        name for name in targets.NAMES if name not in dialects and f"`{name}`" not in laws
    } == set()
    assert set(read()) == set(targets.NAMES)
