"""`ai-sidecar-ask`, as it is typed."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from tests.contract import chat
from tests.contract.process import PROGRAM
from tests.editors.emacs.conftest import ROOT, Emacs
from tests.http.server import Gate, RawServer

pytestmark = pytest.mark.slow


@pytest.mark.asyncio
async def test_an_answer_is_streamed_into_a_buffer(
    emacs: Emacs, service: RawServer, tmp_path: Path
) -> None:
    gate = Gate()
    head, first, *rest = chat.streamed(["grüße ", "😀"])
    service._scripts = lambda _request: [head, first, gate, *rest]
    running = asyncio.ensure_future(
        emacs(
            """
            (with-temp-buffer
              (insert "one two three") (transient-mark-mode 1)
              (set-mark 5) (goto-char 8) (activate-mark)
              (ai-sidecar-ask "what is this?"))
            (wait-for (lambda () (string-suffix-p "grüße " (answers))))
            (princ "seen;")
            (make-directory "opened")
            (wait-for-answers)
            (princ (answers))
            """
        )
    )
    async with asyncio.timeout(30):  # the second half comes when Emacs has shown the first
        while not (tmp_path / "opened").is_dir() and not running.done():
            await asyncio.sleep(0.05)
    gate.open()
    assert await running == "seen;> what is this?\n\ngrüße 😀\n\n"
    (asked,) = [json.loads(request.body) for request in service.requests]
    assert asked["messages"][-1]["content"] == "what is this?\n\n```\ntwo\n```"


@pytest.mark.asyncio
async def test_cancel_closes_the_services_connection(emacs: Emacs, service: RawServer) -> None:
    gate = Gate()
    service._scripts = lambda _request: [*chat.streamed(["half"])[:2], gate]
    said = await emacs(
        """
        (ai-sidecar-ask "go on")
        (wait-for (lambda () (string-match-p "half" (answers))))
        (ai-sidecar-cancel)
        (wait-for-answers)
        (princ (answers))
        """
    )
    assert said == "> go on\n\nhalf\n[cancelled]\n\n"
    await service.connections[0].closed()


@pytest.mark.asyncio
async def test_two_answers_at_once_keep_to_their_questions(
    emacs: Emacs, service: RawServer
) -> None:
    said = await emacs(
        """
        (setq ai-sidecar-options '(:default "mock/slow-30" :providers (:mock (:model "echo"))))
        (ai-sidecar-ask "one two three four")
        (ai-sidecar-ask "five six seven eight")
        (wait-for-answers)
        (princ (answers))
        """
    )
    assert said == (
        "> one two three four\n\none two three four\n\n"
        "> five six seven eight\n\nfive six seven eight\n\n"
    )


@pytest.mark.asyncio
async def test_an_error_is_told_in_place(emacs: Emacs, service: RawServer) -> None:
    refusal = json.dumps({"error": {"message": "no such key"}}).encode()
    service._scripts = lambda _request: [chat.answer(401, refusal)]
    said = await emacs('(ai-sidecar-ask "x") (wait-for-answers) (princ (answers))')
    assert "no such key" in said and "sk-emacs-test" not in said


@pytest.mark.asyncio
async def test_a_program_that_ends_is_started_again(emacs: Emacs, service: RawServer) -> None:
    gate = Gate()
    half = [*chat.streamed(["half"])[:2], gate]
    scripts = iter([half, chat.streamed(["whole"])])
    service._scripts = lambda _request: next(scripts)
    said = await emacs(
        """
        (ai-sidecar-ask "first")
        (wait-for (lambda () (string-match-p "half" (answers))))
        (signal-process (jsonrpc--process ai-sidecar--connection) 'SIGKILL)
        (wait-for-answers)
        (ai-sidecar-ask "second")
        (wait-for-answers)
        (princ (answers))
        """
    )
    assert said.startswith("> first\n\nhalf\n[") and said.endswith("> second\n\nwhole\n\n")


@pytest.mark.asyncio
async def test_a_program_off_the_path_is_found_or_missed(
    emacs: Emacs, service: RawServer, tmp_path: Path
) -> None:
    lisp = """
    (let ((place (expand-file-name "~/.local/share/ai-sidecar/venv/bin/")))
      (princ (condition-case error (ai-sidecar-find) (user-error (cadr error))))
      (make-directory place t)
      (make-symbolic-link (getenv "PROGRAM") (concat place "ai-sidecar"))
      (princ (concat "\n" (file-relative-name (ai-sidecar-find) "~/"))))
    """.replace('(getenv "PROGRAM")', json.dumps(str(PROGRAM)))
    alone = shutil.copytree(ROOT / "editors/emacs", tmp_path / "alone")
    missed, found = (await emacs(lisp, path="/usr/bin:/bin", plugin=alone)).splitlines()
    assert missed.startswith("ai-sidecar was not found: install it")
    assert found == ".local/share/ai-sidecar/venv/bin/ai-sidecar"


@pytest.mark.asyncio
async def test_the_program_of_the_clone_is_found(emacs: Emacs, tmp_path: Path) -> None:
    """Before the private environment, also where the file is linked to."""
    clone, link = tmp_path / "clone", tmp_path / "link"
    shutil.copytree(ROOT / "editors/emacs", clone / "editors/emacs")
    link.symlink_to(clone / "editors/emacs")
    for folder in (clone / ".venv/bin", tmp_path / ".local/share/ai-sidecar/venv/bin"):
        folder.mkdir(parents=True)
        (folder / "ai-sidecar").symlink_to(PROGRAM)
    said = await emacs("(princ (ai-sidecar-find))", path="/usr/bin:/bin", plugin=link)
    assert said == str(clone / ".venv/bin/ai-sidecar")


@pytest.mark.asyncio
async def test_a_program_that_refuses_to_begin_is_not_left_behind(
    emacs: Emacs, tmp_path: Path
) -> None:
    error = '{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"not today"}}'
    program = tmp_path / "refuses"
    program.write_text(
        f"#!/bin/sh\nprintf 'Content-Length: {len(error)}\\r\\n\\r\\n%s' '{error}'\n"
        "exec cat >/dev/null\n"
    )
    program.chmod(0o755)
    said = await emacs(
        f"""
        (setq ai-sidecar-program {json.dumps(str(program))})
        (princ (condition-case error (ai-sidecar-ask "x") (error (format "%s" error))))
        (wait-for (lambda () (not (seq-some #'process-live-p (process-list)))))
        (princ (format ";%s" ai-sidecar--connection))
        """
    )
    assert "not today" in said and said.endswith(";nil")


@pytest.mark.asyncio
async def test_a_directory_cannot_name_the_program(emacs: Emacs, service: RawServer) -> None:
    lisp = """
    (dolist (name '(ai-sidecar-program ai-sidecar-options))
      (princ (list (risky-local-variable-p name) (safe-local-variable-p name "/x"))))
    """
    assert await emacs(lisp) == "(t nil)(t nil)"


@pytest.mark.asyncio
async def test_it_compiles_without_a_warning(emacs: Emacs, tmp_path: Path) -> None:
    copy = tmp_path / "copy.el"
    shutil.copy(ROOT / "editors/emacs/ai-sidecar.el", copy)
    lisp = '(setq byte-compile-error-on-warn t) (princ (byte-compile-file "copy.el"))'
    assert await emacs(lisp) == "t"
