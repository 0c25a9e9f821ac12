"""A certificate authority of our own and the server certificate it signed.

A real HMC comes with a self-signed certificate that sites replace by one of their CA. Clients that
verify, as they should, are given the file of that CA, so that is what the lab has too.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509

from dpm_lab.hmc.wire.files import PUBLIC, SECRET, write_new

#: Names under which the server is reached.
HOSTS = ("localhost", "127.0.0.1", "::1")
_DAYS = 30
#: A certificate that is kept is good for so long at least.
_LEFT = timedelta(days=2)


@dataclass(frozen=True)
class Certificates:
    """The files of a server."""

    ca: Path
    server: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """Return what a server needs to speak TLS 1.2 or newer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A session ticket comes after the handshake. stomp.py's thread reads it while its other
        # thread writes the first frame: OpenSSL allows no two threads in one connection, and
        # sometimes the frame was lost, and with it the client's connection.
        context.num_tickets = 0
        context.load_cert_chain(self.server, self.key)
        return context


def make(folder: Path, host: str) -> Certificates:
    """Write ``ca.pem``, ``server.pem`` and ``server.key`` (mode 0600) to `folder`.

    The server's certificate is good for `host` and the usual names of this machine.

    The CA's key is thrown away: nothing else can ever be signed with it.
    """
    now = datetime.now(UTC)
    authority = trustme.CA(organization_name="dpm-lab CA", path_length=0)
    server = authority.issue_cert(
        *sorted({host, *HOSTS}),
        common_name="dpm-lab HMC",
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=_DAYS),
    )
    folder.mkdir(parents=True, exist_ok=True)
    files = _files(folder)
    write_new(files.ca, authority.cert_pem.bytes(), PUBLIC)
    write_new(files.server, b"".join(each.bytes() for each in server.cert_chain_pems), PUBLIC)
    write_new(files.key, server.private_key_pem.bytes(), SECRET)
    return files


def kept(folder: Path, host: str) -> Certificates | None:
    """Return the files that `make` once wrote to `folder`; None where they are of no use now."""
    files = _files(folder)
    if not all(path.is_file() for path in (files.ca, files.server, files.key)):
        return None
    try:
        server = x509.load_pem_x509_certificate(files.server.read_bytes())
        names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return None
    good_for = {str(name.value) for name in names}
    is_fresh = server.not_valid_after_utc - datetime.now(UTC) > _LEFT
    return files if is_fresh and host in good_for else None


def _files(folder: Path) -> Certificates:
    return Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
