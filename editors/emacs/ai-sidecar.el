;;; ai-sidecar.el --- Ask any model provider, by ai-sidecar -*- lexical-binding: t -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1"))
;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; `ai-sidecar-ask' streams an answer into a buffer, beside whatever language server a buffer has:
;; it starts the program for itself, once.  `ai-sidecar-cancel' stops it, and what it costs, too.
;; `ai-sidecar-contact' is for `eglot-server-programs', where no other server is wanted.

;;; Code:

(require 'cl-lib)
(require 'jsonrpc)
(require 'seq)
(require 'subr-x)

(defgroup ai-sidecar nil "Model providers, by the program ai-sidecar." :group 'tools)

(defcustom ai-sidecar-program nil
  "The program's path; nil looks on `exec-path', then where it is installed to."
  :type '(choice (const nil) file)
  :risky t) ; a workspace's .dir-locals.el may not say what is run

(defcustom ai-sidecar-options nil
  "The configuration that is sent, as a plist; nil is for the user file alone.
For example (:default \"anthropic/claude-sonnet-4-5\")."
  :type 'plist
  :risky t)

(defvar ai-sidecar--connection nil)
(defvar ai-sidecar--asked 0)
(defvar ai-sidecar--running (make-hash-table :test #'equal)
  "Token of a running request -> the marker at which its text goes on.")

(defconst ai-sidecar--clone
  (when-let ((file (or load-file-name buffer-file-name)))
    (expand-file-name (if (eq system-type 'windows-nt) "../../.venv/Scripts" "../../.venv/bin")
                      (file-name-directory (file-truename file))))
  "Where the clone that this file lies in has the program.")

(defun ai-sidecar-find ()
  "Return the program's path, or signal a `user-error' that says what to do."
  (let ((exec-path (append exec-path
                           (list (expand-file-name "~/.local/bin"))
                           (and ai-sidecar--clone (list ai-sidecar--clone))
                           (list (expand-file-name "~/.local/share/ai-sidecar/venv/bin")))))
    (or (executable-find (or ai-sidecar-program "ai-sidecar"))
        (user-error "ai-sidecar was not found: install it, or set `ai-sidecar-program'"))))

(defun ai-sidecar-contact (&rest _)
  "Return how Eglot starts the program."
  `(,(ai-sidecar-find) ,@(and ai-sidecar-options `(:initializationOptions ,ai-sidecar-options))))

(defun ai-sidecar--start ()
  "Start the program and introduce ourselves."
  (let* ((default-directory (expand-file-name "~/")) ; not the workspace's
         (program (ai-sidecar-find))
         (connection
          (make-instance
           'jsonrpc-process-connection
           :name "ai-sidecar"
           :notification-dispatcher #'ai-sidecar--notified
           :on-shutdown (lambda (_) (setq ai-sidecar--connection nil))
           :process (lambda ()
                      (make-process :name "ai-sidecar" :command (list program) :noquery t
                                    :connection-type 'pipe :coding 'utf-8-emacs-unix
                                    :stderr (get-buffer-create " *ai-sidecar stderr*"))))))
    ;; Without a log of every token, which is unbounded in Emacs 28.
    (when (slot-exists-p connection '-events-buffer-scrollback-size)
      (setf (slot-value connection '-events-buffer-scrollback-size) 0))
    (let (introduced)
      (unwind-protect
          (progn
            (jsonrpc-request connection :initialize
                             `(:processId ,(emacs-pid) :rootUri nil :capabilities ,(make-hash-table)
                               :clientInfo (:name "ai-sidecar.el")
                               :initializationOptions ,(or ai-sidecar-options (make-hash-table))))
            (jsonrpc-notify connection :initialized (make-hash-table))
            (setq introduced t))
        ;; One that refuses, or that is quit while it is waited for, is not left behind.
        (unless introduced (delete-process (jsonrpc--process connection)))))
    (setq ai-sidecar--connection connection)))

(defun ai-sidecar--notified (_connection method params)
  "Handle what the program tells: METHOD with PARAMS."
  (when-let* ((token (and (eq method '$/progress) (plist-get params :token)))
              (marker (gethash token ai-sidecar--running)))
    (let ((value (plist-get params :value)))
      (pcase (plist-get value :kind)
        ("text" (ai-sidecar--insert marker (plist-get value :text)))
        ("retry" (message "%s: %s; asking again"
                          (plist-get value :provider)
                          (plist-get (plist-get value :error) :kind)))))))

(defun ai-sidecar--insert (marker text)
  "Insert TEXT at MARKER; windows that show the end keep showing it."
  (when (buffer-live-p (marker-buffer marker))
    (with-current-buffer (marker-buffer marker)
      (let ((following (seq-filter (lambda (window) (= (window-point window) marker))
                                   (get-buffer-window-list nil nil t)))
            (inhibit-read-only t))
        (save-excursion
          (goto-char marker)
          (insert text)
          (set-marker marker (point))) ; here, since markers of other answers may be where it was
        (dolist (window following) (set-window-point window marker))))))

(defvar ai-sidecar-answer-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "C-c C-k") #'ai-sidecar-cancel)
    (define-key map "a" #'ai-sidecar-ask)
    map))

(define-derived-mode ai-sidecar-answer-mode special-mode "AI"
  "Major mode of the buffer with the answers."
  (visual-line-mode))

;;;###autoload
(defun ai-sidecar-ask (prompt)
  "Ask PROMPT, and stream the answer into a buffer.
An active region goes with it.  Return the request's token."
  (interactive "sAsk: ")
  (let* ((about (and (use-region-p)
                     (buffer-substring-no-properties (region-beginning) (region-end))))
         (connection (or ai-sidecar--connection (ai-sidecar--start)))
         (token (format "ask-%d" (cl-incf ai-sidecar--asked)))
         (done (lambda (text)
                 (when-let ((marker (gethash token ai-sidecar--running)))
                   (remhash token ai-sidecar--running)
                   (ai-sidecar--insert marker text)
                   (set-marker marker nil)))))
    (with-current-buffer (get-buffer-create "*ai-sidecar*")
      (unless (derived-mode-p 'ai-sidecar-answer-mode) (ai-sidecar-answer-mode))
      (goto-char (point-max))
      (let ((inhibit-read-only t))
        (insert (propertize (format "> %s\n\n" prompt) 'face 'bold)))
      (puthash token (copy-marker (point-max)) ai-sidecar--running)
      (display-buffer (current-buffer)))
    (jsonrpc-async-request
     connection :ai/stream
     `(:prompt ,(if about (format "%s\n\n```\n%s\n```" prompt about) prompt)
       :partialResultToken ,token :workDoneToken ,(concat token "-work"))
     :timeout nil
     :success-fn (lambda (_result) (funcall done "\n\n"))
     :error-fn (lambda (error)
                 (funcall done (if (eql (plist-get error :code) -32800)
                                   "\n[cancelled]\n\n"
                                 (format "\n[%s]\n\n" (plist-get error :message))))))
    token))

(defun ai-sidecar-cancel ()
  "Stop every running answer."
  (interactive)
  (dolist (token (hash-table-keys ai-sidecar--running))
    (jsonrpc-notify ai-sidecar--connection :window/workDoneProgress/cancel
                    `(:token ,(concat token "-work")))))

(provide 'ai-sidecar)
;;; ai-sidecar.el ends here
