"""``dpm-guest status``: wanted beside actual, NIC by NIC, and why they differ."""

from __future__ import annotations

from dpm_guest import plan
from dpm_guest.bootparams import NicParams
from dpm_guest.markers import remembered
from dpm_guest.sysfs import VIRTIO, Device, Sysfs
from dpm_guest.unnamed import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dpm_guest.wanted import Wanted

_HEADINGS = ("NIC", "PORT", "INTERFACE", "WANTED MAC", "ACTUAL MAC", "VERDICT")


def status(wanted: Wanted, tree: Sysfs, as_json: bool) -> int:
    """Print the state of all NICs; 0 when all is as wanted, 1 when something is not."""
    rows = []
    for nic in wanted.nics:
        device = tree.device(nic.bus_id)
        rows.append((nic, device, plan.differences(nic, device)))
    ok = not wanted.damaged and not any(reasons for _, _, reasons in rows)
    right = {nic.bus_id for nic, _, reasons in rows if not reasons}
    unnamed, rest = find(tree, wanted)
    retried = [bus_id for bus_id in remembered() if bus_id not in right]
    if as_json:
        import json

        answer = {
            "ok": ok,
            "nics": [_as_dict(*row) for row in rows],
            "problems": [*wanted.damaged, *wanted.overridden],
            "unnamed": list(unnamed),
            "retried": retried,
        }
        print(json.dumps(answer, indent=2))
        return 0 if ok else 1
    if rows:
        _print_table([_HEADINGS, *(_cells(*row) for row in rows)])
    else:
        print("no NIC on the kernel command line")
    for text in wanted.damaged:
        print(f"damaged boot parameter {text}")
    for text in wanted.overridden:
        print(f"boot parameter {text}")
    for bus_id in unnamed:
        print(f"{bus_id}: neither named nor grouped; 'dpm-guest configure {bus_id}' brings it up")
    for bus_id in rest:
        print(f"{bus_id}: neither named nor grouped, and in no row of three devices as a NIC has")
    for bus_id in retried:
        print(f"{bus_id}: tried again in the background; see 'systemctl status dpm-guest-retry'")
    return 0 if ok else 1


def _cells(nic: NicParams, device: Device, reasons: tuple[str, ...]) -> tuple[str, ...]:
    return (
        nic.bus_id,
        _port(nic, device),
        device.interface or "-",
        nic.mac or "any",
        device.mac or "-",
        "; ".join(reasons) or _ok(nic, device),
    )


def _ok(nic: NicParams, device: Device) -> str:
    if device.master and nic.mac not in (None, device.mac):
        return f"ok, port of {device.master}, whose MAC it has"
    return "ok"


def _port(nic: NicParams, device: Device) -> str:
    if device.kind == VIRTIO:
        return f"{nic.port} (no ports)"  # so what is wanted can be neither right nor wrong
    if device.port in (nic.port, None):
        return str(nic.port)
    return f"{device.port}, not {nic.port}"


def _as_dict(nic: NicParams, device: Device, reasons: tuple[str, ...]) -> dict[str, object]:
    return {
        "devno": nic.bus_id.devno,
        "bus_id": nic.bus_id,
        "kind": device.kind or None,
        "wanted": {"port": nic.port, "mac": nic.mac, "layer2": 1},
        "actual": {
            "port": device.port,
            "layer2": device.layer2,
            "online": device.online,
            "interface": device.interface,
            "mac": device.mac,
            "master": device.master or None,
        },
        "ok": not reasons,
        "reasons": list(reasons),
    }


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
