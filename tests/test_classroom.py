"""A class on one server: the configuration, the lessons handed out, and a hub with real pupils."""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hub_client
import jinja2
import nbformat
import pytest
import yaml
from hub_client import CONFIG, PASSWORD, Full, Pupil
from traitlets.config import PyFileConfigLoader

from diffusion_helpers.classroom import __main__ as command
from diffusion_helpers.classroom import student

pytestmark = pytest.mark.skipif(os.name == "nt", reason="JupyterHub does not run on Windows")

REPO = Path(__file__).resolve().parents[1]
KUBERNETES = CONFIG.parent / "kubernetes"
VALUES = yaml.safe_load((KUBERNETES / "values.yaml").read_text("utf-8"))
DOCKERFILE = (KUBERNETES / "Dockerfile").read_text("utf-8")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


# ---- the configuration --------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """The folder of a class with one instructor."""
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "instructors.json").write_text('{"teacher": ""}')
    return tmp_path


@pytest.fixture
def load(folder, monkeypatch):
    """A function that reads the configuration for the class in `folder`."""
    monkeypatch.setenv("SCULPTOR_CLASS", str(folder))
    monkeypatch.setenv("PATH", os.environ["PATH"])  # the configuration adds to it
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = os.umask(0)
    yield lambda: PyFileConfigLoader(CONFIG.name, path=str(CONFIG.parent)).load_config()
    os.umask(before)


def test_only_approved_people_with_a_password_come_in(load):
    c = load()
    assert c.JupyterHub.authenticator_class == "class_hub.ClassAuthenticator"
    assert "dummy" not in str(c).lower()
    assert c.Authenticator.admin_users == {"teacher"}
    assert c.NativeAuthenticator.open_signup is False
    assert c.NativeAuthenticator.minimum_password_length >= 10
    assert 0 < c.NativeAuthenticator.allowed_failed_logins <= 10
    assert c.NativeAuthenticator.seconds_before_next_try >= 60


@pytest.mark.parametrize("name", ["ada", "ada-2", "a.b_c", "x" * 30])
def test_names_that_can_be_a_folder_are_allowed(load, name):
    assert re.match(load().Authenticator.username_pattern, name)


@pytest.mark.parametrize("name", ["", "..", "../etc", "a/b", "a b", "{x}", "ada\n", "x" * 31, "-a"])
def test_other_names_are_not(load, name):
    assert not re.match(load().Authenticator.username_pattern, name)


def test_the_world_comes_in_through_a_web_server_only(load):
    assert load().JupyterHub.bind_url.startswith("http://127.0.0.1:")


def test_what_is_the_hubs_is_in_its_private_folder(load, folder):
    c = load()
    files = [
        c.JupyterHub.db_url.removeprefix("sqlite:///"),
        c.JupyterHub.cookie_secret_file,
        c.ConfigurableHTTPProxy.pid_file,
        c.ClassAuthenticator.instructors,
    ]
    assert {Path(path).parent for path in files} == {folder / "private"}
    assert os.umask(0) == 0o077  # for all that the hub writes from now on


def test_every_server_has_limits_and_a_user_of_its_own(load):
    c = load()
    assert c.Spawner.mem_limit == "3G" and c.Spawner.cpu_limit == 1
    assert c.Spawner.environment["OMP_NUM_THREADS"] == "1"
    assert 1 <= c.JupyterHub.active_server_limit < 10_000
    assert c.JupyterHub.concurrent_spawn_limit >= 1
    assert c.JupyterHub.spawner_class == "class_hub.StudentSpawner"
    assert c.SystemdSpawner.dynamic_users is True
    assert c.SystemdSpawner.get("disable_user_sudo", True)
    properties = c.SystemdSpawner.unit_extra_properties
    assert (properties["IPAddressDeny"], properties["IPAddressAllow"]) == ("any", "localhost")
    assert properties["ProtectHome"] == "yes" and int(properties["TasksMax"]) < 1000
    # a port of a kernel tells everybody on the machine what it prints
    assert "--KernelManager.transport=ipc" in c.Spawner.args
    assert any("cull_idle_timeout" in argument for argument in c.Spawner.args)


def test_settings_of_ones_own_come_last(load, folder):
    (folder / "local_config.py").write_text("c.JupyterHub.active_server_limit = 7")
    assert load().JupyterHub.active_server_limit == 7


