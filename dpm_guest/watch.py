"""When udev has finished with an interface.

udev gives a new interface a MAC and a name of its own. It applies its ``.link`` file once on the
kernel's ``add``, and again on the ``move`` that its own renaming causes (systemd
``src/udev/net/link-config.c``); what is set before the second may be lost, what is set after stays.
"""

from __future__ import annotations

import os
import select

from dpm_guest.process import Process, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyudev

_CONTROL = "/run/udev/control"
# Properties of an interface whose `move` is still to come (systemd 252), or whose event is still at
# work (257); systemd-networkd waits for the same (``src/network/networkd-link.c``).
_UNFINISHED = ("ID_RENAMING", "ID_PROCESSING")


class Watcher:
    """Listens to udev's net events (source ``udev``: after its rules) and to wake-ups of our own.

    Without udevd there is nothing to wait for; without pyudev, ``udevadm settle`` has to do.
    """

    def __init__(self, wake: int) -> None:
        """Start to listen.

        Args:
            wake: a file descriptor that is readable when something else happened
        """
        self._wake = wake
        self._poll = select.poll()
        self._poll.register(wake, select.POLLIN)
        self._context: pyudev.Context | None = None
        self._monitor: pyudev.Monitor | None = None
        self.missing = ""
        if not os.path.exists(_CONTROL):
            return
        try:
            import pyudev

            context = pyudev.Context()
            monitor = pyudev.Monitor.from_netlink(context, source="udev")
            monitor.filter_by("net")
            monitor.start()
        except (ImportError, OSError) as error:
            self.missing = f"no pyudev ({error}); 'udevadm settle' takes its place"
            return
        self._context, self._monitor = context, monitor
        self._poll.register(monitor.fileno(), select.POLLIN)

    def wait(self, seconds: float) -> None:
        """Return when something happened, or after `seconds`."""
        for descriptor, _ in self._poll.poll(max(0, int(seconds * 1000))):
            if descriptor == self._wake:
                os.read(self._wake, 4096)
            elif self._monitor is not None:
                try:
                    while self._monitor.poll(timeout=0) is not None:
                        pass
                except OSError:
                    pass  # events were lost (ENOBUFS); the caller looks by itself every while

    def finished_with(self, ifindex: int) -> bool:
        """Whether udev has set what it sets on an interface, and renamed it."""
        if self._context is None:
            return not self.missing or run("udevadm", "settle", "--timeout=1") == 0
        import socket

        import pyudev

        try:
            name = socket.if_indextoname(ifindex)
            device = pyudev.Devices.from_name(self._context, "net", name)
        except (OSError, pyudev.DeviceNotFoundError):
            return False  # renamed between two looks, or gone
        return device.is_initialized and not any(map(device.properties.get, _UNFINISHED))


def settle(seconds: int) -> None:
    """Wait until udev has nothing left to do; not at all without udevd."""
    if os.path.exists(_CONTROL):
        run("udevadm", "settle", f"--timeout={seconds}")


def reload_udev() -> Process | None:
    """Begin to have udevd read its ``.link`` files anew before the next event; None without udevd.

    By itself it looks for changed files only every three seconds (systemd ``udevd.c``).
    """
    if not os.path.exists(_CONTROL):
        return None
    return Process("udevadm", "control", "--reload", "--timeout=5")
