"""One cloud for all tests, on an address of its own."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from dpm_lab import cache
from dpm_lab.cloud import causes
from dpm_lab.cloud.end import end
from dpm_lab.cloud.place import MACHINE, Place
from dpm_lab.cloud.start import Start
from dpm_lab.progress import Progress
from tests import notes
from tests.cloud.user import User

HOST = "127.0.0.11"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the deprecations of libraries to them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the services said during a test that failed: in the end their logs are gone."""
    report = yield
    user = getattr(item, "funcargs", {}).get("user")
    if report.failed and user is not None:
        for name, text in user.said_since_begin().items():
            report.sections.append((f"{name} said", "\n".join(causes.last(text, 6))))
    return report


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    """Return a cloud that is up, and remove it in the end."""
    folder = cache.folder("cloud", "tests")
    if Place.is_made(folder):  # of tests that were killed
        _end(Place.read(folder))
    made = Place.make(folder, HOST, [MACHINE], {})
    progress = Progress()
    try:
        Start(made, progress).run()
        notes.add(f"cloud: up after {progress.seconds:.0f} s")
        yield made
    finally:
        _end(made)


def _end(place: Place) -> None:
    end(place)
    place.purge()


@pytest.fixture(scope="session")
def the_user(place: Place) -> User:
    """Return the user, who logs on once."""
    return User(place)


@pytest.fixture
def user(the_user: User) -> Iterator[User]:
    """Return the user of a cloud in which all services run and nothing else is."""
    the_user.start()
    the_user.begin()
    yield the_user
    the_user.start()  # so that it can tidy up
    the_user.clean()