def test_the_advice_on_opening_the_internet_works(load, folder):
    advice = re.search(r"((?:    #     .*\n)+)", CONFIG.read_text("utf-8"))[1]
    (folder / "local_config.py").write_text(advice.replace("    #     ", ""))
    assert not {"IPAddressDeny", "IPAddressAllow"} & set(
        load().SystemdSpawner.unit_extra_properties
    )


def test_jupyterhub_knows_every_setting(load):
    pytest.importorskip("nativeauthenticator", reason="needs the extra classroom")
    pytest.importorskip("systemdspawner", reason="needs the extra classroom")
    from jupyterhub.app import JupyterHub
    from jupyterhub.auth import Authenticator
    from jupyterhub.proxy import ConfigurableHTTPProxy
    from jupyterhub.spawner import Spawner
    from nativeauthenticator import NativeAuthenticator
    from systemdspawner import SystemdSpawner

    c = load()
    import class_hub  # found through the path that the configuration adds

    known = {k.__name__: k for k in (JupyterHub, Authenticator, ConfigurableHTTPProxy, Spawner)}
    known |= {k.__name__: k for k in (NativeAuthenticator, SystemdSpawner)}
    known["ClassAuthenticator"] = class_hub.ClassAuthenticator
    unknown = [
        f"{name}.{setting}"
        for name, settings in c.items()
        for setting in settings
        if setting not in known[name].class_traits(config=True)
    ]
    assert not unknown


# ---- the command --------------------------------------------------------------------------------


