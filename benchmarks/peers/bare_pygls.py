"""A pygls server without a single feature: the reference of start-up and memory.

python -m benchmarks.peers.bare_pygls
"""

from pygls.lsp.server import LanguageServer

if __name__ == "__main__":
    LanguageServer("bare", "0").start_io()
