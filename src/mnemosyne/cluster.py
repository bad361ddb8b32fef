"""Whether a Ray cluster is where an address says. Connecting to it is the work of who needs it."""

from __future__ import annotations

import socket

SECONDS = 5.0
"""A cluster that does not answer in this time is not there."""


def reach(address: str) -> None:
    """Raise ConnectionError when nothing listens at `host:port`, which Ray itself tries for many minutes.

    What names no port, such as `local` or `auto`, is left to Ray.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and port.isdigit()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else ""
        raise ConnectionError(why or str(error)) from None
