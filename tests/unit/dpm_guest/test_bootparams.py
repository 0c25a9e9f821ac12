"""The format that joins driver and guest, in both directions."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpm_guest.bootparams import LIMIT, PATTERN, NicParams, compose, encode, parse
from dpm_guest.errors import InvalidIdError, InvalidNicError, TooLongError
from dpm_guest.ids import CcwId, Mac


def nic(devno: str, port: int = 0, mac: str | None = None) -> NicParams:
    return NicParams(CcwId.parse(devno), port, Mac.parse(mac) if mac else None)


MACS = st.binary(min_size=6, max_size=6).map(
    lambda raw: Mac.parse(bytes([(raw[0] | 2) & 0xFE, *raw[1:]]).hex())
)


@st.composite
def nic_lists(draw: st.DrawFn) -> list[NicParams]:
    """NICs as a partition can have them: their triples do not overlap."""
    slots = draw(st.lists(st.integers(0, 0xFFFD // 3 - 1), unique=True, max_size=12))
    return [
        NicParams(
            CcwId.parse(f"{1 + 3 * slot:04x}"),
            draw(st.integers(0, 15)),
            draw(st.none() | MACS),
        )
        for slot in slots
    ]


# Text that is likely to come near a tuple.
NEAR = st.text(alphabet='0123456789abcdefABCDEFxg,;:.= \t"-\u0661\xa0\x1c\x85', max_size=120)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("root=LABEL=x ro quiet", []),
        ("0001,1,0a0000000011;0004,0;", ["0001,1,0a0000000011;", "0004,0;"]),
        (
            "ro 0001,0,aabbccddeeff; 0004,0,0a0000000012; quiet",
            ["0001,0,aabbccddeeff;", "0004,0,0a0000000012;"],
        ),
        ("0A00,15,0A00000000FF;", ["0a00,15,0a00000000ff;"]),
        ("ROOT=X 0A00,1,0A0000000011;", ["0a00,1,0a0000000011;"]),
        ("0a00,0;\n", ["0a00,0;"]),
        ("init=/x -- 0001,0;", ["0001,0;"]),
        # the old driver's devno matched inside a MAC
        (
            "0001,0,0a0000010a00;0a00,1,0a0000000012;",
            ["0001,0,0a0000010a00;", "0a00,1,0a0000000012;"],
        ),
    ],
)
def test_reads_what_drivers_write(line: str, expected: list[str]) -> None:
    parsed = parse(line)

    assert [str(found) for found in parsed.nics] == expected
    assert parsed.damaged == ()
    assert parsed.overridden == ()


@pytest.mark.parametrize(
    "line",
    [
        "x=0001,0;",
        "rd.znet=qeth,0.0.0600,0.0.0601,0.0.0602,layer2=1",
        "cio_ignore=all,!0600,1;",
        "console=ttyS0,115200",
        "dasd=0200,0201;",
        'dyndbg="file qeth_core_main.c +p; 0001,0; x"',
        'a="0001,0;',
        "net.ifnames=0",
        "ro;",
        "1,2",
    ],
)
def test_finds_nothing_inside_other_parameters(line: str) -> None:
    assert parse(line).nics == ()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # a pair holds blanks together, wherever in a word it is
        ('x="1 0001,0; 2" 0004,0;', ["0004,0;"]),
        ('"x=1 0001,0; 2" 0004,0;', ["0004,0;"]),
        ('root=LABEL=root x="1 0001,0; 2" 0004,0;', ["0004,0;"]),
        ('x="1"2" 0001,0; 0004,0;', ["0001,0;", "0004,0;"]),
        # one that has no other does not hold the rest of the line
        ('x="1 0001,0; 0004,0;', ["0001,0;", "0004,0;"]),
        ('xy="1 0001,0; 0004,0;', ["0001,0;", "0004,0;"]),
        ('x="1" 0001,0; y="2 0004,0;', ["0001,0;", "0004,0;"]),
    ],
)
def test_quotes_are_read_in_pairs(line: str, expected: list[str]) -> None:
    assert [str(found) for found in parse(line).nics] == expected


@pytest.mark.parametrize("word", ['0001,0;"', '0001,"0;', '0001,0"x y";', '"0001,0;"', 'x"0001,0;'])
def test_a_word_with_a_quote_in_it_is_never_read(word: str) -> None:
    """A driver writes none, so what it would mean is a guess."""
    assert parse(f"ro {word} 0004,0;").nics == (nic("0004"),)


# lib/ctype.c of the kernel: bytes 9 to 13, 32 and 160 have the bit _S.
KERNELS_BLANKS = frozenset([*range(9, 14), 32, 160])


@pytest.mark.parametrize("number", [*range(1, 256), 0x2028, 0x3000])
def test_white_space_is_what_the_kernel_takes_for_it(number: int) -> None:
    character = chr(number)
    line = f"quiet{character}0001,0;{character}ro"

    found = parse(line).nics

    assert bool(found) == (number in KERNELS_BLANKS)
    assert compose(f"{character}a{character}", [nic("0004")]) == (
        f"{character}a 0004,0;" if number in KERNELS_BLANKS else f"{character}a{character} 0004,0;"
    )


def test_says_nothing_of_other_parameters() -> None:
    line = "rd.zfcp=0.0.1900,0x5005,0x4010 console=ttyS0,115200 a=b;c 0001,0;"

    assert parse(line).damaged == ()


@pytest.mark.parametrize(
    ("piece", "word"),
    [
        ("0004,16,0a0000000012;", "port '16'"),
        ("0004,-1;", "port '-1'"),
        ("0004,015;", "port '015'"),
        ("0004,\u0661;", "port"),
        ("0004,;", "port ''"),
        ("0004,0,0a00000000;", "MAC '0a00000000'"),
        ("0004,0,0a:00:00:00:00:12;", "MAC"),
        ("0004,0,0a0000000012,9;", "<devno>,<port>[,<mac>];"),
        ("004,0;", "device number '004'"),
        ("00000004,0;", "device number '00000004'"),
        ("0.0.0004,0;", "device number '0.0.0004'"),
        ("0x0004,0;", "device number '0x0004'"),
        ("fffe,0;", "device number 'fffe'"),
        ("0000,0;", "device number '0000'"),
        ("0004,0,0a0000000012", "no ';' at its end"),
    ],
)
def test_reports_a_damaged_tuple_and_keeps_the_good_ones(piece: str, word: str) -> None:
    together = parse(f"ro 0001,1,0a0000000011;0007,0;{piece}")
    apart = parse(f"0001,1,0a0000000011; {piece} 0007,0; ro")

    for parsed in (together, apart):
        assert [found.bus_id.devno for found in parsed.nics] == ["0001", "0007"]
        (said,) = parsed.damaged
        assert piece in said
        assert word in said


def test_reports_each_damaged_tuple_by_itself() -> None:
    parsed = parse("0001,99;0004,zz;0007,0;000a,0,12;")

    assert [found.bus_id.devno for found in parsed.nics] == ["0007"]
    assert [said.split(":")[0] for said in parsed.damaged] == [
        "'0001,99;'",
        "'0004,zz;'",
        "'000a,0,12;'",
    ]


def test_a_text_that_lost_its_beginning_is_reported_and_not_read() -> None:
    parsed = parse("01,0a0000000011;0004,1,0a0000000012; zz1;0007,0;")

    assert [found.bus_id.devno for found in parsed.nics] == ["0004"]
    assert len(parsed.damaged) == 2
    assert "'zz1;0007,0;': does not begin with a tuple" in parsed.damaged[1]


@pytest.mark.parametrize(
    "word",
    [
        "crashkernel=196M1000,0,fa163e000011;",
        "crashkernel=196M1000,0,fa163e000011;1003,1;",
        "crashkernel=196M1000,0,fa163e000011;1003,1,0a0",
        "nr_cpus=41000,0;",
        "rd.znet=qeth,0.0.0600,0.0.0601,0.0.06021000,0;",
        "quiet1000,1,fa163e000011;",
        "000001000,1;",
        "root=1000,0;",
    ],
)
def test_a_tuple_that_is_glued_to_another_word_is_reported_and_not_guessed(word: str) -> None:
    parsed = parse(f"ro {word} 0004,0;")

    assert [found.bus_id.devno for found in parsed.nics] == ["0004"]
    (said,) = parsed.damaged
    assert repr(word) in said
    assert "glued" in said


@pytest.mark.parametrize(
    "word",
    [
        "rd.znet=qeth,0.0.0600,0.0.0601,0.0.0602,layer2=1,portno=1",
        "cio_ignore=all,!0600-0602",
        "dasd=0200,0201;",
        "crashkernel=2G-64G:256M,64G-:512M",
        "ip=10.0.0.2::10.0.0.1:24:s:enc1:none,1500",
        "a=1,2;b=3",
        'dyndbg="x1000,0;"',
    ],
)
def test_other_words_with_commas_and_semicolons_are_not_taken_for_glued_ones(word: str) -> None:
    assert parse(f"ro {word} 0004,0;").damaged == ()


def test_in_a_file_of_tuples_every_word_has_to_be_one() -> None:
    parsed = parse("0004,0; port=1 0007,1;", only_tuples=True)

    assert [found.bus_id.devno for found in parsed.nics] == ["0004", "0007"]
    assert parsed.damaged == ("'port=1': not <devno>,<port>[,<mac>];",)


def test_the_last_tuple_of_a_devno_wins_and_that_is_said() -> None:
    parsed = parse("0001,0; ro 0004,1;0001,1,0a0000000011;")

    assert parsed.nics == (nic("0004", 1), nic("0001", 1, "0a0000000011"))
    assert parsed.overridden == ("'0001,0;' is overridden by the later '0001,1,0a0000000011;'",)
    assert parsed.damaged == ()


@given(nic_lists(), st.sampled_from(["", "quiet", "=root=/dev/sda ro", "  a  b ", 'x="1  2;"']))
def test_what_is_written_reads_back(nics: list[NicParams], existing: str) -> None:
    try:
        text = compose(existing, nics)
    except TooLongError:
        assert len(existing.rstrip()) + 1 + len(encode(nics)) > LIMIT
        return

    for line in (text, text.upper(), f"{text} x=1"):
        assert parse(line).nics == tuple(nics)
        assert parse(line).damaged == ()
    assert text.startswith(existing.rstrip())
    assert compose(text, nics) == text, "a second start writes the same"


@given(nic_lists())
def test_each_tuple_that_is_written_has_the_form_and_is_read_by_itself(
    nics: list[NicParams],
) -> None:
    found = [match.group() for match in re.finditer(PATTERN, encode(nics))]

    assert "".join(found) == encode(nics)
    assert list(map(NicParams.parse, found)) == nics


@pytest.mark.parametrize("text", ["", "0600,1", "0600,1;;", "0600,1;0700,1;", " 0600,1;", "0600;"])
def test_one_tuple_is_neither_less_nor_more(text: str) -> None:
    with pytest.raises(InvalidIdError):
        NicParams.parse(text)


@given(nic_lists())
def test_the_old_drivers_form_reads_the_same(nics: list[NicParams]) -> None:
    assert parse("ro " + " ".join(map(str, nics))).nics == tuple(nics)


@given(NEAR)
def test_random_text_yields_only_whole_tuples(text: str) -> None:
    check_whole(text)


def check_whole(text: str) -> None:
    """Every NIC found is a whole piece, up to its ';', of a word that has no other beginning."""
    words = re.split("[\t-\r \xa0]", text)
    for found in parse(text).nics:
        spellings = [
            piece
            for word in words
            if "=" not in word.split(";")[0]
            for piece in word.lower().split(";")[:-1]
        ]
        port = {str(found.port), f"{found.port:02d}"}
        mac = f",{found.mac.bare}" if found.mac else ""
        assert any(f"{found.bus_id.devno},{p}{mac}" in spellings for p in port), (text, found)


@pytest.mark.slow
def test_a_million_random_lines_never_crash_nor_yield_half_a_tuple() -> None:
    """Seeded, so that a failure can be repeated: fragments of real lines, cut and glued."""
    rng = random.Random(20261121)
    fragments = [
        *'0123456789abcdefABCDEF,;:.= "\t',
        "0001", "0a00", ",0", ",1,", "0a0000000011", ";", "; ", " ro ", "x=", "0.0.", "0x",
        "0001,1,0a0000000011;", "0004,0;", 'd="', "\u0661", "\x00", "\udcff",
    ]  # fmt: skip
    found = damaged = 0
    for _ in range(1_000_000):
        text = "".join(rng.choices(fragments, k=rng.randrange(1, 14)))
        parsed = parse(text)
        found += len(parsed.nics)
        damaged += len(parsed.damaged)
        if parsed.nics:
            check_whole(text)
    assert found > 10_000, "the lines must come near tuples"
    assert damaged > 10_000


def test_twelve_nics_with_macs_fit() -> None:
    nics = [nic(f"{1 + 3 * i:04x}", 1, f"0a00000000{i:02x}") for i in range(12)]

    assert len(compose("", nics)) == 240
    assert len(compose("x" * 15, nics)) == LIMIT


def test_the_limit_counts_what_was_there_before() -> None:
    nics = [nic(f"{1 + 3 * i:04x}", 1, f"0a00000000{i:02x}") for i in range(12)]

    with pytest.raises(
        TooLongError, match="need 257 characters, of which 240 for NICs and 17 for what"
    ):
        compose("x" * 16, nics)
    with pytest.raises(TooLongError, match="271 characters, of which 20 for NICs and 251 for what"):
        compose("x" * 250, nics[:1])


@pytest.mark.parametrize(
    ("existing", "expected"),
    [
        ("", "0004,1;"),
        ("quiet", "quiet 0004,1;"),
        ("quiet 0001,0;0004,0;", "quiet 0004,1;"),
        ("0001,0; 0004,0; quiet  nosmt", "quiet  nosmt 0004,1;"),
        ("a 0001,0; b", "a b 0004,1;"),
        ("x=0001,0; 0001,0;", "x=0001,0; 0004,1;"),
        ("0001,0;damaged,;", "0001,0;damaged,; 0004,1;"),
    ],
)
def test_an_operators_text_is_kept_and_old_tuples_are_replaced(
    existing: str, expected: str
) -> None:
    assert compose(existing, [nic("0004", 1)]) == expected


def test_without_nics_an_operators_text_stays_as_it_is() -> None:
    assert compose("  quiet ", []) == "  quiet "


@pytest.mark.parametrize(
    ("nics", "why"),
    [
        ([nic("0001", 16)], "port 16"),
        ([nic("0001", -1)], "port -1"),
        ([nic("fffe")], "0.0.fffe: its three device numbers"),
        ([nic("0000")], "0.0.0000: its three device numbers"),
        ([nic("0.1.0001")], "0.1.0001"),
        (
            [nic("0001"), nic("0003")],
            "0.0.0001 and 0.0.0003 overlap: both would take device number 0003",
        ),
        (
            [nic("0003"), nic("0002")],
            "0.0.0003 and 0.0.0002 overlap: both would take device number 0003",
        ),
        ([nic("0001", 0, "010000000001")], "multicast MAC .bit 0x01"),
        ([nic("0001", 0, "000000000001")], "not locally administered .bit 0x02"),
        ([nic("0001", 0, "ffffffffffff")], "multicast"),
    ],
)
def test_what_no_partition_can_have_is_not_written(nics: list[NicParams], why: str) -> None:
    with pytest.raises(InvalidNicError, match=why):
        encode(nics)


def test_nic_params_are_values() -> None:
    one = nic("0001", 1, "0a0000000011")

    assert one == nic("0001", 1, "0A0000000011")
    assert len({one, nic("0001", 1, "0a0000000011"), nic("0001", 1)}) == 2
    for number, other in (("0000", "0a0000000011"), ("0002", "0a0000000011"), ("0001", None)):
        assert one != nic(number, 1, other)
    assert one not in (nic("0001", 0, "0a0000000011"), nic("0001", 2, "0a0000000011"), str(one))
    with pytest.raises(AttributeError):
        one.port = 2
