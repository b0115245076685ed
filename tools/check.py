"""`python3 tools/check.py`: installs everything, then runs the tests.

Arguments go to pytest: `python3 tools/check.py -m "not slow"`.
"""

import os
import sys

from bootstrap import ALL, ROOT, install, replace_process

if __name__ == "__main__":
    programs = install(ALL)
    os.chdir(ROOT)
    replace_process([str(programs / "python"), "-m", "pytest", "-q", *sys.argv[1:]])
