"""`python3 tools/check.py`: installs everything, then runs the tests.

Without arguments those marked slow (editors, proxies, load, soak) are left to CI. Arguments go to
pytest: `python3 tools/check.py -m slow tests/editors`.
"""

import os
import sys

from bootstrap import ALL, ROOT, install, replace_process

if __name__ == "__main__":
    programs = install(ALL)
    os.chdir(ROOT)
    chosen = sys.argv[1:]
    if not chosen and not os.environ.get("CI"):
        chosen = ["-m", "not slow"]
    replace_process([str(programs / "python"), "-m", "pytest", "-q", *chosen])
