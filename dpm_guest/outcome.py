"""What became of NICs, or would become of them, in words."""

from __future__ import annotations

from dpm_guest import plan
from dpm_guest.bootparams import NicParams
from dpm_guest.console import Console
from dpm_guest.sysfs import Sysfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dpm_guest.jobs import Job


def gave_up(jobs: list[Job], console: Console, waited: float) -> None:
    """Say of each unfinished NIC where it stands after so many seconds."""
    for job in jobs:
        step = job.step or plan.APPEAR
        said = f"{plan.describe(step, job.nic)}: gave up after {waited:.0f} s"
        said += f"; {plan.cure(step, job.nic)}"
        if step == plan.UDEV:  # it may be right all the same
            console.warning(f"{job.nic.bus_id}: {said}")
        else:
            job.failure = said


def tell(job: Job, named: bool, tree: Sysfs, console: Console) -> bool:
    """Say what became of a NIC, and whether it is as wanted."""
    nic = job.nic
    device = tree.device(nic.bus_id)
    reason = job.failure or "; ".join(plan.differences(nic, device))
    if reason:
        console.error(f"{nic.bus_id}: {reason}")
        return False
    done = "configured" if job.touched else "already right"
    whose = ", MAC set by dpm-guest" if job.mac_set else ""
    port = f"port {device.port}, " if device.port is not None else ""
    master = f", port of {device.master}, whose MAC it has" if device.master else ""
    why = "" if named else "; nobody names it, so these are its port and MAC until the next start"
    console.notice(
        f"{nic.bus_id} {device.interface}: {port}MAC {device.mac}: {done}{whose}{master}{why}"
    )
    return True


def say_steps(nics: list[NicParams], tree: Sysfs) -> int:
    """Say what would be done; 1 if there is anything."""
    code = 0
    for nic in nics:
        device = tree.device(nic.bus_id)
        if not plan.is_network_device(device):
            steps = [f"nothing: it is no network device but {device.kind}"]
            code = 1
        else:
            steps = [plan.describe(step, nic) for step in plan.steps(nic, device)]
            code = 1 if steps else code
        print(f"{nic.bus_id}: {', '.join(steps) or 'already right'}")
    return code
