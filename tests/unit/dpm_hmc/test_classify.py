"""What became of a request, by how it ended."""

from __future__ import annotations

import ssl

import pytest
import requests
import zhmcclient

from dpm_hmc import cures
from dpm_hmc.classify import FAILURES, as_ours, classify
from dpm_hmc.errors import (
    AnswerError,
    CertificateError,
    ConfigError,
    ConflictError,
    HmcError,
    HttpError,
    Kind,
    LogonError,
    NameTakenError,
    NotFoundError,
    UnansweredError,
    UnreachableError,
)
from tests.unit.dpm_hmc.broken import (
    answered,
    broken,
    certificate,
    closed,
    dropped,
    no_time_to_connect,
    no_time_to_read,
    not_connected,
    redirected,
    tls,
    unauthorized,
)

WHAT = "POST /api/partitions/1/operations/start"

NO_BUNDLE = "Could not find a suitable TLS CA certificate bundle, invalid path: ca.pem"

#: How a request ended, what became of it, our error, and what that says.
ENDS: list[tuple[BaseException, Kind, type[HmcError], str]] = [
    (answered(503), Kind.BUSY, HttpError, "the HMC answered 503,0: m"),
    (answered(409, 2), Kind.BUSY, ConflictError, "409,2"),
    (answered(409, 1), Kind.REFUSED, ConflictError, "409,1"),
    (answered(409, 503), Kind.REFUSED, ConflictError, "409,503"),
    (answered(404, 1), Kind.REFUSED, NotFoundError, "404,1"),
    (answered(404, 2), Kind.REFUSED, HttpError, "404,2"),
    (answered(400, 8), Kind.REFUSED, NameTakenError, "400,8"),
    (answered(400, 2), Kind.REFUSED, HttpError, "400,2"),
    (answered(403, 1), Kind.REFUSED, HttpError, "403,1"),
    (answered(499, 0), Kind.REFUSED, HttpError, "499,0"),
    (answered(500, 0), Kind.FAILED, HttpError, "500,0"),
    (answered(500, 12), Kind.FAILED, HttpError, "500,12"),
    (answered(502, 2), Kind.FAILED, HttpError, "502,2"),
    (answered("high", [], {}), Kind.REFUSED, HttpError, "the HMC answered 0,0: {}"),
    (answered(True, True), Kind.REFUSED, HttpError, "the HMC answered 0,0"),
    (unauthorized(4), Kind.SESSION_GONE, LogonError, "403,4"),
    (unauthorized(5), Kind.SESSION_GONE, LogonError, "403,5"),
    (unauthorized(0), Kind.LOGON_REFUSED, LogonError, "403,0"),
    (unauthorized(3), Kind.LOGON_REFUSED, LogonError, "403,3"),
    (unauthorized(40), Kind.LOGON_REFUSED, LogonError, "403,40"),
    (not_connected(), Kind.NOT_SENT, UnreachableError, "no answer from HMC hmc1: Connection ref"),
    (no_time_to_connect(), Kind.NOT_SENT, UnreachableError, "no answer from HMC hmc1: slow"),
    (
        tls(ssl.SSLError(1, "[SSL: TLSV1_ALERT_BAD_CERTIFICATE] tlsv1 alert bad certificate")),
        Kind.NOT_SENT,
        UnreachableError,
        "bad certificate",
    ),
    (dropped(), Kind.UNANSWERED, UnansweredError, "no answer from HMC hmc1: reset by peer"),
    (closed(), Kind.UNANSWERED, UnansweredError, "from HMC hmc1: Remote end closed connection"),
    (no_time_to_read("CA bundle certificate"), Kind.UNANSWERED, UnansweredError, "CA bundle"),
    (
        broken(OSError(5, "a certificate that is none")),
        Kind.UNANSWERED,
        UnansweredError,
        "a certificate that is none",
    ),
    (
        tls(certificate(20, "unable to get local issuer certificate")),
        Kind.CERTIFICATE,
        CertificateError,
        "The certificate of HMC hmc1 cannot be verified: unable to get local issuer certificate",
    ),
    (
        zhmcclient.ConnectionError(NO_BUNDLE, OSError(NO_BUNDLE)),
        Kind.CERTIFICATE,
        CertificateError,
        "HMC hmc1 cannot be verified: Could not find a suitable TLS CA certificate bundle",
    ),
    (
        redirected("http://elsewhere"),
        Kind.REDIRECT,
        AnswerError,
        "a redirect to http://elsewhere, which is not followed; this is no HMC's Web Services API",
    ),
    *(
        (error, Kind.UNREADABLE, AnswerError, f"{WHAT}: an answer of another form; this is no HMC")
        for error in (
            zhmcclient.ParseError("<html>"),
            KeyError("api-session"),
            IndexError(),
            TypeError(),
            UnicodeDecodeError("utf-8", b"", 0, 1, ""),
            AttributeError(),
            AssertionError(),
            RecursionError(),
        )
    ),
    (zhmcclient.ClientAuthError("no"), Kind.OTHER, HmcError, f"{WHAT}: no"),
]


