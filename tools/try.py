"""`python3 tools/try.py "a question"`: installs everything, then the embedded model answers.

No key, no account, and after the installation no network. All arguments go to `ai-sidecar ask`.
"""

import sys

from bootstrap import TRY, install, replace_process

if __name__ == "__main__":
    asked = sys.argv[1:] or ["Write a short poem about a text editor."]
    programs = install(TRY)
    # Few, for a model this small; a later --max-tokens wins.
    command = ["ask", "--provider", "local", "--max-tokens", "200"]
    replace_process([str(programs / "ai-sidecar"), *command, *asked])