@pytest.fixture
def everything(monkeypatch):
    """A machine on which nothing is missing."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(shutil, "which", lambda name, path=None: name)
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(command, "readable", lambda place: True)


def test_nothing_stands_in_the_way(everything, tmp_path):
    assert command.preflight_error(tmp_path, systemd=tmp_path) is None


@pytest.mark.parametrize(
    ("module", "name", "value", "advice"),
    [
        (importlib.util, "find_spec", None, "Install the extra first"),
        (shutil, "which", None, "configurable-http-proxy@5"),
        (os, "geteuid", 1000, "started there with sudo"),
        (command, "readable", False, "open to everybody"),
    ],
)
def test_an_obstacle_is_named_in_a_sentence(
    everything, monkeypatch, tmp_path, module, name, value, advice
):
    monkeypatch.setattr(module, name, lambda *_, **__: value)
    assert advice in command.preflight_error(tmp_path, systemd=tmp_path)


def test_a_server_without_systemd_is_an_obstacle(everything, tmp_path):
    assert "systemd" in command.preflight_error(tmp_path, systemd=tmp_path / "missing")


def test_students_must_be_able_to_read_the_course(monkeypatch):
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        root = Path(name)
        monkeypatch.setattr(command, "HIDDEN", [root / "hidden"])
        for folder in ("open", "closed", "hidden"):
            (root / folder / "course").mkdir(parents=True)
        root.chmod(0o755)
        (root / "closed").chmod(0o700)
        assert command.readable(root / "open" / "course")
        assert not command.readable(root / "closed" / "course")
        assert not command.readable(root / "hidden" / "course")


def test_the_class_folder_shows_the_lessons_and_nothing_else(tmp_path):
    before = os.umask(0o077)
    try:
        command.prepare(tmp_path / "class")
    finally:
        os.umask(before)
    assert mode(tmp_path / "class") == 0o711
    assert mode(tmp_path / "class" / "private") == 0o700
    assert mode(tmp_path / "class" / "lessons") == 0o755
    lessons = list((tmp_path / "class" / "lessons").iterdir())
    assert len(lessons) == len(list((REPO / "notebooks").glob("[0-9]*.ipynb")))
    assert {mode(lesson) for lesson in lessons} == {0o644}
    text = "".join(lesson.read_text("utf-8") for lesson in lessons)
    assert '"slide_type": "notes"' not in text  # the hand-out, not the instructor's


def test_the_instructors_password_is_kept_as_a_hash_for_the_hub_alone(tmp_path):
    bcrypt = pytest.importorskip("bcrypt", reason="needs the extra classroom")
    command.prepare(tmp_path)
    command.name_instructor(tmp_path, "teacher", PASSWORD)
    path = tmp_path / "private" / "instructors.json"
    assert mode(path) == 0o600
    hashed = json.loads(path.read_text())["teacher"]
    assert PASSWORD not in hashed and bcrypt.checkpw(PASSWORD.encode(), hashed.encode())


@pytest.mark.parametrize(
    ("name", "password", "advice"),
    [("../x", PASSWORD, "cannot be a name"), ("teacher", "short", "too short")],
)
def test_an_instructor_that_cannot_be(tmp_path, name, password, advice):
    pytest.importorskip("bcrypt", reason="needs the extra classroom")
    command.prepare(tmp_path)
    with pytest.raises(ValueError, match=advice):
        command.name_instructor(tmp_path, name, password)
    assert not (tmp_path / "private" / "instructors.json").exists()


# ---- handing out the lessons --------------------------------------------------------------------


@pytest.fixture
def lessons(tmp_path):
    """Two lessons in a folder, and where a student keeps them."""
    source, home = tmp_path / "source", tmp_path / "home"
    source.mkdir()
    for name in ("01_one", "02_two"):
        (source / f"{name}.ipynb").write_text(f"{name}, first edition")
    student.hand_out(source, home)
    return source, home


def names(home):
    return sorted(path.name for path in home.glob("*.ipynb"))


def test_the_first_time_everything_is_handed_out(lessons):
    source, home = lessons
    assert names(home) == ["01_one.ipynb", "02_two.ipynb"]
    assert (home / "01_one.ipynb").read_bytes() == (source / "01_one.ipynb").read_bytes()
    assert student.hand_out(source, home) == []


def test_an_update_replaces_what_nobody_worked_on(lessons):
    source, home = lessons
    (source / "01_one.ipynb").write_text("second edition")
    assert student.hand_out(source, home) == ["01_one.ipynb"]
    assert (home / "01_one.ipynb").read_text() == "second edition"


def test_an_update_leaves_a_students_work_alone(lessons):
    source, home = lessons
    (home / "01_one.ipynb").write_text("my work")
    for edition in ("second", "third"):
        (source / "01_one.ipynb").write_text(edition)
        (new,) = student.hand_out(source, home)
        assert (home / new).read_text() == edition
        assert student.hand_out(source, home) == []
    assert (home / "01_one.ipynb").read_text() == "my work"
    assert len(names(home)) == 4


def test_work_on_an_update_is_left_alone_too(lessons):
    source, home = lessons
    (home / "01_one.ipynb").write_text("my work")
    (source / "01_one.ipynb").write_text("second")
    (new,) = student.hand_out(source, home)
    (home / new).write_text("my work on the second")
    (source / "01_one.ipynb").write_text("third")
    student.hand_out(source, home)
    (source / "01_one.ipynb").write_text("second")  # the instructor went back
    student.hand_out(source, home)
    assert (home / new).read_text() == "my work on the second"


def test_a_deleted_lesson_comes_back(lessons):
    source, home = lessons
    (home / "01_one.ipynb").unlink()
    assert student.hand_out(source, home) == ["01_one.ipynb"]


@pytest.mark.parametrize("record", [None, "{", "[]"])
def test_without_the_record_nothing_is_written_over(lessons, record):
    source, home = lessons
    (home / student.RECORD).unlink()
    if record is not None:
        (home / student.RECORD).write_text(record)
    (source / "01_one.ipynb").write_text("second edition")
    student.hand_out(source, home)
    assert (home / "01_one.ipynb").read_text() == "01_one, first edition"


def test_a_full_disk_leaves_no_half_lesson_and_the_server_starts(lessons, monkeypatch, capsys):
    source, home = lessons
    (source / "01_one.ipynb").write_text("second edition")

    def full(path, content):
        with path.open("wb") as file:
            file.write(content[:3])
        raise OSError(28, "No space left on device")

    started = []
    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(Path, "home", lambda: home.parent)
    home.rename(home.parent / "lessons")
    monkeypatch.setattr(os, "execv", lambda path, arguments: started.append(arguments))
    monkeypatch.setenv("SCULPTOR_LESSONS", str(source))
    student.main(["--port=1"])
    assert "No space left" in capsys.readouterr().err
    assert started[0][0].endswith("jupyterhub-singleuser") and started[0][1:] == ["--port=1"]
    assert (home.parent / "lessons" / "01_one.ipynb").read_text() == "01_one, first edition"
    assert not list((home.parent / "lessons").glob("*.part"))


# ---- pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "heading"),
    [
        ("Active user limit exceeded. Try again in a few minutes.", "All places"),
        ("Too many users trying to log in right now.", "starting at once"),
    ],
)
def test_who_finds_no_place_is_told_so_and_waits(message, heading):
    error = "{% block h1_error %}{% endblock %}{% block error_detail %}{% endblock %}"
    files = jinja2.FileSystemLoader(CONFIG.parent / "templates")
    loader = jinja2.ChoiceLoader([jinja2.DictLoader({"error.html": error}), files])
    page = jinja2.Environment(loader=loader).get_template("429.html").render(message=message)
    assert heading in page and 'http-equiv="refresh"' in page


# ---- Kubernetes ---------------------------------------------------------------------------------

# What the schema of the chart (values.schema.yaml of zero-to-jupyterhub, version 4) allows of what
# we use. It refuses every other name, so that a slip stops the installation.
ANYTHING = {"...": object}
SCHEMA = {
    "hub": {"config": ANYTHING, "concurrentSpawnLimit": int, "activeServerLimit": int},
    "proxy": {"https": {"enabled": bool, "hosts": list, "letsencrypt": {"contactEmail": str}}},
    "singleuser": {
        "image": {"name": str, "tag": str},
        "cmd": list,
        "defaultUrl": str,
        "memory": {"limit": str, "guarantee": str},
        "cpu": {"limit": (int, float), "guarantee": (int, float)},
        "extraEnv": ANYTHING,
        "storage": {"capacity": str},
        "allowPrivilegeEscalation": bool,
        "networkPolicy": {"egressAllowRules": {"nonPrivateIPs": bool}},
    },
    "cull": {"enabled": bool, "timeout": int},
}


def against(schema, values, where="values"):
    """What in the `values` the `schema` does not allow."""
    if schema is ANYTHING:
        return [] if isinstance(values, dict) else [f"{where} is no mapping"]
    if not isinstance(schema, dict):
        return [] if isinstance(values, schema) else [f"{where} is {values!r}"]
    found = []
    for name, value in values.items():
        place = f"{where}.{name}"
        found += against(schema[name], value, place) if name in schema else [place]
    return found


def test_the_values_fit_the_chart():
    assert against(SCHEMA, VALUES) == []
    assert against(SCHEMA, {"hub": {"activeServerlimit": 40}, "cull": {"timeout": "1h"}}) == [
        "values.hub.activeServerlimit",
        "values.cull.timeout is '1h'",
    ]


def test_a_cluster_is_as_strict_as_one_server(load):
    c = load()
    theirs = VALUES["hub"]["config"]
    assert theirs["JupyterHub"]["authenticator_class"] == "native"
    assert theirs["NativeAuthenticator"] == dict(c.NativeAuthenticator)
    assert theirs["Authenticator"]["username_pattern"] == c.Authenticator.username_pattern
    pod = VALUES["singleuser"]
    assert pod["memory"]["limit"] == c.Spawner.mem_limit
    assert pod["cpu"]["limit"] == c.Spawner.cpu_limit
    assert pod["defaultUrl"] == c.Spawner.default_url
    assert pod["extraEnv"].items() <= c.Spawner.environment.items()
    assert pod["networkPolicy"]["egressAllowRules"]["nonPrivateIPs"] is False
    assert pod["allowPrivilegeEscalation"] is False


def test_the_image_is_made_of_what_is_here():
    copied = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.M)
    sources = [source for line in copied for source in line.split()]
    assert sources and all((REPO / source).exists() for source in sources)
    assert {"diffusion_helpers", "notebooks", "data", "pyproject.toml"} <= set(sources)


def test_the_image_starts_what_the_cluster_calls():
    start = json.loads(re.search(r"^CMD (.+)$", DOCKERFILE, re.M)[1])
    assert start == VALUES["singleuser"]["cmd"]
    inside = re.search(r"^WORKDIR (\S+)\nCOPY", DOCKERFILE, re.M)[1]
    assert (REPO / Path(start[1]).relative_to(inside)).exists()
    assert f"SCULPTOR_LESSONS={inside}/handout" in DOCKERFILE
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.M)[-1] == "1000"  # nobody is root


def test_the_image_installs_what_pyproject_knows():
    project = (REPO / "pyproject.toml").read_text("utf-8")
    extras = re.findall(r'-e "?\.(?:\[(\w+)\])?"?', DOCKERFILE)
    assert extras and all(f"\n{extra} = [" in project for extra in extras if extra)
    version = re.search(r"ARG JUPYTERHUB_VERSION=(\S+)", DOCKERFILE)[1]
    assert version.startswith("5.")  # as in the extra classroom


# ---- a hub with pupils --------------------------------------------------------------------------

WITHOUT_SYSTEMD = """
c.JupyterHub.spawner_class = "simple"  # everybody is the user who tests; limits are not enforced
c.SimpleLocalProcessSpawner.home_dir_template = f"{FOLDER}/{{username}}"
c.Spawner.args.append("--allow-root")
# The names of sockets are short, as they are with systemd.
c.Spawner.environment["RUNTIME_DIRECTORY"] = lambda spawner: f"{FOLDER}/{spawner.user.id}"
"""


@contextlib.contextmanager
def class_of(places):
    """A hub's address; with systemd it is the very hub of a class."""
    reason = hub_client.why_not()
    if reason:
        pytest.skip(reason)
    real = hub_client.has_systemd()
    # In /tmp the names of sockets stay short enough; a real server does not see /tmp.
    folder = Path(tempfile.mkdtemp(prefix="class", dir=Path("/var/lib") if real else Path("/tmp")))
    settings = "" if real else WITHOUT_SYSTEMD
    start = [sys.executable, "-m", "jupyterhub", "--config", str(CONFIG)]
    try:
        command.prepare(folder)
        command.name_instructor(folder, "teacher", PASSWORD)
        limit = f"c.JupyterHub.active_server_limit = {places}\n"
        with hub_client.hub(folder, start, settings + limit) as url:
            yield url
    finally:
        shutil.rmtree(folder)
        for home in Path("/var/lib/private").glob("sculptor-testpupil-*"):
            shutil.rmtree(home)
            (home.parents[1] / home.name).unlink()


