"""The cloud's APIs, as far as its start needs them."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from typing import Any, BinaryIO

from dpm_lab.cloud.errors import ApiError
from dpm_lab.cloud.place import REGION, Place

_SECONDS = 60.0
#: Glance answers when it has written a file, and made its checksums.
_FILE_SECONDS = 600.0
#: What is before the path of a request, and the version that is asked for.
_ROOTS = {
    "keystone": "/v3",
    "glance": "/v2",
    "nova": "/v2.1",
    "neutron": "/v2.0",
    "cinder": "/v3",
    "placement": "",
}
_VERSIONS = {"nova": "compute 2.96", "placement": "placement 1.39"}


class Web:
    """Requests to something on this machine, which is asked without a proxy.

    Args:
        context: by which TLS is verified
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if context is not None:
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

    def ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        content: bytes | BinaryIO | None,
        seconds: float = _SECONDS,
    ) -> tuple[http.client.HTTPMessage, Any]:
        """Return the headers of an answer, and its JSON.

        Raises:
            ApiError: there is no answer, or a refusal.
        """
        request = urllib.request.Request(url, content, headers, method=method)
        try:
            with self._opener.open(request, timeout=seconds) as response:
                text = response.read()
                return response.headers, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            said = error.read()[:500].decode(errors="replace")
            raise ApiError(f"{method} {url}: {error.code} {said}", error.code) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiError(f"{method} {url}: {error}") from error


class Api:
    """Requests of the cloud's administrator; one logon for all."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._token = ""
        self._ask = Web().ask

    def get(self, service: str, path: str, seconds: float = _SECONDS) -> Any:
        """Return the body of an answer.

        Raises:
            ApiError: there is none within these seconds, or a refusal.
        """
        return self.send("GET", service, path, seconds=seconds)

    def post(self, service: str, path: str, body: Any) -> Any:
        """Have something made, and return the answer.

        Raises:
            ApiError: as `get` does.
        """
        return self.send("POST", service, path, body)

    def send(
        self, method: str, service: str, path: str, body: Any = None, seconds: float = _SECONDS
    ) -> Any:
        """Send a request, once more where the token is no longer good.

        Raises:
            ApiError: there is no answer, or a refusal.
        """
        self._token = self._token or self._logon()
        url = f"{self._place.url(service)}{_ROOTS[service]}{path}"
        headers = {"X-Auth-Token": self._token, "Content-Type": "application/json"}
        if service in _VERSIONS:
            headers["OpenStack-API-Version"] = _VERSIONS[service]
        content = None if body is None else json.dumps(body).encode()
        try:
            return self._ask(method, url, headers, content, seconds)[1]
        except ApiError as error:
            if error.status != 401:
                raise
            self._token = self._logon()
            headers["X-Auth-Token"] = self._token
            return self._ask(method, url, headers, content, seconds)[1]

    def send_file(self, service: str, path: str, file: BinaryIO) -> None:
        """Send a file.

        Raises:
            ApiError: as `get` does.
        """
        self._token = self._logon()  # one that is good until it is sent
        size = file.seek(0, 2)
        file.seek(0)
        headers = {"X-Auth-Token": self._token, "Content-Type": "application/octet-stream"}
        url = f"{self._place.url(service)}{_ROOTS[service]}{path}"
        self._ask("PUT", url, {**headers, "Content-Length": str(size)}, file, _FILE_SECONDS)

    def _logon(self) -> str:
        domain = {"name": "Default"}
        user = {"name": "admin", "domain": domain, "password": self._place.secrets.admin}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": "admin", "domain": domain}},
            }
        }
        url = f"{self._place.url('keystone')}/v3/auth/tokens"
        headers = {"Content-Type": "application/json"}
        answered, _ = self._ask("POST", url, headers, json.dumps(body).encode())
        return answered["X-Subject-Token"] or ""


def openrc(place: Place, environment: str) -> str:
    """Return what a shell sources to work with the cloud."""
    variables = {
        "OS_AUTH_URL": f"{place.url('keystone')}/v3",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": place.secrets.admin,
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_REGION_NAME": REGION,
        "OS_COMPUTE_API_VERSION": "2.96",
        "OS_VOLUME_API_VERSION": "3.71",
        "ZHMC_HOST": place.host,
        "ZHMC_USERID": "labuser",
        "ZHMC_CA_CERTS": str(place.of("hmc", "ca.pem")),
    }
    lines = [f"export {name}='{value}'" for name, value in variables.items()]
    lines.append(f"export ZHMC_PASSWORD=\"$(cat '{place.hmc_password}')\"")
    lines.append(f"export no_proxy='{place.host}'${{no_proxy:+,$no_proxy}}")
    lines.append(
        f"case :$PATH: in *:{environment}/bin:*) ;; *) PATH=$PATH:{environment}/bin ;; esac"
    )
    return "\n".join(lines) + "\n"
