"""`python -m tests.corpus`: how many recorded answers are read as they were meant.

Prints one line per provider and wire format, then every answer that differs.
"""

import sys
from collections import Counter

from tests.conftest import shared_folder
from tests.corpus.known import reason_of
from tests.corpus.replay import body_of, differences, replay, rows


def main() -> int:
    shared = shared_folder()
    if shared is None:
        sys.stdout.write("recorded answers not found: set AI_SIDECAR_SHARED to their folder\n")
        return 1
    read: Counter[tuple[str, str]] = Counter()
    good: Counter[tuple[str, str]] = Counter()
    listed: list[str] = []
    for row in rows(shared):
        key = (row["wire_format"], row["provider"])
        read[key] += 1
        found = differences(row, replay(row, body_of(row, shared)))
        if not found:
            good[key] += 1
            continue
        listed.append(f"{key[0]} {key[1]} {row['id']}")
        listed += [f"    {line}" for line in found]
        listed.append(f"    known: {reason_of(row) or 'NO'}")
    for key in sorted(read):
        share = good[key] / read[key]
        sys.stdout.write(f"{key[0]:26} {key[1]:20} {good[key]:4} of {read[key]:4}  {share:7.2%}\n")
    total, right = read.total(), good.total()
    sys.stdout.write(f"{'all':47} {right:4} of {total:4}  {right / total:7.2%}\n\n")
    sys.stdout.write("\n".join(listed) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
