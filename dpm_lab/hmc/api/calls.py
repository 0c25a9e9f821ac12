"""One request on its way to the operation that answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from dpm_lab.hmc.api.faults import Fault
from dpm_lab.hmc.api.jobs import Job, Work
from dpm_lab.hmc.api.refusals import Reason, missing, unknown
from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.tree import Tree
from dpm_lab.hmc.api.users import User, Users


@dataclass(frozen=True)
class Context:
    """Whose request it is, and what shall go wrong with it."""

    tree: Tree
    session: str = ""
    faults: list[Fault] = field(default_factory=list)
    user: User | None = None
    users: Users | None = None


@dataclass(frozen=True)
class Call:
    """One request.

    Args:
        perform: answers a request of the same user that is a part of this one
    """

    method: str
    uri: str
    body: Any
    context: Context
    perform: Callable[[str, str, Any], Any]

    @property
    def tree(self) -> Tree:
        """The resources."""
        return self.context.tree

    @property
    def path(self) -> str:
        """The URI without its query."""
        return self.uri.partition("?")[0]

    @property
    def base(self) -> str:
        """The URI of the object whose operation or collection this is about."""
        return self.path.rpartition("/operations/")[0] or self.path

    @property
    def id(self) -> str:
        """The id of that object."""
        return self.base.rpartition("/")[2]

    @property
    def above(self) -> Resource:
        """The resource whose collection this is about: the console where it is nobody's.

        Raises:
            Refusal: 404, 1: it does not exist.
        """
        uri = self.path.rpartition("/")[0]
        return self.tree.console if uri == "/api" else self.tree.find(uri)

    def query(self, *allowed: str) -> dict[str, list[str]]:
        """Return the query parameters, each with its values.

        Raises:
            Refusal: 400, 1: there is one that the operation does not have, or one without "=".
        """
        found: dict[str, list[str]] = {}
        for text in filter(None, self.uri.partition("?")[2].split("&")):
            name, sign, value = text.partition("=")
            if not sign or unquote(name) not in allowed:
                raise Reason.BAD_REQUEST(f"The query parameter {text!r} is not supported")
            found.setdefault(unquote(name), []).append(unquote(value))
        return found

    def object(self, *required: str) -> dict[str, Any]:
        """Return a copy of the body.

        Raises:
            Refusal: 400, 3: there is none; 400, 7: it is no object; 400, 5: it lacks a field.
        """
        if self.body is None:
            raise Reason.NO_BODY("The request has no body")
        if not isinstance(self.body, dict):
            raise Reason.BAD_VALUE("The request body is no JSON object")
        for name in required:
            if name not in self.body:
                raise missing(name)
        return dict(self.body)

    def allow(self, *names: str) -> None:
        """Check that the body has no other fields.

        Raises:
            Refusal: 400, 6.
        """
        for name in self.body or {}:
            if name not in names:
                raise unknown(name)

    def start(self, work: Work) -> Accepted:
        """Begin a job and return the answer that says so."""
        job = self.tree.jobs.start(work, self.context.session, self.context.faults)
        return Accepted(job)


@dataclass(frozen=True)
class Accepted:
    """The answer 202 (the operation goes on in a job, or there is nothing more to say)."""

    job: Job | None = None


Operation = Callable[[Call], Any]
