"""A session with one HMC, over connections that lead nowhere else.

User name, password and session id go to the HMC that the options name, and to nobody that the
environment or an answer names. zhmcclient (1.26, ``_session.py``) takes what Python's requests
library does by default: it follows redirects, also to ``http://`` and to other hosts, and takes
proxies, ``~/.netrc`` and ``REQUESTS_CA_BUNDLE`` from the environment. With several HMCs it asks
each for its version outside of its session, so it is given one at a time here.
"""

from __future__ import annotations

import ssl
from importlib.metadata import version
from pathlib import Path
from typing import Any

import requests
import urllib3
import zhmcclient

from dpm_hmc import cures
from dpm_hmc.errors import CertificateError, HmcError
from dpm_hmc.settings import HmcSettings

CONNECTIONS = 64
"""Connections kept open at most: more than nova-compute has builds and audits at once."""


class HmcSession(zhmcclient.Session):  # type: ignore[misc]
    """A session that is logged on and off by its owner, and never by itself."""

    _ours: requests.Session | None = None

    def _new_session(self, retry_timeout_config: zhmcclient.RetryTimeoutConfig) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.max_redirects = 0  # the first one is an error, before anything is sent there
        # Nothing else has an adapter: neither http://, nor the host that an "@" in a path makes.
        session.adapters.clear()
        # The default pool keeps 10 connections; each further thread would pay for a new one.
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS)
        session.mount(f"{self.base_url}/", adapter)
        self._ours = session
        return session

    def post(self, *arguments: Any, **named: Any) -> Any:
        """Send a request; the logon, which has the password, is the first one.

        Raises:
            HmcError: zhmcclient would send it over connections that are not ours.
        """
        # `_new_session` is no documented part of zhmcclient, and may be another in a later one.
        if self._ours is None or self.session is not self._ours:
            raise HmcError(
                f"zhmcclient {version('zhmcclient')} makes connections otherwise than 1.26, and is "
                "given no password",
                "Install zhmcclient 1.26",
            )
        return super().post(*arguments, **named)


def new_session(settings: HmcSettings, host: str) -> HmcSession:
    """Return a session with one of the HMCs, not logged on yet.

    Raises:
        CertificateError: ``hmc_ca_file`` cannot be read, or has no certificate.
    """
    if settings.verify is False:
        # Said once at the start, not with each request (urllib3's warning is for each).
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    elif isinstance(settings.verify, str):
        _check_authorities(Path(settings.verify))
    return HmcSession(
        host,
        userid=settings.username,
        password=settings.password,
        port=settings.port,
        verify_cert=settings.verify,
        retry_timeout_config=zhmcclient.RetryTimeoutConfig(
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            connect_retries=0,
            read_retries=0,
        ),
    )


def _check_authorities(ca: Path) -> None:
    # What the libraries below say names neither the option nor the file.
    try:
        if ca.is_dir():
            next(ca.iterdir(), None)
        else:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca)
    except ssl.SSLError:
        raise CertificateError(f"hmc_ca_file {ca} has no certificate", cures.NO_AUTHORITY) from None
    except OSError as error:
        raise CertificateError(
            f"hmc_ca_file {ca} cannot be read: {error.strerror}", cures.UNREADABLE_AUTHORITY
        ) from None
