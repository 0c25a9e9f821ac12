"""What the HMC answers, read: a property has the type that the API's book gives it.

An answer is the work of others: of another release of the HMC, or of something between here and
there. Whatever is in it, what comes out of here is a value of the right type or an `AnswerError`.
"""

from __future__ import annotations

import re
from typing import Any, TypeGuard

from dpm_hmc.errors import AnswerError

Properties = dict[str, Any]

_URI = re.compile(r"/api(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+")
"""What a URI is put behind is ``https://host:port``: an ``@`` in it would make another host."""
_LONGEST = 80
_MOST = 2.0**53


def text(properties: Properties, name: str) -> str:
    """Return a property that is text."""
    value = properties.get(name)
    if not isinstance(value, str):
        raise _wrong(properties, name, "text")
    return value


def optional_text(properties: Properties, name: str) -> str:
    """Return a property that is text, or nothing where there is none."""
    return "" if properties.get(name) is None else text(properties, name)


def number(properties: Properties, name: str, most: int | None = None) -> int:
    """Return a property that is a number from 0 to `most`."""
    value = properties.get(name)
    if type(value) is not int or value < 0 or (most is not None and value > most):
        limit = "" if most is None else f" up to {most}"
        raise _wrong(properties, name, f"a number{limit}")
    return value


def optional_number(properties: Properties, name: str) -> int | None:
    """Return a property that is a number, or None where there is none."""
    return None if properties.get(name) is None else number(properties, name)


def amount(properties: Properties, name: str) -> float:
    """Return a property that is an amount of something, whole or not."""
    value = properties.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MOST:
        raise _wrong(properties, name, "an amount")
    return float(value)


def uri(properties: Properties, name: str) -> str:
    """Return a property that is the URI of an object or element."""
    value = properties.get(name)
    if not _is_uri(value):
        raise _wrong(properties, name, "a URI of the API")
    return value


def optional_uri(properties: Properties, name: str) -> str:
    """Return a property that is a URI, or nothing where there is none."""
    return uri(properties, name) if properties.get(name) else ""


def uris(properties: Properties, name: str) -> tuple[str, ...]:
    """Return a property that is a list of URIs; none where it is missing."""
    value = properties.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(map(_is_uri, value)):
        raise _wrong(properties, name, "a list of URIs of the API")
    return tuple(value)


def objects(properties: Properties, name: str) -> list[Properties]:
    """Return a property that is a list of objects."""
    value = properties.get(name)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _wrong(properties, name, "a list of objects")
    return value


def optional_objects(properties: Properties, name: str) -> list[Properties]:
    """Return a property that is a list of objects; none where it is missing."""
    return [] if properties.get(name) is None else objects(properties, name)


def optional_object(properties: Properties, name: str) -> Properties:
    """Return a property that is an object; an empty one where there is none."""
    value = properties.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(properties, name, "an object")
    return value


def matching(properties: Properties, name: str, pattern: str, what: str) -> str:
    """Return a property that is text of one form, in lower case; `what` names the form."""
    value = properties.get(name)
    if not isinstance(value, str) or not re.fullmatch(pattern, value.lower(), re.ASCII):
        raise _wrong(properties, name, what)
    return value.lower()


def _is_uri(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _URI.fullmatch(value) is not None


def _wrong(properties: Properties, name: str, what: str) -> AnswerError:
    said = repr(properties[name])[:_LONGEST] if name in properties else "missing"
    known = (properties.get("object-uri"), properties.get("element-uri"))
    of = next((f" of {value}" for value in known if _is_uri(value)), "")
    return AnswerError(f"The HMC's answer cannot be used: {name}{of} is {said}, and not {what}")
