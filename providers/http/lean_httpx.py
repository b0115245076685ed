"""The one place that imports httpx.

httpx tries to import its own command line program; where click, rich and pygments happen to be
installed, that succeeds and costs 7 MB and 0.2 s for something that is never used here. It may
know nothing else.
"""

import sys

if "httpx" in sys.modules:
    import httpx as httpx
else:
    # None makes `import httpx._main` an ImportError, which httpx expects and handles.
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
    try:
        import httpx as httpx
    finally:
        del sys.modules["httpx._main"]
