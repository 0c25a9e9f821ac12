"""``dpm-guest status``: wanted beside actual, NIC by NIC, and why they differ."""

from __future__ import annotations

from dpm_guest import plan
from dpm_guest.bootparams import NicParams, Parsed
from dpm_guest.sysfs import VIRTIO, Device, Sysfs

_HEADINGS = ("NIC", "PORT", "INTERFACE", "WANTED MAC", "ACTUAL MAC", "VERDICT")


def status(parsed: Parsed, tree: Sysfs, as_json: bool) -> int:
    """Print the state of all NICs; 0 when all is as wanted, 1 when something is not."""
    rows = []
    for nic in parsed.nics:
        device = tree.device(nic.bus_id)
        ignored = any(map(tree.ignored, device.missing))
        rows.append((nic, device, plan.differences(nic, device, ignored)))
    ok = not parsed.damaged and not any(reasons for _, _, reasons in rows)
    if as_json:
        import json

        nics = [_as_dict(*row) for row in rows]
        problems = [*parsed.damaged, *parsed.overridden]
        print(json.dumps({"ok": ok, "nics": nics, "problems": problems}, indent=2))
        return 0 if ok else 1
    if rows:
        _print_table([_HEADINGS, *(_cells(*row) for row in rows)])
    else:
        print("no NIC on the kernel command line")
    for text in parsed.damaged:
        print(f"damaged boot parameter {text}")
    for text in parsed.overridden:
        print(f"boot parameter {text}")
    return 0 if ok else 1


def _cells(nic: NicParams, device: Device, reasons: tuple[str, ...]) -> tuple[str, ...]:
    return (
        nic.bus_id,
        _port(nic, device),
        device.interface or "-",
        nic.mac or "any",
        device.mac or "-",
        "; ".join(reasons) or "ok",
    )


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
        },
        "ok": not reasons,
        "reasons": list(reasons),
    }


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
