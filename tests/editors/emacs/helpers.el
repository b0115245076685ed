;;; helpers.el --- What the scripts of the tests share -*- lexical-binding: t -*-

(setq package-user-dir "/nonexistent")
(require 'ai-sidecar)

(defun wait-for (what)
  "Let processes speak until WHAT gives something, for half a minute at most."
  (let ((until (+ (float-time) 30)) found)
    (while (not (setq found (funcall what)))
      (when (> (float-time) until) (error "waited for %S in vain" what))
      (accept-process-output nil 0.05))
    found))

(defun wait-for-answers ()
  (wait-for (lambda () (zerop (hash-table-count ai-sidecar--running)))))

(defun answers ()
  (with-current-buffer "*ai-sidecar*" (buffer-string)))
