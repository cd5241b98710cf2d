"""The TMI dialect without I/O: lines, capabilities, both ends of a connection, the follower.

Nothing here waits, reads a clock or opens a socket. Connections are fed with bytes and drained of
events and bytes; the rules they keep are the rows of `docs/protocol.md`.
"""
