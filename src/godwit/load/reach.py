"""Which servers may be put under load: those on this machine and in private networks."""

from __future__ import annotations

import ipaddress
import socket

from godwit.load.crowd import LoadFailed


def allow(address: str, *, owned: bool) -> None:
    """Make sure that a server is the operator's to load.

    Args:
        address: `host:port`.
        owned: the operator says that it is his own, wherever it is.

    Raises:
        LoadFailed: it has no such form, is not known, or lies in a public network.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise LoadFailed(f"{address!r} is no address: give HOST:PORT, such as 127.0.0.1:6667")
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)}
    except OSError as error:
        raise LoadFailed(f"{host} is not known: {error.strerror or error}") from error
    public = sorted(ip for ip in map(str, found) if not is_near(ip))
    if public and not owned:
        also = "" if public == [host.strip("[]")] else f" ({', '.join(public)})"
        raise LoadFailed(
            f"{host}{also} is a public address. A bench is thousands of connections and all the traffic "
            "that a server can bear; pointed at a server of somebody else it is an attack. Benches run against "
            "loopback and private networks; if that server is your own, say so with --i-own-it"
        )


def is_near(address: str) -> bool:
    """Whether an IP address is of this machine or of a private network (RFC 1918, RFC 4193, RFC 3927)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    return ip.is_loopback or (ip.is_private and not ip.is_unspecified) or ip.is_link_local
