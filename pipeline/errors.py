"""Errors that a user can act on. The command line prints their message and nothing else."""

import errno


class PassbandError(Exception):
    """Something the user can mend; the message says what was given, what is allowed, and where."""


class OutputError(PassbandError):
    """The output folder cannot be written: no space, no permission, a read-only file system."""


class IntegrityError(PassbandError):
    """Stored data is not what its record says; the message names the file and both hashes."""


_OUTPUT_ERRNOS = {
    errno.ENOSPC: "no space left",
    errno.EDQUOT: "disk quota exceeded",
    errno.EFBIG: "file size limit reached",
    errno.EROFS: "read-only file system",
    errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EIO: "input/output error",
}


def output_error(error: OSError, uri: str) -> OutputError | None:
    """Translate an OSError of a write below `uri`, or return None where trying again may help."""
    reason = _OUTPUT_ERRNOS.get(error.errno or 0)
    if reason is None:
        return None
    return OutputError(f"cannot write to {uri}: {reason}; finished shards are kept, and the same command resumes")
