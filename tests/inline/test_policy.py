"""When a model is asked, when nobody is, what is served again: tables and a clock of our own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import ErrorKind, ResponseError
from sidecar.inline.cache import ANSWERS, AROUND, DOCUMENTS, LastAnswers
from sidecar.inline.debounce import FORGOTTEN_AFTER, MOST, Debounce
from sidecar.inline.ignore import is_ignored
from sidecar.inline.silence import LONG, SHORT, Silence
from sidecar.inline.silence import MOST as LONGEST_SILENCE

# --- debounce ----------------------------------------------------------------------------------


def test_the_wait_is_the_configured_one_as_long_as_answers_come_in_time() -> None:
    rhythm = Debounce()
    for now in range(5):
        assert rhythm.wait(0.15, float(now)) == 0.15
        rhythm.answered()


def test_it_grows_with_requests_for_nothing_up_to_a_limit_and_falls_back() -> None:
    rhythm = Debounce()
    waits: list[float] = []
    for now in range(6):
        waits.append(rhythm.wait(0.1, now * 0.2))
        rhythm.abandoned()
    assert waits == sorted(waits) and waits[1] > waits[0]
    assert waits[-1] == pytest.approx(0.1 * MOST)
    assert rhythm.wait(0.1, 1.2 + FORGOTTEN_AFTER) == 0.1
    rhythm.abandoned()
    rhythm.answered()
    assert rhythm.wait(0.1, 30.0) == 0.1


# --- silence -----------------------------------------------------------------------------------


def error(kind: ErrorKind, after: float | None = None) -> ResponseError:
    made = ResponseError("no", kind=kind, retryable=False, retry_after=after)
    made.provider = "p"
    return made


@pytest.mark.parametrize(
    ("kind", "after", "seconds"),
    [
        ("authentication", None, LONG),
        ("notConfigured", None, LONG),
        ("quota", None, LONG),
        ("budgetExceeded", None, LONG),
        ("rateLimit", None, 2 * SHORT),
        ("rateLimit", 42.0, 42.0),
        ("rateLimit", 86_400.0, LONGEST_SILENCE),
        ("overloaded", 12.0, 12.0),
        ("network", None, SHORT),
        ("timeout", None, SHORT),
        ("contentFilter", None, 0.0),
        ("contextLength", None, 0.0),
    ],
)
def test_how_long_nobody_is_asked(kind: ErrorKind, after: float | None, seconds: float) -> None:
    silence = Silence()
    assert silence.failed(error(kind, after), 100.0)
    assert silence.holds(100.0 + seconds * 0.99) is (seconds > 0)
    assert not silence.holds(100.0 + seconds)


def test_a_service_that_stays_away_is_asked_less_and_less() -> None:
    silence, now, waits = Silence(), 0.0, []
    for _ in range(10):
        silence.failed(error("network"), now)
        wait = 0.5
        while silence.holds(now + wait):
            wait += 0.5
        waits.append(wait)
        now += wait
    assert waits[:3] == [SHORT, 2 * SHORT, 4 * SHORT] and waits == sorted(waits)
    assert waits[-1] <= LONGEST_SILENCE
    silence.answered()
    silence.failed(error("network"), now)
    assert not silence.holds(now + SHORT)


def test_a_failure_is_news_once_until_the_service_answers() -> None:
    silence = Silence()
    assert silence.failed(error("network"), 0.0)
    assert not silence.failed(error("network"), 9.0)
    assert silence.failed(error("rateLimit"), 9.0)
    silence.answered()
    assert silence.failed(error("network"), 99.0)


# --- answers kept ------------------------------------------------------------------------------

U = "file:///a"


def kept(text: str, source: str = "x = \ny\n", offset: int = 4) -> LastAnswers:
    answers = LastAnswers()
    answers.store(U, source, offset, text, "k")
    return answers


@given(st.text(max_size=30), st.text(min_size=1, max_size=30), st.text(max_size=30), st.data())
def test_what_was_typed_of_an_answer_and_what_is_served_make_it_up(
    before: str, answer: str, behind: str, data: st.DataObject
) -> None:
    typed = answer[: data.draw(st.integers(0, len(answer) - 1))]
    answers = kept(answer, before + behind, len(before))
    source = before + typed + behind
    served = answers.look_up(U, source, len(before) + len(typed), "k")
    assert served == answer[len(typed) :]


@pytest.mark.parametrize(
    ("source", "offset"),
    [
        ("x = f(a)\ny\n", 8),  # typed to its end
        ("x = g\ny\n", 5),  # something else
        ("z = \ny\n", 4),  # changed before
        ("x = \nz\n", 4),  # changed behind
        ("x = f\ny\n", 3),  # before its place
    ],
)
def test_an_answer_that_does_not_fit_is_not_served(source: str, offset: int) -> None:
    assert kept("f(a)").look_up(U, source, offset, "k") is None


def test_it_fits_the_document_and_the_question_it_was_made_for() -> None:
    answers = kept("f(a)")
    assert answers.look_up("file:///b", "x = \ny\n", 4, "k") is None
    assert answers.look_up(U, "x = \ny\n", 4, "another model") is None
    assert answers.look_up(U, "x = \ny\n", 4, "k") == "f(a)"
    answers.forget(U)
    assert answers.look_up(U, "x = \ny\n", 4, "k") is None


def test_nothing_is_an_answer_too_but_only_where_it_was_given() -> None:
    answers = kept("")
    assert answers.look_up(U, "x = \ny\n", 4, "k") == ""
    assert answers.look_up(U, "x = f\ny\n", 5, "k") is None


def test_a_bracket_that_the_editor_closed_is_no_change() -> None:
    answers = kept("f(a)", "x = \n" + "y\n" * AROUND)
    assert answers.look_up(U, "x = f()\n" + "y\n" * AROUND, 6, "k") == "a)"
    assert answers.look_up(U, "x = f(q)\n" + "y\n" * AROUND, 6, "k") is None


def test_memory_is_bounded() -> None:
    answers = LastAnswers()
    for n in range(3 * DOCUMENTS):
        for offset in range(3 * ANSWERS):
            answers.store(f"file:///{n}", "x" * 100, offset, "a", "k")
    assert answers.look_up("file:///0", "x" * 100, 3 * ANSWERS - 1, "k") is None
    last = f"file:///{3 * DOCUMENTS - 1}"
    assert answers.look_up(last, "x" * 100, 3 * ANSWERS - 1, "k") == "a"
    assert answers.look_up(last, "x" * 100, ANSWERS, "k") is None


# --- files that stay here ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/w/.env",
        "/w/.env.production",
        "/w/prod.env",
        "/w/.ENV",
        "/w/deep/.envrc",
        "/home/u/.ssh/id_ed25519",
        "/w/server.pem",
        "/w/tls.KEY",
        "/home/u/.aws/credentials",
        "/home/u/.aws/config",
        "/home/u/.ssh/config",
        "/home/u/.docker/config.json",
        "/home/u/.kube/config",
        "/w/kubeconfig",
        "/w/terraform.tfstate",
        "/w/terraform.tfstate.backup",
        "/w/.git/config",
        "/w/.git/modules/lib/config",
        "C:\\w\\.git\\config",
        ".git/config",
        "/home/u/.netrc",
        "C:\\w\\.env.local",
        "/w/terraform.tfvars",
        ".env",
    ],
)
def test_names_that_hold_secrets(path: str) -> None:
    assert is_ignored(path, "/w", [])


@pytest.mark.parametrize(
    "path",
    [
        "/w/env.py",
        "/w/environment.ts",
        "/w/keys.py",
        "/w/credentials.py",
        "/w/.git/COMMIT_EDITMSG",
        "/w/.git/worktrees/b/MERGE_MSG",
        "/w/.git/rebase-merge/git-rebase-todo",
        "/w/.github/workflows/ci.yml",
        "/w/config.json",
        "/w/.gitignore",
        "/w/node_modules/a/index.js",
    ],
)
def test_names_that_only_sound_like_it(path: str) -> None:
    assert not is_ignored(path, "/w", [])


@pytest.mark.parametrize(
    ("glob", "path", "ignored"),
    [
        ("*.sql", "/w/db/a.sql", True),
        ("*.sql", "/w/db/a.sqlx", False),
        ("vendor", "/w/vendor/x.py", True),
        ("vendor/", "/w/a/vendor/x.py", True),
        ("vendor/", "/w/vendor", False),
        ("src/*.py", "/w/src/a.py", True),
        ("src/*.py", "/w/src/b/a.py", False),
        ("src/**/*.py", "/w/src/a.py", True),
        ("src/**/*.py", "/w/src/b/c/a.py", True),
        ("src/gen", "/w/src/gen/b/a.py", True),
        ("/src/*.py", "/w/src/a.py", True),
        ("./src/*.py", "/w/src/a.py", True),
        ("**/secret*", "/w/a/secrets.txt", True),
        ("**/secret*", "/elsewhere/secret.txt", True),
        ("/home/u/private/**", "/home/u/private/a/b.py", True),
        ("src/*.py", "/elsewhere/src/a.py", False),
        ("file[0-9].py", "/w/file7.py", True),
        ("file[!0-9].py", "/w/file7.py", False),
        ("file?.py", "/w/file77.py", False),
        ("a.b", "/w/axb", False),
        ("[z-a].py", "/w/z.py", False),
        ("[", "/w/[", True),
        ("", "/w/x.py", False),
        ("gen\\*.py", "C:\\w\\gen\\a.py", False),
    ],
)
def test_globs(glob: str, path: str, ignored: bool) -> None:
    assert is_ignored(path, "/w", [glob]) is ignored


def test_globs_on_windows() -> None:
    assert is_ignored("C:\\w\\gen\\a.py", "C:\\w", ["gen\\*.py"])
