"""What an OpenStack host has to offer, as Nova and Placement want to hear it."""

from __future__ import annotations

from typing import Any

import os_resource_classes as orc
import os_traits
from nova.objects import fields
from oslo_serialization import jsonutils

from dpm_hmc.cpc import Cpc, version_number
from nova_dpm.conf import LEAST_MEMORY, Settings

TRAITS = (os_traits.HW_ARCH_S390X,)


def resources(settings: Settings, cpc: Cpc) -> dict[str, Any]:
    """Return the figures of ``ComputeDriver.get_available_resource``: what the options grant."""
    return {
        "vcpus": settings.max_processors,
        "memory_mb": settings.max_memory,
        "local_gb": 0,
        # Nova counts what its servers use by their flavors.
        "vcpus_used": 0,
        "memory_mb_used": 0,
        "local_gb_used": 0,
        "disk_available_least": 0,
        "hypervisor_type": "PRSM",
        "hypervisor_version": version_number(cpc.se_version),
        "hypervisor_hostname": settings.host,
        "cpu_info": jsonutils.dumps(
            {
                "arch": fields.Architecture.S390X,
                "vendor": "IBM",
                "model": cpc.machine,
                "cpc": cpc.name,
                "se_version": cpc.se_version,
            }
        ),
        "supported_instances": [(fields.Architecture.S390X, fields.HVType.PRSM, fields.VMMode.HVM)],
        "numa_topology": None,
    }


def inventory(settings: Settings, vcpu_ratio: float, reserved_vcpus: int) -> dict[str, Any]:
    """Return the inventory for Placement: processors and memory, and no disk, for there is none.

    Args:
        settings: the limits
        vcpu_ratio: how many virtual processors a physical one may be
        reserved_vcpus: ``[DEFAULT] reserved_host_cpus``
    """
    return {
        orc.VCPU: {
            "total": settings.max_processors,
            "min_unit": 1,
            "max_unit": settings.max_processors,
            "step_size": 1,
            "allocation_ratio": vcpu_ratio,
            "reserved": reserved_vcpus,
        },
        orc.MEMORY_MB: {
            "total": settings.max_memory,
            "min_unit": LEAST_MEMORY,
            "max_unit": settings.max_memory,
            "step_size": 1,
            # A partition's memory is its own: there is no overcommitment.
            "allocation_ratio": 1.0,
            # [DEFAULT] reserved_host_memory_mb is for a hypervisor in the host's memory; PR/SM and
            # nova-compute take nothing of max_memory.
            "reserved": 0,
        },
    }
