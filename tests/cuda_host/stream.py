"""Streams of the device that is a CPU: every copy as late as it may be, so that a missing wait is seen each time.

Kernels run at once, in the thread that starts them, so a stream that kernels go to is never behind. Copies wait in
their stream until somebody waits for an event after them.
"""

from collections import deque


class HostEvent:
    """A place in a stream's work."""

    def __init__(self, stream, place):
        self._stream, self._place = stream, place

    def synchronize(self):
        """Do all that was put off up to here."""
        self._stream.run(self._place)


class HostStream:
    """Work that is put off; entered, it is the stream whose kernels run at once."""

    def __init__(self):
        self._waiting, self._done, self._depth = deque(), 0, 0

    def __enter__(self):
        self._depth += 1
        return self

    def __exit__(self, *error):
        self._depth -= 1

    def add(self, work):
        """Put off `work`."""
        self._waiting.append(work)

    def record(self):
        """Return an event after all that was given so far."""
        return HostEvent(self, self._done + len(self._waiting))

    def wait_event(self, event):
        """Wait: now, where kernels may follow at once, else when this stream's turn comes."""
        if self._depth:
            event.synchronize()
        else:
            self.add(event.synchronize)

    def synchronize(self):
        """Do all that was put off."""
        self.record().synchronize()

    def run(self, place):
        """Do what was put off, up to a place."""
        while self._done < place:
            self._done += 1
            self._waiting.popleft()()
