"""Runs Tempest against a cloud, and says what became of each test."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from dpm_lab.cloud import processes
from dpm_lab.cloud.api import Api
from dpm_lab.cloud.errors import CloudError
from dpm_lab.cloud.place import Place
from dpm_lab.cloud.tempest import configuration, environment
from dpm_lab.cloud.tempest.selection import Chosen
from dpm_lab.process import Answer, ask
from dpm_lab.progress import Progress

#: Names of tests begin so; stestr lists warnings of its own beside them.
_ROOTS = ("tempest.", "dpm_lab.")
#: What Tempest's fixtures of classes are called in results.
_CLASS = ("setUpClass (", "tearDownClass (")


@dataclass(frozen=True)
class Result:
    """What became of a test, or of what a class does before or after its tests.

    Attributes:
        end: passed, failed or skipped
        said: the traceback of a failure, or why it was skipped
    """

    test: str
    end: str
    seconds: float = 0.0
    said: str = ""

    @property
    def cause(self) -> str:
        """The last line of a traceback."""
        lines = [line.strip() for line in self.said.splitlines() if line.strip()]
        return lines[-1] if lines else ""


@dataclass
class Results:
    """What became of all tests that were to run."""

    chosen: Chosen
    minutes: float = 0.0
    _ended: dict[str, Result] = field(default_factory=dict)
    _classes: dict[str, Result] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        """Take the next one."""
        if result.test.startswith(_CLASS):
            name = result.test.partition("(")[2].rstrip(")")
            before = self._classes.get(name)
            if before is None or before.end != "failed":
                self._classes[name] = result
        else:
            self._ended[result.test] = result

    def of(self, test: str) -> Result:
        """Return what became of a test: its class may have been skipped, or failed, before it."""
        if test in self._ended:
            return self._ended[test]
        of_class = self._classes.get(class_of(test))
        if of_class is not None:
            return Result(test, of_class.end, 0.0, of_class.said)
        return Result(test, "failed", 0.0, "it did not run")

    def all(self) -> Iterator[Result]:
        """Give what became of each selected test, and what failed after the tests of a class."""
        for test in self.chosen.tests:
            yield self.of(test)
        yield from self.failed_classes()

    def failed_classes(self) -> list[Result]:
        """Return the classes that failed though all of their tests were told of."""
        told = {class_of(test) for test in self._ended}
        return [
            each for name, each in self._classes.items() if each.end == "failed" and name in told
        ]

    def count(self, tests: Iterable[str]) -> Mapping[str, int]:
        """Return how many tests ended in each way."""
        return Counter(self.of(test).end for test in tests)


def class_of(test: str) -> str:
    """Return the name of a test's class."""
    return test.partition("[")[0].rpartition(".")[0]


def prepare(place: Place, progress: Progress) -> None:
    """Make Tempest's environment, and its folder in the cloud's.

    Raises:
        CloudError: the cloud is not up, or pip cannot install Tempest.
    """
    try:
        configuration.write(place, Api(place))
    except CloudError as error:
        raise CloudError(f"the cloud does not answer ('dpm-lab cloud up'): {error}") from error
    path = environment.make(progress)
    (found,) = path.glob("lib/python3*/site-packages")
    stestr = f"[DEFAULT]\ntest_path={found}/tempest/test_discover\ntop_dir={found}\n"
    place.of("tempest", ".stestr.conf").write_text(stestr, encoding="utf-8")


def tests(place: Place) -> list[str]:
    """Return the names of all tests that Tempest and the plug-in have.

    Raises:
        CloudError: Tempest cannot list them.
    """
    if not place.of("tempest", ".stestr").exists():
        _stestr(place, "init")
    answer = _stestr(place, "list")
    found = [line for line in answer.output.splitlines() if line.startswith(_ROOTS)]
    if answer.code or not found:
        said = "\n".join((answer.output + answer.errors).splitlines()[-12:])
        raise CloudError(f"Tempest cannot list its tests:\n{said}")
    return found


def _stestr(place: Place, action: str) -> Answer:
    variables = environment.variables(place)
    stestr = environment.folder() / "bin/stestr"
    return ask([stestr, action], environment=variables, folder=place.of("tempest"))


def run(place: Place, chosen: Chosen, progress: Progress, workers: int) -> Results:
    """Run what is chosen.

    Args:
        workers: how many tests run at a time

    Raises:
        CloudError: Tempest ended without a word about any of it.
    """
    results = Results(chosen)
    wanted = chosen.tests
    listed = place.of("tempest", "selected")
    listed.write_text("".join(f"{test}\n" for test in wanted), encoding="utf-8")
    counts: Counter[str] = Counter()
    began = progress.seconds
    for result in _lines(place, listed, workers):
        results.add(result)
        counts[result.end] += 1
        if result.end == "failed":
            progress.line(f"failed: {result.test.partition('[')[0]}: {result.cause}")
        ended = ", ".join(f"{number} {end}" for end, number in sorted(counts.items()))
        progress.status(f"{len(wanted)} tests: {ended}; {result.test.partition('[')[0]}")
    if wanted and not counts:
        raise CloudError(f"Tempest ran nothing: {place.log('tempest')} says why")
    results.minutes = (progress.seconds - began) / 60
    return results


def _lines(place: Place, listed: Path, workers: int) -> Iterator[Result]:
    """Give results as they come."""
    variables = dict(environment.variables(place))
    programs = environment.folder() / "bin"
    command: list[str | Path] = [
        programs / "tempest",
        "run",
        "--subunit",
        "--concurrency",
        str(workers),
    ]
    with place.log("tempest").open("ab") as log:
        tempest = subprocess.Popen(
            [*command, "--load-list", listed],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=variables,
            cwd=place.of("tempest"),
        )
        reader = subprocess.Popen(
            [programs / "python", "-m", "dpm_lab.cloud.inside.tempest.results"],
            stdin=tempest.stdout,
            stdout=subprocess.PIPE,
            stderr=log,
            env=variables,
            text=True,
        )
    try:
        assert tempest.stdout and reader.stdout
        tempest.stdout.close()
        for line in reader.stdout:
            yield Result(**json.loads(line))
    finally:
        _end(tempest.pid, reader.pid)
        tempest.wait()
        reader.wait()


def _end(*pids: int) -> None:
    """End programs and what they started, where they still run: somebody pressed Ctrl-C."""
    left = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            first = psutil.Process(pid)
            left += [first, *first.children(recursive=True)]
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    processes.end(left, processes.PATIENCE)
