"""A class at work, for tests and benchmarks: a hub on loopback, and pupils who use it.

They come through the hub's own forms and API, as a browser does.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import requests
import websocket

BIN = Path(sys.executable).parent
PASSWORD = "dust on the statue"
CONFIG = Path(__file__).resolve().parents[1] / "diffusion_helpers/classroom/jupyterhub_config.py"


def why_not():
    """Why no hub can be started here, in a sentence; None where one can."""
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
    for name in ("jupyterhub", "configurable-http-proxy"):
        if not shutil.which(name, path=path):
            return (
                f'{name} is missing: install with pip install -e ".[classroom]" and the command '
                "for the proxy in the README."
            )
    return None


def has_systemd():
    return Path("/run/systemd/system").is_dir() and os.geteuid() == 0


def free_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


@contextlib.contextmanager
def hub(folder, command, settings=""):
    """Start the hub of the class in `folder`; yields its address, and stops it and all it started.

    `settings` are lines for local_config.py; ports are chosen here, so that hubs can stand side by
    side.
    """
    url = f"http://127.0.0.1:{free_port()}"
    ports = (
        f'c.JupyterHub.bind_url = "{url}"\n'
        f"c.JupyterHub.hub_port = {free_port()}\n"
        f'c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{free_port()}"\n'
    )
    (folder / "local_config.py").write_text(ports + settings)
    env = os.environ | {"SCULPTOR_CLASS": str(folder)}
    with (folder / "hub.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True
        )
        try:
            process.stdin.write(f"{PASSWORD}\n")  # where the command asks for the instructor's
            process.stdin.close()
            wait_for(url, process, folder / "hub.log")
            yield url
        finally:
            process.send_signal(signal.SIGTERM)  # the hub stops the servers and its proxy
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for(url, process, log, seconds=120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(f"{url}/hub/login", timeout=5).ok:
                return
        time.sleep(0.3)
    raise RuntimeError(f"The hub did not start:\n{log.read_text()[-3000:]}")


def words(page):
    """What stands in the coloured box of a page, or below the fields of a form."""
    boxes = re.findall(r'<(?:div|p) class="(?:alert|login_error)[^>]*>(.*?)</', page, re.S)
    return " ".join(re.sub("<[^>]+>", " ", " ".join(boxes)).split())


class Full(Exception):
    """The hub has no place for one more server."""


class Pupil:
    """One person with a browser."""

    def __init__(self, url, name, password=PASSWORD):
        self.url, self.name, self.password = url, name, password
        self.browser = requests.Session()
        self.token = self.kernel = None

    def submit(self, page, **fields):
        """Fill in the form on a page of the hub."""
        # Redirects are not followed: after the login they would start a server.
        self.browser.get(f"{self.url}/hub/{page}", timeout=60, allow_redirects=False)
        fields["_xsrf"] = self.browser.cookies.get("_xsrf", path="/hub/")
        return self.browser.post(
            f"{self.url}/hub/{page}", data=fields, timeout=60, allow_redirects=False
        )

    def sign_up(self):
        """The words with which the hub answers."""
        answer = self.submit(
            "signup",
            username=self.name,
            signup_password=self.password,
            signup_password_confirmation=self.password,
        )
        return words(answer.text)

    def log_in(self):
        """Nothing where the hub lets this person in, otherwise the words with which it does not."""
        answer = self.submit("login", username=self.name, password=self.password)
        if answer.status_code != 302:
            return words(answer.text)
        xsrf = {"X-XSRFToken": self.browser.cookies.get("_xsrf", path="/hub/")}
        tokens = f"{self.url}/hub/api/users/{self.name}/tokens"
        answer = self.browser.post(tokens, headers=xsrf, json={}, timeout=60)
        answer.raise_for_status()
        self.token = answer.json()["token"]
        return ""

    def approve(self, name):
        """As an instructor: let the person called `name` in."""
        return self.browser.get(f"{self.url}/hub/authorize/{name}", timeout=60)

    def ask(self, method, path, **more):
        """A request with this person's token; path after the address of the hub."""
        headers = {"Authorization": f"token {self.token}"}
        return requests.request(method, f"{self.url}/{path}", headers=headers, timeout=120, **more)

    def start(self, seconds=180):
        """Start this person's server and wait for it; raises Full where there is no place."""
        deadline = time.monotonic() + seconds
        path = f"hub/api/users/{self.name}"
        answer = self.ask("POST", f"{path}/server")
        while answer.status_code == 429 and "Too many users" in answer.text:
            time.sleep(1)  # several start at once: ask again, as the page does
            answer = self.ask("POST", f"{path}/server")
        if answer.status_code == 429:
            raise Full(answer.json()["message"])
        answer.raise_for_status()
        while not self.ask("GET", path).json()["servers"].get("", {}).get("ready"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"The server of {self.name} is not ready after {seconds} s.")
            time.sleep(0.3)

    def stop(self):
        self.ask("DELETE", f"hub/api/users/{self.name}/server")
        while self.ask("GET", f"hub/api/users/{self.name}").json()["servers"]:
            time.sleep(0.3)

    def read(self, path, **more):
        """A file or folder of this person's, through their server."""
        return self.ask("GET", f"user/{self.name}/api/contents/{path}", **more)

    def open_kernel(self):
        answer = self.ask("POST", f"user/{self.name}/api/kernels", json={"name": "python3"})
        answer.raise_for_status()
        address = self.url.replace("http", "ws", 1)
        self.kernel = websocket.create_connection(
            f"{address}/user/{self.name}/api/kernels/{answer.json()['id']}/channels",
            header=[f"Authorization: token {self.token}"],
            timeout=600,
        )

    def run(self, code):
        """Run code in the kernel; returns what it printed, raises RuntimeError where it fails."""
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": "pupil"}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        self.kernel.send(json.dumps({**message, "channel": "shell"}))
        printed = ""
        while True:
            answer = self.kernel.recv()
            if isinstance(answer, bytes):  # pictures and the like of widgets
                continue
            answer = json.loads(answer)
            content = answer["content"]
            if answer["msg_type"] == "status" and content["execution_state"] in (
                "restarting",
                "dead",
            ):
                raise RuntimeError("The kernel died.")
            if answer["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            if answer["msg_type"] == "stream":
                printed += content["text"]
            if answer["msg_type"] == "error":
                raise RuntimeError(f"{content['ename']}: {content['evalue']}")
            if answer["msg_type"] == "execute_reply":
                return printed

    def run_lesson(self, name):
        """Run all cells of a lesson from this person's own folder; returns the seconds it took."""
        started = time.monotonic()
        notebook = self.read(f"lessons/{name}").json()["content"]
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                self.run("".join(cell["source"]))
        return time.monotonic() - started

    def answer_time(self):
        """Seconds until the kernel has added two numbers."""
        started = time.monotonic()
        self.run("1 + 1")
        return time.monotonic() - started

    def processes(self):
        """What runs for this person on this machine: the server and its kernels."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("JUPYTERHUB_USER") == self.name:
                    yield process

    def memory(self):
        """Bytes that these take (PSS: what several share is divided among them)."""
        return sum(process.memory_full_info().pss for process in self.processes())

    def processor(self):
        """Seconds of one core that these have used."""
        return sum(sum(process.cpu_times()[:2]) for process in self.processes())
