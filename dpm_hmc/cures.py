"""What to do about each failure: an error carries its cure, and every reader prints that one."""

from __future__ import annotations

from http import HTTPStatus

from dpm_hmc.permissions import CLASSES, task_of

TRY_AGAIN = "Try again; if it stays so, look at the HMC and the network between here and there"
NO_HMC = (
    "Check hmc and hmc_port, the network between here and there, and that the Web Services API is "
    "enabled on the HMC"
)
NO_ANSWER_OF_AN_HMC = (
    "Check hmc and hmc_port, and what else may answer there, such as a proxy or the HMC's own web "
    "pages"
)

_CREDENTIALS = "Check hmc_username and hmc_password"
_LOGON = {
    40: "The user is disabled, as an HMC does after a few wrong passwords: enable it on the HMC",
    41: "Give the user access to the Web Services management interfaces on the HMC (zhmc user "
    "update --allow-management-interfaces true)",
}
"""By the reason of a 403 (HMC Web Services API, "Logon")."""

_UNKNOWN_AUTHORITY = "Set hmc_ca_file to the certificate of the authority that signed it"
NO_AUTHORITY = "Put the certificate (PEM) of the authority there that signed the HMC's"
UNREADABLE_AUTHORITY = "Name a file or folder that the user of nova-compute may read"
_OTHER_NAME = "Write the HMC in hmc as its certificate names it"
_NOT_VALID_NOW = "Renew the certificate on the HMC, or correct the clock of this machine"
_CERTIFICATE = {62: _OTHER_NAME, 64: _OTHER_NAME, 9: _NOT_VALID_NOW, 10: _NOT_VALID_NOW}
"""By OpenSSL's ``X509_V_ERR_*``: mismatch of host name, of IP address; not yet valid, expired."""


def logon(reason: int) -> str:
    """Return what to do about a logon that was refused with 403 and this reason."""
    return _LOGON.get(reason, _CREDENTIALS)


def certificate(verify_code: int) -> str:
    """Return what to do about a certificate that OpenSSL does not take."""
    return _CERTIFICATE.get(verify_code, _UNKNOWN_AUTHORITY)


def answer(request: str, status: int, reason: int) -> str:
    """Return what to do about an error that the HMC answered, nothing where its text has to do.

    Args:
        request: method and URI
        status: of the HMC's answer
        reason: of the answer
    """
    if (status, reason) == (HTTPStatus.FORBIDDEN, 1):
        task = task_of(request)
        lacks, it = (f"the task {task}, or ", "the task, or ") if task else ("", "")
        return (
            f"The HMC user lacks {lacks}access to an object that the request names. Give the user "
            f"{it}access on the HMC"
        )
    if status == HTTPStatus.FORBIDDEN:
        return "Give the user access to the CPC, its adapters and its partitions on the HMC"
    if (status, reason) == (HTTPStatus.NOT_FOUND, 1):
        return (
            "It is not there, or the HMC user may not see it: access is given to a class of "
            f"objects ({', '.join(CLASSES)}) for those to come"
        )
    return ""
