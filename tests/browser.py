"""A real browser on a real JupyterLab, for tests that work as a student does.

`chromium()` starts Debian's browser, `jupyter_lab()` a server of its own on the loopback, and
`Visit` is one tab that notes every error on the console and every request that leaves the machine.
"""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import psutil

REPO = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = [  # nothing that would call home
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEW = {"width": 1366, "height": 900}  # a common laptop
SETTINGS = {
    # Keep every cell in the page: windowing takes those out that are scrolled out of sight.
    "notebook-extension/tracker": '{"windowingMode": "none"}',
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
}
LOCAL = {"127.0.0.1", "localhost", "::1"}


def why_not():
    """The reason why there can be no browser here, or None."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "playwright is not installed: pip install -e '.[test]'"
    if not any(map(shutil.which, BROWSERS)):
        return f"no browser found ({', '.join(BROWSERS)}): apt install chromium"


@contextmanager
def chromium():
    """A headless browser with a fresh profile; yields a function that opens a `Visit`."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=path, args=QUIET, viewport=VIEW
        )
        try:
            yield lambda: Visit(context)
        finally:
            context.close()


class Visit:
    """One tab. `errors` and `outside` should be empty when the test ends.

    `outside` holds the requests to other machines; they are blocked, as on a train.
    """

    def __init__(self, context):
        self.page = context.new_page()
        self.errors, self.outside = [], []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("websocket", lambda socket: self._is_local(socket.url))
        self.page.route("**/*", self._route)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.page.close()

    def check_quiet(self):
        assert not self.errors, "errors on the console:\n" + "\n".join(self.errors)
        assert not self.outside, "requests to other machines:\n" + "\n".join(self.outside)

    def _console(self, message):
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _route(self, route):
        route.continue_() if self._is_local(route.request.url) else route.abort()

    def _is_local(self, url):
        if not is_local(url):
            self.outside.append(url)
        return is_local(url)


def is_local(url):
    """Whether what stands there comes from this machine."""
    parts = urlsplit(url)
    return parts.scheme in ("file", "data", "blob") or parts.hostname in LOCAL


@dataclass
class Lab:
    """A running JupyterLab over the notebooks in `root`."""

    url: str
    token: str
    root: Path
    log: Path = field(repr=False)


@contextmanager
def jupyter_lab(root, home, words=()):
    """Run `jupyter lab` over `root`; its settings, workspaces and runtime files stay in `home`.

    words       said to JupyterLab in that folder, in place of what we say of root and browser
    The server, its kernels and their children are gone afterwards.
    """
    home = Path(home)
    for name, text in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lab = Lab(f"http://127.0.0.1:{port}", secrets.token_hex(16), Path(root), home / "server.log")
    command = [
        *(sys.executable, "-m", "jupyterlab", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        f"--IdentityProvider.token={lab.token}",
        *(words or ["--no-browser", f"--ServerApp.root_dir={lab.root}"]),
        "--LabApp.expose_app_in_browser=True",  # window.jupyterapp, to run its commands
        "--LabApp.extension_manager=readonly",  # asks no registry
    ]
    with lab.log.open("w") as log:
        server = subprocess.Popen(
            command, cwd=root, stdout=log, stderr=log, env=jupyter_environment(home)
        )
        try:
            _wait_for(lab, server)
            yield lab
        finally:
            _end(server)


def jupyter_environment(home):
    """This process's environment, with Jupyter's folders moved to `home` and our package found."""
    path = os.pathsep.join(filter(None, [str(REPO), os.environ.get("PYTHONPATH")]))
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    return os.environ | {"PYTHONPATH": path} | {k: str(home / v) for k, v in folders.items()}


def export_page(notebook, folder, *words):
    """The page that `jupyter nbconvert --to html` makes of a notebook, without its own process.

    words       said to it, too; what it reads of a reader's own settings would stand in `folder`
    """
    from nbconvert.nbconvertapp import NbConvertApp

    with mock.patch.dict(os.environ, jupyter_environment(folder)):
        app = NbConvertApp()
        app.initialize(["--to", "html", "--output-dir", str(folder), *words, str(notebook)])
        app.start()
    return folder / f"{notebook.stem}.html"


def _wait_for(lab, server, seconds=90):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            opener.open(f"{lab.url}/api?token={lab.token}", timeout=5).close()
            return
        except OSError:
            time.sleep(0.3)
    raise RuntimeError(f"jupyter lab did not start:\n{lab.log.read_text()[-3000:]}")


def _end(server):
    """Ask the server to leave, then end what is left: each kernel is a process group of its own."""
    if server.poll() is not None:
        return
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    server.terminate()
    _, alive = psutil.wait_procs(family, timeout=10)
    for process in alive:
        process.kill()
    server.wait()


# What each cell of the notebook in front looks like from inside the application.
CELLS = """() => jupyterapp.shell.currentWidget.content.widgets
  .filter((cell) => cell.model.type === "code" && cell.model.sharedModel.source.trim())
  .map((cell) => ({
    source: cell.model.sharedModel.source,
    count: cell.model.executionCount,
    error: cell.model.outputs.toJSON().filter((output) => output.output_type === "error")
      .map((output) => output.traceback.join("\\n")).join("\\n"),
  }))"""

RUN_ALL = """async () => {
  const panel = jupyterapp.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  window.ranAll = "running";
  jupyterapp.commands.execute("notebook:run-all-cells").then(
    () => { window.ranAll = "done"; }, (reason) => { window.ranAll = String(reason); });
}"""

IDLE = """() => window.ranAll !== "running"
  && jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === "idle" """


def open_notebook(page, lab, notebook, timeout=60):
    """Open `notebook` (a path below the server's root) and wait until it stands on the page."""
    assert (lab.root / notebook).exists(), f"there is no notebooks/{notebook}"
    page.goto(f"{lab.url}/lab/tree/{notebook}?reset&token={lab.token}")
    page.wait_for_function(
        "(path) => window.jupyterapp?.shell.currentWidget?.context?.path === path"
        " && jupyterapp.shell.currentWidget.context.isReady",
        arg=notebook,
        timeout=timeout * 1000,
    )


def open_and_run_all(page, lab, notebook, timeout=240):
    """Open `notebook`, run all its cells, wait for the last; fail with the traceback of an error.

    The waiting is bounded by `timeout` seconds.
    """
    open_notebook(page, lab, notebook)
    page.evaluate(RUN_ALL)
    page.wait_for_function(IDLE, timeout=timeout * 1000)
    cells = page.evaluate(CELLS)
    for cell in cells:
        traceback = re.sub(r"\x1b\[[0-9;]*m", "", cell["error"])
        assert not traceback, f"{notebook}: a cell failed\n{cell['source']}\n\n{traceback}"
    unrun = [cell["source"] for cell in cells if not cell["count"]]
    assert cells and not unrun, f"{notebook}: cells that did not run:\n" + "\n\n".join(unrun)
    return cells