@pytest.mark.parametrize(
    ("error", "kind", "ours", "text"), ENDS, ids=[f"{kind.name}-{e!r:.60}" for e, kind, *_ in ENDS]
)
def test_each_way_to_end_is_of_one_kind_and_one_of_our_errors(
    error: BaseException, kind: Kind, ours: type[HmcError], text: str
) -> None:
    found = as_ours(WHAT, "hmc1", error)

    assert isinstance(error, FAILURES)
    assert classify(error) is kind
    assert type(found) is ours
    assert found.kind is kind
    assert text in found.finding


def test_there_is_an_example_of_each_kind() -> None:
    assert {kind for _, kind, *_ in ENDS} == set(Kind)


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        (9, "Renew the certificate on the HMC"),
        (10, "Renew the certificate on the HMC"),
        (62, "Write the HMC in hmc as its certificate names it"),
        (64, "Write the HMC in hmc as its certificate names it"),
        (18, "Set hmc_ca_file"),
        (20, "Set hmc_ca_file"),
    ],
)
def test_a_certificate_s_cure_follows_openssl_s_code(code: int, cure: str) -> None:
    assert as_ours(WHAT, "hmc1", tls(certificate(code, "no"))).cure.startswith(cure)


@pytest.mark.parametrize(
    ("request_", "status", "reason", "cure"),
    [
        (WHAT, 403, 1, "The HMC user lacks the task Start Partition, or access to an object"),
        ("GET /api/cpcs/1", 403, 1, "The HMC user lacks access to an object"),
        ("GET /api/cpcs/1", 403, 7, "Give the user access to the CPC"),
        ("GET /api/cpcs/1", 404, 1, "It is not there, or the HMC user may not see it"),
    ],
)
def test_an_answer_has_its_cure(request_: str, status: int, reason: int, cure: str) -> None:
    error = HttpError(request_, status, reason, "m.")

    assert error.cure.startswith(cure)
    assert str(error) == f"{request_}: the HMC answered {status},{reason}: m. {error.cure}"


@pytest.mark.parametrize(("status", "reason"), [(404, 4), (409, 8), (500, 1)])
def test_where_nobody_knows_a_cure_the_hmc_s_text_stands_alone(status: int, reason: int) -> None:
    error = HttpError(WHAT, status, reason, "m.")

    assert (error.cure, str(error)) == ("", f"{WHAT}: the HMC answered {status},{reason}: m.")


def test_a_lacking_permission_is_to_be_given() -> None:
    assert HttpError(WHAT, 403, 1, "").cure.endswith(
        "names. Give the user the task, or access on the HMC"
    )
    assert HttpError("GET /api/cpcs/1?a=b", 403, 1, "").cure.endswith(
        "names. Give the user access on the HMC"
    )


def test_an_answer_s_error_has_its_parts() -> None:
    error = as_ours(WHAT, "hmc1", answered(404, 1, "gone"))

    assert isinstance(error, HttpError)
    assert (error.what, error.status, error.reason, error.message) == (WHAT, 404, 1, "gone")
    assert error.is_hidden
    assert not error.is_failure


def test_an_option_s_error_has_its_parts() -> None:
    error = ConfigError("hmc", "x", "it is odd", "Set it")

    assert error.option == "hmc"
    assert str(error) == "[dpm] hmc = x: it is odd. Set it"
    assert str(ConfigError("a", 1, "b", "C", "d")) == "[d] a = 1: b. C"


def test_what_is_no_hmc_has_a_cure() -> None:
    assert as_ours(WHAT, "hmc1", TypeError()).cure == cures.NO_ANSWER_OF_AN_HMC
    nowhere = zhmcclient.ConnectionError("broken", requests.TooManyRedirects("no"))
    assert "a redirect to nowhere, which" in as_ours(WHAT, "hmc1", nowhere).finding


def test_a_cause_is_found_wherever_it_is_wrapped() -> None:
    leaf = ValueError("leaf")
    verified = certificate(20, "no")

    assert classify(broken(RuntimeError(verified, leaf))) is Kind.CERTIFICATE
    assert classify(broken(RuntimeError(verified, leaf, leaf))) is Kind.CERTIFICATE
    assert classify(broken(RuntimeError(leaf, verified))) is Kind.CERTIFICATE


def test_an_error_says_its_cure_once_and_nothing_where_it_has_none() -> None:
    assert str(AnswerError("odd")) == "odd"
    assert str(UnreachableError("away")) == f"away. {cures.NO_HMC}"
    assert str(UnreachableError("away", "")) == "away"
    assert str(HmcError("odd.", "Go")) == "odd. Go"


def test_a_message_that_is_a_whole_page_is_cut() -> None:
    error = as_ours(WHAT, "hmc1", answered(500, 0, "x" * 5000))

    assert isinstance(error, HttpError)
    assert len(error.message) == 1000


def test_what_is_wrapped_in_itself_is_looked_at_once() -> None:
    error = broken(OSError(5, "input"))
    error.details.__cause__ = error

    assert classify(error) is Kind.UNANSWERED
