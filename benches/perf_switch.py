"""Switches a JVM's perf events off and on from outside, so that one JVM is measured with and without samples."""

import ctypes
import fcntl
import os
from pathlib import Path

SYS_PIDFD_GETFD = 438  # pidfd_getfd(2), the same number on all architectures
PERF_EVENT_IOC_ENABLE = 0x2400  # linux/perf_event.h
PERF_EVENT_IOC_DISABLE = 0x2401


class PerfSwitch:
    """Copies of the descriptors of all perf events that a process has at this moment."""

    def __init__(self, pid):
        self._events = []
        process = os.pidfd_open(pid)
        try:
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                if os.readlink(entry) == "anon_inode:[perf_event]":
                    self._events.append(take_descriptor(process, int(entry.name)))
        finally:
            os.close(process)
        if not self._events:
            raise PermissionError("the profiler has no perf events")

    def set(self, on):
        """Only while the threads wait: a handler at work may switch its event on again."""
        for event in self._events:
            fcntl.ioctl(event, PERF_EVENT_IOC_ENABLE if on else PERF_EVENT_IOC_DISABLE, 0)

    def close(self):
        for event in self._events:
            os.close(event)


def take_descriptor(process, number):
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.syscall(SYS_PIDFD_GETFD, process, number, 0)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
    return descriptor
