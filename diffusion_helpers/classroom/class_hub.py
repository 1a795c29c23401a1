"""The two classes in which our hub differs from its engines. JupyterHub loads this file."""

import json
from pathlib import Path

from nativeauthenticator import NativeAuthenticator
from nativeauthenticator.orm import UserInfo
from systemdspawner import SystemdSpawner, systemd
from traitlets import Unicode


class ClassAuthenticator(NativeAuthenticator):
    """Sign-up with approval, where the instructor's account is there before the door opens.

    NativeAuthenticator makes an administrator of whoever signs up first under that name.
    """

    instructors = Unicode(help="a JSON file: each instructor's name and new password, hashed").tag(
        config=True
    )

    def add_new_table(self):
        super().add_new_table()
        path = Path(self.instructors)
        hashes = json.loads(path.read_text("utf-8"))
        for name, password in hashes.items():
            if password:
                account = self.get_user(name) or UserInfo(username=name)
                account.password, account.is_authorized = password.encode(), True
                self.db.add(account)
        self.db.commit()
        path.write_text(json.dumps(dict.fromkeys(hashes, "")), "utf-8")  # from now on in the hub


class StudentSpawner(SystemdSpawner):
    """SystemdSpawner with dynamic users, whose folders are /var/lib/sculptor-NAME.

    Its own choice, /var/lib/NAME, would give /var/lib/docker to a student named docker.
    """

    def _expand_user_vars(self, string):
        return string.format(USERNAME=f"sculptor-{self.user.name}", USERID=self.user.id)

    async def start(self):
        # A stopped server of a dynamic user leaves a dangling link in /run, where SystemdSpawner
        # wants to make a folder: without this line nobody could start a second time.
        if await systemd.service_running(self.unit_name):
            await systemd.stop_service(self.unit_name)
        link = Path(systemd.RUN_ROOT) / self.unit_name
        if link.is_symlink():
            link.unlink()
        return await super().start()