@pytest.fixture(scope="module")
def school():
    """A hub with two places: its address, and its instructor."""
    with class_of(2) as url:
        teacher = Pupil(url, "teacher")
        assert teacher.log_in() == ""
        yield url, teacher


def enrolled(school, name):
    """A pupil who has signed up, was approved and is logged in."""
    url, teacher = school
    pupil = Pupil(url, f"testpupil-{name}")
    pupil.sign_up()
    teacher.approve(pupil.name)
    assert pupil.log_in() == ""
    return pupil


@pytest.fixture(scope="module")
def pair(school):
    """Two pupils at work, each with a server and a kernel: the class is full."""
    both = enrolled(school, "ada"), enrolled(school, "bob")
    for pupil in both:
        pupil.start()
        pupil.open_kernel()
    return both


@pytest.mark.slow
def test_a_hub_that_stops_takes_its_proxy_along():
    with class_of(1) as url:
        port = int(url.rpartition(":")[2])
    with socket.socket() as door:
        assert door.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.slow
def test_nobody_comes_in_before_an_instructor_agrees(school):
    eve = Pupil(school[0], "testpupil-eve")
    assert "sent to the admin" in eve.sign_up()
    assert "not been authorized" in eve.log_in()
    assert eve.ask("POST", f"hub/api/users/{eve.name}/server").status_code == 403
    assert eve.browser.get(f"{eve.url}/hub/spawn").url.startswith(f"{eve.url}/hub/login")


