"""From a request to a stream of tokens, for every model provider.

This package is usable as a library on its own: it knows neither LSP nor JSON-RPC. Imports point
down: manager, registry -> vendors -> {http, auth, policy, dialects} -> {wire, base, types, errors,
catalog}. Dialects and policy do no I/O.
"""
