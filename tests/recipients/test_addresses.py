"""What is an address, and which two are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupsvc.errors import Refusal
from recipients import addresses
from recipients.addresses import exact_address, parse_address
from recipients.mistakes import SLIPS


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ann@example.com", "ann@example.com"),
        ("Ann.Smith@Example.COM", "ann.smith@example.com"),
        ("=x+tag@example.com", "=x+tag@example.com"),
        ("ann@straße.de", "ann@xn--strae-oqa.de"),
        ("ann@XN--STRAE-OQA.de", "ann@xn--strae-oqa.de"),
        ("Ärger@example.com", "Ärger@example.com"),
        ("u\u0308@example.com", "ü@example.com"),
        ("ann@example.test", "ann@example.test"),
        ("ann@server.local", "ann@server.local"),
        ("иван@пример.рф", "иван@xn--e1afmkfd.xn--p1ai"),
        ("ann@пример.com", "ann@xn--e1afmkfd.com"),
        ("太郎たろう@例え.jp", "太郎たろう@xn--r8jz45g.jp"),
        ("ann@gmial.com", "ann@gmial.com"),
        ("info@example.com", "info@example.com"),
    ],
)
def test_the_key_lowers_the_domain_and_only_ascii_before_it(text: str, key: str) -> None:
    assert parse_address(text).key == key
    assert parse_address(text).email == text
    assert parse_address(text).domain == key.rsplit("@", 1)[1]


@pytest.mark.parametrize(
    "text",
    [
        " ann@example.com\t",
        "mailto:ann@example.com",
        "MAILTO:ann@example.com?subject=Hello",
        "Ann Smith <ann@example.com>",
        '"Smith, Ann" <ann@example.com>;',
        "ann@example.com <ann@example.com>",
        "<ann@example.com>",
        "'ann@example.com'",
        '"ann@example.com"',
        "ann@example.com.",
        "ann@example.com;",
        "ann@example.com,",
        "\xa0ann@example.com",
        ";ann@example.com",
        "ann @example.com",
        "ann@ example.com",
        "ann\uff20example.com",
        "ann\ufe6bexample.com",
        "“ann@example.com”",
        "«ann@example.com»",
        "smtp:ann@example.com",
        "E-Mail: ann@example.com",
        "<mailto:ann@example.com>",
        "ann@example.com<mailto:ann@example.com>",
        "Ann Smith (ann@example.com)",
        "ann@example.com (Ann Smith)",
        "'ann@example.com' <ann@example.com>",
        "'ann@example.com",
        " 'ann@example.com",
        "''ann@example.com",
        "Ann <'ann@example.com>",
    ],
)
def test_wrappings_are_mended(text: str) -> None:
    assert parse_address(text).email == "ann@example.com"


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("o'brien@example.com", "o'brien@example.com"),
        ("'o'brien@example.com", "o'brien@example.com"),
        ("'ann'@example.com", "'ann'@example.com"),
        ("'@example.com", "'@example.com"),
    ],
)
def test_an_apostrophe_that_is_part_of_a_name_stays(text: str, email: str) -> None:
    assert parse_address(text).email == email


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "address.missing"),
        ("   ", "address.missing"),
        ("ann", "address.no_at_sign"),
        ("ann@", "address.invalid"),
        ("@example.com", "address.invalid"),
        ("ann@localhost", "address.invalid"),
        ("ann@example.c", "address.invalid"),
        ("ann@example.com, bob@example.com, eve@example.com", "address.several"),
        ("ann@example.com\nbob@example.com", "address.several"),
        ("ann\u3164@example.com", "address.hidden_characters"),
        ("ann\ufe0f@example.com", "address.hidden_characters"),
        ("\ufeffann@example.com", "address.hidden_characters"),
        ("\u0430nn@example.com", "address.look_alike"),
        ("ann@ex\u0430mple.com", "address.look_alike"),
        ("ann@xn--exmple-4nf.com", "address.look_alike"),
        ("\u0391nn@example.com", "address.look_alike"),
        ("\uff41nn@example.com", "address.look_alike"),
        ("\u212aim@example.com", "address.look_alike"),
        ("\u017fam@example.com", "address.look_alike"),
        ("\ufb01nn@example.com", "address.look_alike"),
        ("abuse+list@example.com", "address.role"),
        ("ne-pas-repondre@example.fr", "address.role"),
        ("x" * 1_000_000 + "@example.com", "address.too_long"),
        (" @" * 500_000, "address.too_long"),
        ("ann@10.0.0.1", "address.invalid"),
        ("ann@[10.0.0.1]", "address.invalid"),
        ("ann@exa_mple.com", "address.invalid"),
        ("ann@xn--zz--.de", "address.invalid"),
        ("ann smith@example.com", "address.invalid"),
        ("ann@bob@example.com", "address.invalid"),
        ("ann@example.com, bob@example.com", "address.several"),
        ("ann@example.com bob@example.com", "address.several"),
        ("bob@example.com <ann@example.com>", "address.several"),
        ("ann\u202e@example.com", "address.hidden_characters"),
        ("ann@exam\u200bple.com", "address.hidden_characters"),
        ("ann\r\nBcc:x@example.com", "address.hidden_characters"),
        ("an\0n@example.com", "address.hidden_characters"),
        ("a" * 65 + "@example.com", "address.invalid"),
        ("a@" + "b" * 63 + "." + "c" * 63 + "." + "d" * 63 + "." + "e" * 63 + ".de", "address.too_long"),
        ("abuse@example.com", "address.role"),
        ("NoReply@example.com", "address.role"),
        ("Mailer <mailer-daemon@example.com>", "address.role"),
    ],
)
def test_what_is_no_address_of_one_person_is_refused(text: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_address(text)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "text",
    [
        "ann(at)example.com", "ann [at] example [dot] com", "ann at example.com", "ann{AT}example.com",
        "ann%40example.com", "ann@@example.com", "ann@example,com", "ann@example..com", "ann@example. com",
        "ann@.example.com", "ann@-example.com", "ann.@example.com", ".ann@example.com", "ann@example.com-",
    ],
)  # fmt: skip
def test_what_is_nearly_an_address_is_refused_with_a_suggestion(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_address(text)
    assert (refused.value.code, refused.value.params) == (
        "address.misspelled",
        {"suggestion": "ann@example.com"},
    )


def test_an_address_of_ours_is_taken_as_it_stands() -> None:
    assert exact_address("'ann@example.com").key == "'ann@example.com"
    assert exact_address("Ann <ann@example.com>").key == "ann@example.com"


def test_a_suggestion_is_an_address_itself() -> None:
    for text in ("abuse(at)example.com", "аnn(at)example.com", "ann(at)example", "ann at home"):
        with pytest.raises(Refusal) as refused:
            parse_address(text)
        assert refused.value.code == "address.no_at_sign"


def test_people_who_are_written_alike_stay_two() -> None:
    keys = {parse_address(f"{local}@example.com").key for local in ("ss", "ß", "i", "ı", "İ", "s", "å", "a")}
    assert len(keys) == 8


def test_slips_in_the_domains_of_great_providers_are_known_and_no_provider_is_one() -> None:
    assert [SLIPS[slip] for slip in ("gmial.com", "gmail.con", "gmai.com", "hotmial.com", "yahooo.com")] == [
        "gmail.com", "gmail.com", "gmail.com", "hotmail.com", "yahoo.com",
    ]  # fmt: skip
    assert not set(SLIPS) & {*SLIPS.values(), "mail.com", "email.com", "gmx.de", "web.de"}


plain = st.from_regex(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}@[A-Za-z0-9-]{1,20}\.[A-Za-z]{2,8}", fullmatch=True
)


@given(st.one_of(plain, st.emails(), st.text("ab.@ <>\"'üß-K\u0301", max_size=20)))
def test_the_key_of_a_key_is_itself(text: str) -> None:
    try:
        address = parse_address(text)
    except Refusal:
        return
    assert parse_address(address.key).key == address.key
    assert parse_address(address.email).key == address.key
    assert address.key.isascii() or not address.email.isascii()


@given(plain)
def test_the_fast_path_agrees_with_the_thorough_one(text: str) -> None:
    def outcome(text: str) -> str:
        try:
            return parse_address(text).key
        except Refusal as refusal:
            return refusal.code

    fast, wrapped = outcome(text), outcome(f"Ann <{text}>")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(addresses, "plain_address", lambda _text: None)
        assert outcome(text) == fast == wrapped
