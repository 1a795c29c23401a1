"""Run lessons where every byte that wants to leave is counted: count_sent_bytes.py LESSON ...

Called in a network of its own (`unshare --net`, Linux, as root), whose only way out is a wire with
nobody at its other end. Prints the bytes sent by a first cry for help, which must be seen, and then
those that the lessons sent.
"""

import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from nbclient import NotebookClient
from shorten_lessons import shortened

WIRE = """
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
ip link add wire type veth peer name end
ip addr add 10.99.0.1/24 dev wire
ip link set lo up; ip link set end up; ip link set wire up
ip route add default via 10.99.0.2
ip neighbour add 10.99.0.2 lladdr 02:00:00:00:00:01 dev wire
"""


def bytes_out():
    devices = dict(line.split(":") for line in Path("/proc/net/dev").read_text().splitlines()[2:])
    return int({name.strip(): row for name, row in devices.items()}["wire"].split()[8])


def run(lesson):
    """All cells of a lesson, its trainings shortened."""
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(shortened(lesson), timeout=900, resources=resources).execute()


if __name__ == "__main__":
    subprocess.run(["bash", "-ec", WIRE], check=True)
    quiet = bytes_out()
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"help", ("192.0.2.1", 9))
    cry = bytes_out()
    for lesson in sys.argv[1:]:
        run(lesson)
    print(cry - quiet, bytes_out() - cry)
