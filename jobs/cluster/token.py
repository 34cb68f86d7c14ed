"""The token that a cluster asks for: a file that only its user can read. It is passed on by its path, never spelled."""

import os
import pwd
import secrets
import stat
from pathlib import Path

from passband.jobs.cluster.state import ClusterError, make_folder, state_folder
from passband.jobs.executors.janitor import TOKEN_VARIABLE
from passband.jobs.executors.private import write_private
from passband.pipeline.home import expanded

_BYTES = 32
_ROOT = 0


def default_token_file() -> Path:
    """Return where ``cluster up`` keeps the token, and the other commands look for it."""
    return state_folder() / "token"


def make_token(path: Path) -> Path:
    """Return `path` with a token in it: the one that is there, which must be private, or a new one."""
    make_folder(path.parent)
    try:
        write_private(path, secrets.token_hex(_BYTES))
    except FileExistsError:
        check_token(path)
    except OSError as error:
        raise ClusterError(f"cannot write the token file {path}: {error.strerror}") from error
    return path


def find_token(given: Path | None) -> Path:
    """Return the token file that is given, or named by RAY_AUTH_TOKEN_PATH, or that ``cluster up`` made.

    Raises
    ------
    ClusterError
        If it is not there, empty, open to others, or another user's.
    """
    named = os.environ.get(TOKEN_VARIABLE)
    path = given or (Path(named) if named else default_token_file())
    path = Path(expanded(path)).absolute()
    check_token(path)
    return path


def check_token(path: Path) -> None:
    """Raise ClusterError unless `path` is a token file that is this user's, and that nobody else can read."""
    try:
        found = path.stat()
    except OSError as error:
        raise ClusterError(
            f"no token file {path} ({error.strerror}): `passband cluster up` makes one; for another cluster, copy its "
            "token into a file of mode 0600 and name it by --token-file"
        ) from error
    if not stat.S_ISREG(found.st_mode) or not found.st_size:
        raise ClusterError(f"the token file {path} is {'empty' if not found.st_size else 'not a file'}")
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise ClusterError(f"the token file {path} is open to others (mode {mode:04o}): chmod 600 {path}")
    _refuse_other_owner(path, found)


def _refuse_other_owner(path: Path, found: os.stat_result) -> None:
    """Raise ClusterError if someone else wrote the token, or can put another in its place."""
    user = os.geteuid()
    if found.st_uid != user:
        owner = user_name(found.st_uid)
        raise ClusterError(f"the token file {path} belongs to another user ({owner}): copy it into a file of your own")
    for folder in sorted({path.absolute().parent, path.resolve().parent}):  # of the link, if it is one, and of the file
        if (number := folder.stat().st_uid) not in (user, _ROOT):
            raise ClusterError(
                f"the folder {folder} of the token file belongs to another user ({user_name(number)}): "
                "keep it in a folder of your own"
            )


def user_name(number: int) -> str:
    """Return the name of a user, or the number where it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def token_settings(path: Path) -> dict[str, str]:
    """Return the settings by which Ray, not imported yet, uses the token in `path`."""
    return {"RAY_AUTH_MODE": "token", TOKEN_VARIABLE: str(path)}


def without_ray(environment: dict[str, str]) -> dict[str, str]:
    """Return an environment without what would lead Ray to another cluster, token or setting than the one meant."""
    return {name: value for name, value in environment.items() if not name.startswith("RAY_")}
