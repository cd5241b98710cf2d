"""The send loop in C; `godwit.wire.sending` says what it promises."""

def send_all(sockets: list[int], data: bytes, /) -> list[tuple[int, int]]:
    """Do what `godwit.wire.sending.send_each` does, without the interpreter."""
