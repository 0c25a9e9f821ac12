"""One request on its way to a handler, in a form that can be read.

``zhmcclient.mock`` dispatches to classes with static methods of seven parameters. `extended` makes
such a class of functions that take a `Call`, on top of the mock's own class, which goes on to do
what is not replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dpm_lab.hmc.api.faults import Fault
from dpm_lab.hmc.api.jobs import Job, Work
from dpm_lab.hmc.api.refusals import Refusal, missing, unknown
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
    """One request. `ids` are what is in the place of the ids in the URI's pattern."""

    method: str
    uri: str
    ids: tuple[str, ...]
    body: Any
    context: Context
    mock: Callable[[Any], Any]

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

    def object(self, *required: str) -> dict[str, Any]:
        """Return a copy of the body.

        :raises Refusal: 400, 3: there is none; 400, 7: it is no object; 400, 5: it lacks a field.
        """
        if self.body is None:
            raise Refusal(400, 3, "The request has no body")
        if not isinstance(self.body, dict):
            raise Refusal(400, 7, "The request body is no JSON object")
        for name in required:
            if name not in self.body:
                raise missing(name)
        return dict(self.body)

    def allow(self, *names: str) -> None:
        """Check that the body has no other fields.

        :raises Refusal: 400, 6.
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


def extended(
    context: Callable[[], Context],
    base: Any = object,
    *,
    get: Operation | None = None,
    post: Operation | None = None,
    delete: Operation | None = None,
) -> Any:
    """Return a handler class that is `base` but for the given methods."""

    def getter(method: str, hmc: Any, uri: str, ids: tuple[str, ...], logon: bool) -> Any:
        assert get is not None
        mock = getattr(base, "get", None)
        return get(
            Call(method, uri, ids, None, context(), lambda _: mock(method, hmc, uri, ids, logon))  # type: ignore[misc]
        )

    def poster(  # noqa: PLR0917 - the mock's signature
        method: str, hmc: Any, uri: str, ids: tuple[str, ...], body: Any, logon: bool, wait: bool
    ) -> Any:
        assert post is not None
        mock = getattr(base, "post", None)
        return post(
            Call(
                method,
                uri,
                ids,
                body,
                context(),
                lambda changed: mock(method, hmc, uri, ids, changed, logon, wait),  # type: ignore[misc]
            )
        )

    def deleter(method: str, hmc: Any, uri: str, ids: tuple[str, ...], logon: bool) -> Any:
        assert delete is not None
        mock = getattr(base, "delete", None)
        return delete(
            Call(method, uri, ids, None, context(), lambda _: mock(method, hmc, uri, ids, logon))  # type: ignore[misc]
        )

    methods: dict[str, Any] = {}
    if get is not None:
        methods["get"] = staticmethod(getter)
    if post is not None:
        methods["post"] = staticmethod(poster)
    if delete is not None:
        methods["delete"] = staticmethod(deleter)
    return type("Handler", (base,), methods)
