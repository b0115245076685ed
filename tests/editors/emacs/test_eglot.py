"""Eglot, as a client of the program: nothing is tied to one editor."""

import json

import pytest

from tests.contract import chat
from tests.editors.emacs.conftest import Emacs
from tests.http.server import RawServer

pytestmark = pytest.mark.slow

# Eglot is Emacs' own from 29 on; for 28 it is a package, which Debian has where `package` looks.
EGLOT = """
(unless (locate-library "eglot")
  (dolist (folder (file-expand-wildcards "/usr/share/emacs/site-lisp/elpa/*-[0-9]*"))
    (add-to-list 'load-path folder)))
(require 'eglot)
(setq eglot-sync-connect 20 eglot-send-changes-idle-time 0.05)
(add-to-list 'eglot-server-programs '((text-mode python-mode) . ai-sidecar-contact))
(make-directory "my proj/.git" t)
(write-region "naïve 😀 thing\\n" nil "my proj/größe.txt" nil 'silent)
(find-file "my proj/größe.txt")
(apply #'eglot (eglot--guess-contact))
(setq server (eglot-current-server))
(defun end-position () (eglot--pos-to-lsp-position (point-max)))
"""


@pytest.mark.asyncio
async def test_documents_are_in_step_and_completions_come(emacs: Emacs, service: RawServer) -> None:
    service._scripts = lambda _request: chat.streamed(["tail"])
    said = await emacs(
        EGLOT
        + """
        (goto-char (point-max))
        (insert "größer 😀 ")
        (eglot--signal-textDocument/didChange)
        (let ((answer (jsonrpc-request server :textDocument/inlineCompletion
                        (list :textDocument (eglot--TextDocumentIdentifier)
                              :position (end-position) :context '(:triggerKind 1)))))
          (princ (plist-get (aref (plist-get answer :items) 0) :insertText)))
        (eglot-shutdown server)
        (wait-for (lambda () (not (process-live-p (jsonrpc--process server)))))
        (princ ";ended")
        """
    )
    assert said.endswith("tail;ended")
    (asked,) = [json.loads(request.body) for request in service.requests]
    assert "naïve 😀 thing\ngrößer 😀 " in asked["messages"][-1]["content"]


@pytest.mark.asyncio
async def test_the_methods_of_our_own(emacs: Emacs, service: RawServer) -> None:
    said = await emacs(
        EGLOT
        + """
        (princ (plist-get (jsonrpc-request server :ai/stream '(:prompt "hi")) :text))
        (princ (length (plist-get (jsonrpc-request server :ai/models (make-hash-table)) :models)))
        (eglot-shutdown server)
        """
    )
    assert "grüße 😀" in said


@pytest.mark.asyncio
async def test_a_code_action_changes_the_buffer(emacs: Emacs, service: RawServer) -> None:
    """Eglot 1.9 resolves nothing: it runs the action's command, and is sent the edit."""
    answer = "def add(größe, b):\n    # the sum\n    return größe + b"
    service._scripts = lambda _request: chat.streamed([answer])
    said = await emacs(
        EGLOT.replace("größe.txt", "my code.py")  # 1.9 misreads a name that is not ASCII
        + """
        (erase-buffer)
        (insert "x = '😀'\\n\\ndef add(größe, b):\\n    return größe + b\\n")
        (goto-char (point-min))
        (search-forward "def ad")
        (setq last-nonmenu-event ?x ; no mouse: no popup
              eglot-confirm-server-initiated-edits nil)
        (cl-letf (((symbol-function 'completing-read)
                   (lambda (_prompt items &rest _)
                     (cl-find-if (lambda (title) (string-match-p "document" title))
                                 (mapcar #'car items)))))
          (eglot-code-actions (point) (point) nil t))
        (wait-for (lambda () (string-match-p "the sum" (buffer-string))))
        (princ (buffer-string))
        (eglot-shutdown server)
        """
    )
    assert said.endswith("x = '😀'\n\ndef add(größe, b):\n    # the sum\n    return größe + b\n")
