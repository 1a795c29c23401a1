"""Firefox, headless, by its own protocol (WebDriver BiDi): no driver between, and nothing to build.

`firefox()` starts Debian's or the system's browser with a fresh profile and yields one tab, which
notes every error on the console and every request that would leave the machine.
"""

import itertools
import json
import re
import shutil
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import websocket
from browser import is_local

FIREFOXES = ("firefox-esr", "firefox")
NOWHERE = {"network.proxy.type": 1}  # a proxy that is not there, for all but this machine
for scheme in ("http", "ssl"):
    NOWHERE |= {f"network.proxy.{scheme}": "127.0.0.1", f"network.proxy.{scheme}_port": 9}
QUIET = {  # nothing that would call home
    "app.update.auto": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.tabs.remote.warmup.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.disable_open_during_load": False,
}
KEYS = {"ArrowLeft": "\ue012", "ArrowRight": "\ue014", "Home": "\ue011", "End": "\ue010"}


def find():
    """The browser's path, or None."""
    return next(filter(None, map(shutil.which, FIREFOXES)), None)


@contextmanager
def firefox():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        choices = {**NOWHERE, **QUIET}.items()
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in choices]
        Path(profile, "user.js").write_text("\n".join(lines), "utf-8")
        command = [find(), "--headless", "--remote-debugging-port=0", "--profile", profile]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, **pipes) as browser:
            try:
                yield Tab(f"{_address(browser.stderr)}/session")
            finally:
                browser.terminate()


def _address(said):
    """Where it listens, as it says itself."""
    for line in said:
        if found := re.search(r"BiDi listening on (\S+)", line):
            threading.Thread(target=said.read, daemon=True).start()  # or its pipe would fill
            return found[1]
    raise RuntimeError("Firefox did not start")


class Tab:
    """`errors` and `outside` should be empty when a test ends."""

    def __init__(self, address):
        self.socket = websocket.create_connection(address, timeout=180, suppress_origin=True)
        self.ids, self.errors, self.outside = itertools.count(1), [], []
        self.do("session.new", capabilities={})
        self.do("browser.setDownloadBehavior", downloadBehavior={"type": "denied"})
        self.do("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self.context = self.do("browsingContext.getTree")["contexts"][0]["context"]

    def do(self, method, **params):
        """One command of the protocol, and its result."""
        mine = next(self.ids)
        self.socket.send(json.dumps({"id": mine, "method": method, "params": params}))
        while (said := json.loads(self.socket.recv())).get("id") != mine:
            self._hear(**said)
        if said["type"] == "error":
            raise RuntimeError(f"{method}: {said['message']}")
        return said["result"]

    def _hear(self, method="", params=None, **_):
        if method == "log.entryAdded" and params["level"] == "error":
            self.errors.append(params["text"])
        if method == "network.beforeRequestSent" and not is_local(params["request"]["url"]):
            self.outside.append(params["request"]["url"])

    def goto(self, address):
        self.do("browsingContext.navigate", context=self.context, url=address, wait="complete")

    def evaluate(self, code, argument=None):
        """What a function of JavaScript answers, called with one argument; both as JSON."""
        declared = f"async (given) => JSON.stringify(await ({code})(JSON.parse(given)))"
        got = self.do(
            "script.callFunction",
            functionDeclaration=declared,
            arguments=[{"type": "string", "value": json.dumps(argument)}],
            target={"context": self.context},
            awaitPromise=True,
        )
        if got["type"] == "exception":
            raise RuntimeError(got["exceptionDetails"]["text"])
        return json.loads(got["result"].get("value", "null"))

    def press(self, key):
        key = KEYS.get(key, key)
        both = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self._act({"type": "key", "id": "keys", "actions": both})

    def drag(self, *places):
        """The mouse goes down at the first place, over the others, up at the last; (x, y) each."""
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y)} for x, y in places]
        down, up = ({"type": f"pointer{way}", "button": 0} for way in ("Down", "Up"))
        moves[1:1] = [down]
        self._act({"type": "pointer", "id": "mouse", "actions": [*moves, up]})

    def _act(self, action):
        self.do("input.performActions", context=self.context, actions=[action])

    def check_quiet(self):
        self.evaluate("() => 0")  # what was said before has come
        assert not self.errors, "errors on the console:\n" + "\n".join(self.errors)
        assert not self.outside, "requests to other machines:\n" + "\n".join(self.outside)
