"""Which fields the operations on partitions, NICs and HBAs take.

Sources: zhmc-ansible-modules (the property tables of ``zhmc_partition.py``, ``zhmc_nic.py`` and
``zhmc_hba.py``), zhmcclient.mock. That a field which is not known is refused is the HMC's rule
(400, 6).
"""

from __future__ import annotations

import re

_CREATE_PARTITION = """
    name description type short-name partition-id autogenerate-partition-id ifl-processors
    cp-processors processor-mode initial-memory maximum-memory reserve-resources boot-device
    boot-timeout boot-ftp-host boot-ftp-username boot-ftp-password boot-ftp-insfile
    boot-removable-media boot-removable-media-type acceptable-status processor-management-enabled
    access-global-performance-data permit-cross-partition-commands access-basic-counter-set
    access-problem-state-counter-set access-crypto-activity-counter-set access-extended-counter-set
    access-coprocessor-group-set access-basic-sampling access-diagnostic-sampling
    permit-des-key-import-functions permit-aes-key-import-functions permit-ecc-key-import-functions
    initial-ifl-processing-weight initial-cp-processing-weight ifl-processing-weight-capped
    cp-processing-weight-capped minimum-ifl-processing-weight minimum-cp-processing-weight
    maximum-ifl-processing-weight maximum-cp-processing-weight ifl-absolute-processor-capping
    cp-absolute-processor-capping ifl-absolute-processor-capping-value
    cp-absolute-processor-capping-value ssc-host-name ssc-boot-selection ssc-ipv4-gateway
    ssc-ipv6-gateway ssc-dns-servers ssc-master-userid ssc-master-pw
"""
_UPDATE_PARTITION = """
    auto-start boot-network-device boot-configuration-selector boot-record-lba boot-load-parameters
    boot-os-specific-parameters boot-storage-device boot-storage-volume boot-logical-unit-number
    boot-world-wide-port-name boot-iso-ins-file secure-boot secure-execution
"""
_NIC = """
    name description device-number network-adapter-port-uri virtual-switch-uri vlan-id vlan-type
    mac-address ssc-management-nic ssc-ip-address-type ssc-ip-address ssc-mask-prefix
    function-number function-range
"""

CREATE_PARTITION = frozenset(_CREATE_PARTITION.split())
UPDATE_PARTITION = (CREATE_PARTITION - {"type"}) | frozenset(_UPDATE_PARTITION.split())
#: What a running partition cannot change; that it is refused with 409, 1 is guessed.
STOPPED_ONLY = frozenset(
    {
        "autogenerate-partition-id",
        "maximum-memory",
        "partition-id",
        "processor-mode",
        "short-name",
    }
)
BOOT_DEVICES = frozenset(
    {
        "none",
        "ftp",
        "iso-image",
        "network-adapter",
        "nvme-storage",
        "removable-media",
        "storage-adapter",
        "storage-volume",
        "tape",
    }
)
NIC = frozenset(_NIC.split())
#: Since ``network-express-support`` (zhmc_nic.py); `type` is for "Create NIC" only.
NETWORK_EXPRESS = frozenset({"type", "promiscuous-mode"})
#: API versions since which a field of a NIC can be set, and those of a CPC's SE that it takes, too
#: (zhmc-ansible-modules, ``zhmc_nic.py``, at `mac-address` in its table).
_NIC_SINCE = {"vlan-id": (2, 2), "vlan-type": (2, 20), "mac-address": (2, 20)}
_NIC_SINCE_SE = {"mac-address": (2, 14, 0)}
HBA = frozenset({"name", "description", "device-number"})


def takes(name: str, api_version: tuple[int, int], se_version: str) -> bool:
    """Return whether a field of a NIC can be set.

    Args:
        api_version: of the HMC, which may be newer than the CPC
        se_version: of the CPC, such as ``2.16.0``; "" where nobody says it

    >>> takes("mac-address", (4, 10), "2.13.1")
    False
    """
    is_known = api_version >= _NIC_SINCE.get(name, (0, 0))
    since = _NIC_SINCE_SE.get(name)
    if since is None or not se_version:
        return is_known
    return is_known and tuple(map(int, re.findall(r"\d+", se_version))) >= since
