"""The guard of `tests/offline` holds where lessons run: here, in a child, in a notebook kernel."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from test_lessons import LESSONS, REPO

SENTENCE = "a lesson tried to reach {}: lessons must work offline"
REACH_OUT = "import urllib.request\nurllib.request.urlopen('http://example.com', timeout=5)"


def ask_by_name():
    urllib.request.urlopen("http://example.com", timeout=5)


def open_a_connection():
    socket.create_connection(("example.com", 80), timeout=5)


def look_a_name_up():
    socket.getaddrinfo("example.com", 80)


def look_an_address_up():
    socket.gethostbyname("example.com")


def connect_from_a_coroutine():
    asyncio.run(asyncio.open_connection("example.com", 80))


@pytest.mark.parametrize(
    "reach_out",
    [ask_by_name, open_a_connection, look_a_name_up, look_an_address_up, connect_from_a_coroutine],
)
def test_a_name_cannot_be_reached(reach_out):
    # urllib wraps the error in its own, which quotes the sentence.
    with pytest.raises(OSError, match=SENTENCE.format("example.com")):
        reach_out()


# Addresses set aside for documentation: nobody answers there, whatever happens.
@pytest.mark.parametrize(
    "family, address", [(socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")]
)
@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_an_address_cannot_be_reached(method, family, address):
    with socket.socket(family) as sock:
        sock.settimeout(5)
        with pytest.raises(OSError, match=SENTENCE.format(address)):
            getattr(sock, method)((address, 80))


def test_a_datagram_cannot_be_sent():
    with (
        socket.socket(type=socket.SOCK_DGRAM) as sock,
        pytest.raises(OSError, match=SENTENCE.format("192.0.2.1")),
    ):
        sock.sendto(b"hello", ("192.0.2.1", 9))


def test_a_proxy_on_this_machine_is_no_way_out(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(OSError, match=SENTENCE.format("example.com")):
        ask_by_name()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_can_be_reached(host):
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = threading.Thread(target=lambda: server.accept()[0].sendall(b"here"))
        answer.start()
        with socket.create_connection((host, server.getsockname()[1]), timeout=5) as sock:
            assert sock.recv(4) == b"here"
        answer.join()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no local sockets")
def test_local_sockets_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a local socket must be short
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as sock:
        server.bind("socket")
        server.listen()
        sock.connect("socket")


def test_a_child_process_cannot_reach_out():
    child = subprocess.run([sys.executable, "-c", REACH_OUT], capture_output=True, text=True)
    assert child.returncode != 0
    assert SENTENCE.format("example.com") in child.stderr


def test_a_notebook_cannot_reach_out():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(REACH_OUT)])
    with pytest.raises(CellExecutionError, match=SENTENCE.format("example.com")):
        NotebookClient(notebook, kernel_name="python3", timeout=60).execute()


def test_a_hidden_sitecustomize_still_runs(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('the hidden one ran')", encoding="utf-8")
    path = os.environ["PYTHONPATH"] + os.pathsep + str(tmp_path)
    child = subprocess.run(
        [sys.executable, "-c", REACH_OUT],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert "the hidden one ran" in child.stdout
    assert SENTENCE.format("example.com") in child.stderr


def test_hugging_face_stays_offline():
    from huggingface_hub import constants

    assert constants.HF_HUB_OFFLINE


@pytest.mark.parametrize("url", ["http://example.com/x", "http://192.0.2.1/x"])
def test_a_page_cannot_reach_out(visit, url):
    with visit() as tab:
        answer = tab.page.evaluate("(url) => fetch(url).then(() => 'came', String)", url)
        assert answer.startswith("TypeError") and tab.outside == [url]
        with pytest.raises(AssertionError, match="ERR_FAILED"):
            tab.check_quiet()


# ---- counted, without the guard -----------------------------------------------------------------

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.mark.slow
@pytest.mark.skipif(not ROOT, reason="only root can lay a wire of its own")
@pytest.mark.skipif(not (shutil.which("unshare") and shutil.which("ip")), reason="needs Linux's ip")
def test_no_byte_leaves_while_the_lessons_run():
    guarded = {"PYTHONPATH", "HF_HUB_OFFLINE"}
    env = {name: value for name, value in os.environ.items() if name not in guarded}
    env["PYTHONPATH"] = str(REPO)
    program = [sys.executable, REPO / "tests" / "count_sent_bytes.py"]
    lessons = [REPO / "notebooks" / name for name in LESSONS]
    ran = subprocess.run(
        ["unshare", "--net", *program, *lessons], env=env, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    cry, leaked = map(int, ran.stdout.split()[-2:])
    assert cry > 0  # the wire counts
    assert leaked == 0