@pytest.mark.slow
def test_nobody_becomes_the_instructor_by_signing_up(school):
    url, teacher = school
    eve = Pupil(url, "teacher", password="a password of eve")
    assert "already in use" in eve.sign_up()
    assert "Invalid" in eve.log_in()
    assert teacher.log_in() == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, password",
    [("testpupil-weak", "12345"), ("testpupil-weak", "password123"), ("../x", PASSWORD)],
)
def test_weak_passwords_and_strange_names_are_refused(school, name, password):
    weak = Pupil(school[0], name, password=password)
    assert "went wrong" in weak.sign_up()


@pytest.mark.slow
def test_guessing_a_password_comes_to_a_stop(school):
    carl = enrolled(school, "carl")
    thief = Pupil(carl.url, carl.name, password="wrong password")
    for _ in range(5):
        assert "Invalid" in thief.log_in()
    thief.password = PASSWORD
    assert "Invalid" in thief.log_in()  # the right one comes too late: five minutes of silence


@pytest.mark.slow
def test_a_pupil_opens_no_other_pupils_server(pair):
    ada, bob = pair
    for path in ("api/contents", "api/kernels", "lab"):
        theirs = f"{ada.url}/user/{bob.name}/{path}"
        assert ada.browser.get(theirs).status_code in (403, 404), path
        assert ada.ask("GET", f"user/{bob.name}/{path}").status_code in (403, 404), path
        assert bob.ask("GET", f"user/{bob.name}/{path}").ok, path
    assert ada.ask("DELETE", f"hub/api/users/{bob.name}/server").status_code in (403, 404)
    assert ada.ask("GET", "hub/api/users").status_code == 403
    assert ada.browser.get(f"{ada.url}/hub/authorize").status_code == 403
    assert ada.browser.get(f"{ada.url}/hub/authorize/testpupil-eve").status_code == 403


