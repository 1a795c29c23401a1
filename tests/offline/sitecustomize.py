"""Keep Python off the network: only this machine can be reached.

Python imports `sitecustomize` when it starts, so every process with this folder on its
PYTHONPATH is guarded: notebook kernels, Jupyter servers, scripts. `tests/conftest.py` puts the
folder there and loads this file into the test process too.
"""

import importlib.util
import ipaddress
import os
import socket
import sys
from importlib.machinery import PathFinder


class LessonsWorkOffline(OSError):
    """A lesson tried to reach another machine."""


def is_this_machine(host):
    """True for loopback addresses, the names of this machine and the "any address" of a server."""
    if host is None:
        return True
    host = (host.decode() if isinstance(host, bytes) else str(host)).lower().rstrip(".")
    if host in ("", "localhost", socket.gethostname().lower()) or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def check(host):
    if not is_this_machine(host):
        name = host.decode(errors="replace") if isinstance(host, bytes) else host
        raise LessonsWorkOffline(f"a lesson tried to reach {name}: lessons must work offline")


def guard(function, host_of):
    """`function`, but it first checks the host that `host_of` finds in its arguments."""

    def guarded(*args, **kwargs):
        check(host_of(*args, **kwargs))
        return function(*args, **kwargs)

    guarded.works_offline = True
    return guarded


def host_of_address(sock, *args):
    """The host in `connect(address)` and `sendto(data, address)`; None for a local socket."""
    return args[-1][0] if sock.family in (socket.AF_INET, socket.AF_INET6) else None


def host_of_lookup(host, *args, **kwargs):
    """The host in `getaddrinfo(host, port, ...)` and `gethostbyname(host)`."""
    return host


def install():
    if hasattr(socket.getaddrinfo, "works_offline"):
        return
    for name in ("connect", "connect_ex", "sendto"):
        setattr(socket.socket, name, guard(getattr(socket.socket, name), host_of_address))
    # create_connection and asyncio look names up through getaddrinfo, so they are covered too.
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        setattr(socket, name, guard(getattr(socket, name), host_of_lookup))
    # A proxy on this machine would be a way out.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"


def run_the_next_sitecustomize():
    """Ours comes first on the path; the one it hides must still run."""
    here = os.path.realpath(os.path.dirname(__file__))
    others = [folder for folder in sys.path if os.path.realpath(folder) != here]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


install()
if __name__ == "sitecustomize":
    run_the_next_sitecustomize()
