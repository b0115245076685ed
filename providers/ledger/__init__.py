"""What was used and what it cost, kept in a file that the processes of one user share.

`Ledger` is for the event loop and knows no database; `Keeper` is its thread; `LedgerFile` the one
place that knows SQLite; `read_usage` adds up for people. No text of a prompt or an answer, and no
key, is ever in it.
"""
