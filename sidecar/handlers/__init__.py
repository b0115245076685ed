"""One file per method; `table.py` is the list. A handler never builds a JSON-RPC code."""
