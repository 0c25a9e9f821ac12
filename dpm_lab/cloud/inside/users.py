"""Keystone's keys, users, roles and catalogue, in one process and without a request.

What ``keystone-manage fernet_setup``, ``credential_setup`` and ``bootstrap`` do and then some
``openstack user create``, ``role add``, ``service create`` and ``endpoint create``, in a tenth of
the time. Passwords come from the cloud's folder, so no process list shows them.
"""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import keystone.conf
from keystone import exception
from keystone.cmd.bootstrap import Bootstrapper
from keystone.common import fernet_utils, provider_api
from keystone.server import configure

from dpm_lab.cloud.place import REGION, Place

#: Each service's type, and the path of its endpoint.
SERVICES = {
    "glance": ("image", ""),
    "placement": ("placement", ""),
    "nova": ("compute", "/v2.1"),
    "neutron": ("network", ""),
    "cinder": ("volumev3", "/v3"),
}


def main(folder: str) -> None:
    """Make all of it, for the cloud in a folder, whose databases have nothing yet."""
    place = Place.read(Path(folder))
    configure(config_files=[str(place.of("etc", "keystone", "keystone.conf"))])
    _keys("fernet_tokens", keystone.conf.CONF.fernet_tokens.key_repository)
    _keys("credential", keystone.conf.CONF.credential.key_repository)
    made = _bootstrap(place)
    providers = provider_api.ProviderAPIs
    project = uuid.uuid4().hex
    providers.resource_api.create_project(
        project,
        {
            "id": project,
            "name": "service",
            "domain_id": "default",
            "enabled": True,
            "parent_id": None,
        },
    )
    for name, (kind, path) in SERVICES.items():
        user = providers.identity_api.create_user(
            {
                "name": name,
                "domain_id": "default",
                "enabled": True,
                "password": place.secrets.service,
            }
        )
        for role in (made.admin_role_id, made.service_role_id):
            providers.assignment_api.add_role_to_user_and_project(user["id"], project, role)
        service = uuid.uuid4().hex
        about = {"id": service, "name": name, "type": kind, "enabled": True}
        providers.catalog_api.create_service(service, about)
        for interface in ("public", "internal", "admin"):
            endpoint = uuid.uuid4().hex
            providers.catalog_api.create_endpoint(
                endpoint,
                {
                    "id": endpoint,
                    "interface": interface,
                    "url": f"{place.url(name)}{path}",
                    "service_id": service,
                    "region_id": REGION,
                    "enabled": True,
                },
            )


def _keys(group: str, folder: str) -> None:
    keys = fernet_utils.FernetUtils(folder, 3, group)
    keys.create_key_directory()
    if keys.validate_key_repository(requires_write=True):
        keys.initialize_key_repository()


def _bootstrap(place: Place) -> Bootstrapper:
    made = Bootstrapper()
    made.admin_username, made.admin_password = "admin", place.secrets.admin
    made.project_name, made.admin_role_name = "admin", "admin"
    made.service_name, made.region_id = "keystone", REGION
    url = f"{place.url('keystone')}/v3"
    made.public_url = made.internal_url = made.admin_url = url
    made.immutable_roles = True
    made.bootstrap()
    return made


if __name__ == "__main__":
    # oslo.config reads sys.argv as well.
    words, sys.argv = sys.argv, sys.argv[:1]
    try:
        main(words[1])
    except exception.Error as error:
        sys.exit(f"{type(error).__name__}: {error}")