@pytest.mark.slow
def test_two_pupils_run_a_lesson_at_the_same_time_each_in_a_folder_of_their_own(pair):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda pupil: pupil.run_lesson("01_forward_noising.ipynb"), pair))
    homes = [pupil.run("import os; print(os.path.expanduser('~'))") for pupil in pair]
    assert homes[0] != homes[1]
    ada, bob = pair
    ada.run("import os; open(os.path.expanduser('~/lessons/mine.txt'), 'w').write('ada')")
    assert ada.read("lessons/mine.txt").ok
    assert bob.read("lessons/mine.txt").status_code == 404


@pytest.mark.slow
def test_one_too_many_is_told_so_and_comes_in_when_a_place_is_free(school, pair):
    ada, _ = pair
    dora = enrolled(school, "dora")
    with pytest.raises(Full, match="limit"):
        dora.start()
    page = dora.browser.get(f"{dora.url}/hub/spawn")
    assert page.status_code == 429 and "All places in this class are taken" in page.text
    assert max(pupil.answer_time() for pupil in pair) < 5  # nobody else noticed
    lesson = "os.path.expanduser('~/lessons/02_unet_anatomy.ipynb')"
    ada.run(f"import os; open({lesson}, 'w').write('my work')")
    ada.stop()
    dora.start()
    dora.stop()
    ada.start()  # a second time, too
    work = ada.read("lessons/02_unet_anatomy.ipynb", params={"type": "file", "format": "text"})
    assert work.json()["content"] == "my work"
    ada.open_kernel()


@pytest.mark.slow
def test_a_link_of_nbgitpuller_brings_an_instructors_repository(pair, tmp_path):
    if hub_client.has_systemd():
        pytest.skip("a real server sees neither this folder nor the internet")
    ada = pair[0]
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(tmp_path)]
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "extra.ipynb")
    for more in (["init", "-b", "main"], ["add", "."], ["commit", "-m", "one"]):
        subprocess.run([*git, *more], check=True, capture_output=True)
    query = {"repo": tmp_path.as_uri(), "branch": "main", "targetpath": "more"}
    answer = ada.ask("GET", f"user/{ada.name}/git-pull/api", params=query)
    assert '"phase": "finished"' in answer.text, answer.text
    assert ada.read("more/extra.ipynb").ok


@pytest.mark.slow
def test_systemd_keeps_pupils_apart_and_within_their_limits(pair):
    if not hub_client.has_systemd():
        pytest.skip("needs root on a machine that systemd runs: only there limits are enforced")
    ada, bob = pair
    home = bob.run("import os; print(os.path.realpath(os.path.expanduser('~')))").strip()
    look = f"import os, socket\ntry: print(os.listdir({home!r}))\nexcept OSError: print('no')"
    assert ada.run(look) == "no\n"
    assert ada.run("print(os.getuid())") != bob.run("print(os.getuid())")
    away = (
        "try: socket.create_connection(('192.0.2.1', 80), timeout=5)\nexcept OSError: print('no')"
    )
    assert ada.run(away) == "no\n"
    with pytest.raises(RuntimeError, match="died"):
        ada.run("kept = [bytearray(100 * 2**20) for _ in range(40)]")
    assert ada.read("lessons").ok  # the kernel went, the server stayed
    assert bob.answer_time() < 5
