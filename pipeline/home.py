"""Paths that begin with ``~``: where nobody knows the home folder, that is told, and no folder of that name is made."""

import os

from passband.pipeline.errors import PassbandError


class HomeError(PassbandError):
    """A path begins with ``~``, and what that stands for cannot be found."""


def expanded(path: str | os.PathLike[str]) -> str:
    """Return `path` with a leading ``~`` or ``~user`` replaced by the home folder; raise HomeError if there is none."""
    given = os.fspath(path)
    if not given.startswith("~"):
        return given
    found, user = os.path.expanduser(given), given.partition("/")[0][1:]
    if os.path.isabs(found) and (user or os.environ.get("HOME") != ""):
        return found
    why = f"there is no user {user}" if user else "HOME names no folder"
    raise HomeError(f"{given}: the home folder is not known: {why}; give the path without ~")
