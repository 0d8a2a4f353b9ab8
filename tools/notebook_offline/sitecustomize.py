"""Python without a network: put this folder on PYTHONPATH and every Python process is cut off, children included.

Python imports `sitecustomize` when it starts. From then on a connection or a name lookup that would leave the machine
raises `NetworkBlocked` at once and adds a line to the file named by COURSE_NETWORK_LOG, so that an attempt is known
even if the program catches the error. Loopback stays open: a Jupyter kernel lives on it.

Programs that are not Python, and C libraries that open sockets by themselves, are not covered.
"""

import ipaddress
import os
import socket
import sys

LOG_VARIABLE = "COURSE_NETWORK_LOG"


class NetworkBlocked(OSError):
    """A connection or a name lookup that would have left the machine."""


def is_local(host):
    """Say whether `host` (a name, an address, bytes, or None for "this machine") is reached without a network."""
    if host is None:
        return True
    name = host.decode("idna") if isinstance(host, (bytes, bytearray)) else str(host)
    if name in ("", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse(action, host):
    if is_local(host):
        return
    if log := os.environ.get(LOG_VARIABLE):
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{action} {host}\n")
    raise NetworkBlocked(f"{action} {host}: the network is blocked here; the course must run without one.")


def _host_of(address):
    """Return the host of an internet address; None for the address of a socket that can't leave the machine."""
    return address[0] if isinstance(address, tuple) else None


_LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
_SENDS = {"socket.connect": "connect to", "socket.sendto": "send to", "socket.sendmsg": "send to"}


def _audit(event, arguments):
    if event in _LOOKUPS:
        _refuse("look up", arguments[0])
    elif event == "socket.getnameinfo":
        _refuse("look up", _host_of(arguments[0]))
    elif event in _SENDS:
        _refuse(_SENDS[event], _host_of(arguments[1]))


def _guard_method(name, action):
    """Check a socket method's address before C code looks its name up, which no audit event announces."""
    original = getattr(socket.socket, name)

    def method(self, *arguments):
        _refuse(action, _host_of(arguments[-1]))
        return original(self, *arguments)

    setattr(socket.socket, name, method)


sys.addaudithook(_audit)
for _name, _action in (("connect", "connect to"), ("connect_ex", "connect to"), ("sendto", "send to")):
    _guard_method(_name, _action)
