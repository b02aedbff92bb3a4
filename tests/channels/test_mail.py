"""Mail against a real SMTP server that refuses, drops and lies; through the channel alone and through a house."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, Session
from aiosmtpd.smtp import Envelope as Taken
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bot.channels import mail
from bot.channels.mail import LONGEST, PAUSE, Mail
from bot.messages import MAIL, Envelope, Sent
from bot.store import Store, outbox
from tests.shell.house import Housed, hurries

pytestmark = pytest.mark.slow

T = TypeVar("T")

SENDER = "Knee study <study@example.org>"
TO = "north@example.org"


class PostOffice:
    """A mail server: what it took, and what it says instead when it is told to."""

    def __init__(self, port: int = 0, **how: Any) -> None:
        self.taken: list[EmailMessage] = []
        self.tried = 0
        self.answers: list[str] = []
        """What the next recipients are answered with; "" lets one through."""
        self.after: list[str] = []
        """What the next messages are answered with; "drop" takes it, and hangs up without a word."""
        self.options: list[list[str]] = []
        self.controller = Controller(self, hostname="127.0.0.1", port=port or free_port(), **how)
        self.controller.start()

    @property
    def port(self) -> int:
        return int(self.controller.port)

    @property
    def address(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(  # noqa: N802 (the library's name)
        self, server: SMTP, session: Session, envelope: Taken, address: str, options: list[str]
    ) -> str:
        self.tried += 1
        answer = self.answers.pop(0) if self.answers else ""
        if answer == "drop":
            server.transport.abort()
            return "421 gone"
        if not answer:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Taken) -> str:  # noqa: N802
        answer = self.after.pop(0) if self.after else ""
        if answer in ("", "drop"):
            assert isinstance(envelope.content, bytes)
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            message["X-To"] = ",".join(envelope.rcpt_tos)
            self.taken.append(message)
            self.options.append(envelope.mail_options)
        if answer == "drop":
            server.transport.abort()
        return answer or "250 OK"

    def closes(self) -> None:
        if not self.controller.loop.is_closed():
            self.controller.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def office() -> Iterator[PostOffice]:
    made = PostOffice()
    yield made
    made.closes()


def clock() -> datetime:
    return datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def sends(address: str, envelope: Envelope, to: str = TO, **given: Any) -> Sent:
    channel = Mail(address, SENDER, given.pop("password", ""), clock, **given)
    return runs(channel.send(to, envelope, ""))


def runs(coroutine: Coroutine[Any, Any, T]) -> T:
    """To its end, and a moment longer: what was hung up must be gone when the loop goes."""

    async def run() -> T:
        done = await coroutine
        await asyncio.sleep(0.05)
        return done

    return asyncio.run(run())


def one(text: str = "A new lead waits.", subject: str = "New lead K-0001", key: str = "lead:1:mail") -> Envelope:
    return Envelope(text, subject=subject, key=key)


# ---------------------------------------------------------------------- what a mail looks like


def test_a_mail_arrives_as_it_was_written(office: PostOffice) -> None:
    words = "膝关节 ¿Dónde? 🦵🏽\n.\n. a line that begins with a dot\n" + "long " * 400
    assert sends(office.address, one(words, "Nueva solicitud: 膝 " + "ñ" * 90)).fate == "sent"
    (taken,) = office.taken
    assert taken.get_content().split() == words.split()
    assert taken["Subject"] == "Nueva solicitud: 膝 " + "ñ" * 90
    assert taken["From"] == SENDER and taken["To"] == TO and taken["X-To"] == TO
    assert taken["Auto-Submitted"] == "auto-generated"
    assert taken["Date"].datetime == clock()
    assert taken.get_content_type() == "text/plain" and taken.get_content_charset() == "utf-8"
    assert not office.options[0], "everything is written in letters that every server takes"


@pytest.mark.parametrize(
    ("to", "subject"),
    [
        ("rosa@example.org\r\nBcc: spy@example.org", "fine"),
        ("rosa@example.org\nspy@example.org", "fine"),
        ("rosa@example.org, spy@example.org", "fine"),
        ("rosa@example.org>\r\nRCPT TO:<spy@example.org", "fine"),
        ("<rosa@example.org> <spy@example.org>", "fine"),
        ("nobody", "fine"), ("", "fine"), ("@", "fine"),
        (TO, "fine\r\nBcc: spy@example.org"), (TO, "fine\nX: y"), (TO, "fine\r\n\r\nanother body"),
        (TO, "\ud800"),
    ],
)  # fmt: skip
def test_no_header_and_no_recipient_can_be_smuggled_in(office: PostOffice, to: str, subject: str) -> None:
    assert sends(office.address, one(subject=subject), to).fate == "refused"
    assert office.tried == 0 and office.taken == []


@pytest.mark.parametrize(
    "hidden", ["=?utf-8?q?=0ABcc:_spy=40example.org?=", "=?utf-8?b?DQpCY2M6IHNweUBleGFtcGxlLm9yZw==?="]
)
def test_a_line_break_that_an_encoded_word_hides_is_no_header(office: PostOffice, hidden: str) -> None:
    """The library opens such words, and writes what is in them as it is."""
    assert sends(office.address, one(subject=f"New lead {hidden}")).fate == "refused"
    assert office.tried == 0 and office.taken == []


@pytest.mark.parametrize(
    "body", ["\r\n.\r\nMAIL FROM:<a@b.c>\r\n", "\n.\nQUIT\n", "\r.\r\r\n.", "Bcc: spy@example.org\n\nx"]
)
def test_a_body_stays_a_body(office: PostOffice, body: str) -> None:
    assert sends(office.address, one(f"before{body}after")).fate == "sent"
    (taken,) = office.taken
    assert taken["Bcc"] is None and taken["X-To"] == TO
    assert "before" in taken.get_content() and "after" in taken.get_content()


def test_a_domain_in_any_script_is_written_so_that_every_server_takes_it(office: PostOffice) -> None:
    assert sends(office.address, one(), "rosa@münchen.example").fate == "sent"
    assert office.taken[0]["X-To"] == "rosa@xn--mnchen-3ya.example"


def test_a_name_in_any_script_needs_a_server_that_takes_it() -> None:
    for takes, fate in ((True, "sent"), (False, "refused")):
        office = PostOffice(enable_SMTPUTF8=takes)
        try:
            assert sends(office.address, one(), "罗莎@example.org").fate == fate
            assert [message["X-To"] for message in office.taken] == ["罗莎@example.org"] * takes
        finally:
            office.closes()


# ---------------------------------------------------------------------- what becomes of it


@pytest.mark.parametrize(
    ("answers", "after", "fate"),
    [
        (["451 greylisted, come back"], [], "later"),
        (["550 no such user"], [], "refused"),
        ([], ["451 the disk is full"], "later"),
        ([], ["554 looks like spam"], "refused"),
        (["drop"], [], "later"),
        ([], ["drop"], "unsure"),
    ],
)
def test_every_end_is_told_from_the_others(
    office: PostOffice, answers: list[str], after: list[str], fate: str
) -> None:
    office.answers, office.after = answers, after
    told = sends(office.address, one())
    assert told.fate == fate
    if fate in ("later", "unsure"):
        assert (told.wait, told.longest) == (PAUSE, LONGEST) and LONGEST <= 15 * 60
    assert "user" not in told.code and "@" not in told.code, "what a server writes may name the person"


def test_nobody_at_home_and_nobody_who_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "CONNECT", 0.3)
    assert sends(f"smtp://127.0.0.1:{free_port()}", one()).fate == "later"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert sends(f"smtp://127.0.0.1:{silent.getsockname()[1]}", one()).fate == "later"
    assert sends("smtp://nowhere.invalid:25", one()).fate == "later"


def test_the_same_message_has_the_same_name_at_every_try_and_no_other_one_has_it(office: PostOffice) -> None:
    for key in ("lead:1:mail", "lead:1:mail", "lead:2:mail"):
        sends(office.address, one(key=key))
    first, again, other = (message["Message-ID"] for message in office.taken)
    assert first == again != other and first.endswith("@example.org>")


# ---------------------------------------------------------------------- TLS and passwords


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[ssl.SSLContext, ssl.SSLContext]]:
    """What a server shows, and what somebody trusts who knows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    signed = made.add_extension(names, critical=False).sign(key, SHA256())
    (tmp_path / "crt").write_bytes(signed.public_bytes(Encoding.PEM))
    (tmp_path / "key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    shows, trusts = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=tmp_path / "crt")
    shows.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    yield shows, trusts


def knows(user: str, password: str) -> Callable[..., AuthResult]:
    def judge(server: SMTP, session: Session, envelope: Taken, mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        right = (given.login, given.password) == (user.encode(), password.encode())
        return AuthResult(success=right, handled=False)

    return judge


def test_a_password_goes_only_by_tls_to_a_server_that_is_known(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    shows, trusts = tls
    judge = knows("ana@example.org", "pass word")
    office = PostOffice(tls_context=shows, require_starttls=True, authenticator=judge, auth_required=True)
    try:
        address = f"smtp://ana%40example.org@localhost:{office.port}"
        assert sends(address, one(), password="pass word", tls=trusts).fate == "sent"
        assert sends(address, one(), password="wrong", tls=trusts).fate == "later", "a password can be mended"
        assert sends(address, one(), password="pass word").fate == "later", "its certificate is not known"
        assert len(office.taken) == 1
        assert runs(Mail(address, SENDER, "pass word", clock, trusts).examine()) == ""
        assert "MAIL_PASSWORD" in runs(Mail(address, SENDER, "wrong", clock, trusts).examine())
    finally:
        office.closes()


def test_another_machine_must_offer_tls(office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sends(office.address, one()).fate == "sent", "on this machine nobody listens in"
    monkeypatch.setattr(mail, "is_here", lambda host: False)
    assert sends(office.address, one()).fate == "later"
    assert len(office.taken) == 1


def test_doctor_asks_the_server(office: PostOffice) -> None:
    assert runs(Mail(office.address, SENDER, "", clock).examine()) == ""
    away = Mail(f"smtp://127.0.0.1:{free_port()}", SENDER, "", clock)
    assert "MAIL_SERVER" in runs(away.examine())
    assert office.taken == []


# ---------------------------------------------------------------------- T28: through the outbox


class Posting(Housed):
    """A house whose mail is real."""

    def __init__(self, url: str, server: str) -> None:
        self.mail = Mail(server, SENDER, "", clock)
        super().__init__(Store(url), mail=True)

    def channels(self) -> dict[str, Any]:
        return {"telegram": self.wire, MAIL: self.mail}

    def put(self, *keys: str, to: str = TO) -> None:
        with self.store.begin(self.now) as db:
            for key in keys:
                outbox.put(db, MAIL, to, one(key=key), key, self.now)

    def waiting(self) -> int:
        with self.store.begin() as db:
            return outbox.waiting(db)


@pytest.fixture
def house(tmp_path: Path, office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> Iterator[Posting]:
    hurries(monkeypatch)
    made = Posting(f"sqlite:///{tmp_path / 'p.db'}", office.address)
    yield made
    made.closes()


def test_an_hour_without_a_server_loses_no_mail_and_no_order(house: Posting, office: PostOffice) -> None:
    office.closes()
    house.put("a", "b", "c")
    house.put("d", to="harbour@example.org")
    for _ in range(60):
        house.drains()
        house.waits(minutes=1)
    assert house.waiting() == 4
    assert house.one("SELECT max(attempts) FROM outbox") <= 10, "it knocks less often with time"
    house.put("e", to="west@example.org")
    again = PostOffice(office.port)
    try:
        house.waits(minutes=15)
        house.drains()
        assert house.waiting() == 0 and house.one("SELECT sum(unsure) FROM outbox") == 0
        names = [message["Message-ID"] for message in again.taken if message["To"] == TO]
        fresh = [
            Mail("smtp://localhost", SENDER, "", clock)._message(mail.checked(TO), one(key=key)) for key in "abc"
        ]
        assert names == [message["Message-ID"] for message in fresh]
        assert len(again.taken) == 5
    finally:
        again.closes()


def test_who_is_put_off_comes_back_and_holds_nobody_else_up(house: Posting, office: PostOffice) -> None:
    office.answers = ["451 greylisted"]
    house.put("a")
    house.put("b", to="harbour@example.org")
    house.drains()
    assert len(office.taken) == 1 and house.waiting() == 1
    house.waits(seconds=PAUSE - 1)
    house.drains()
    assert office.tried == 2, "it came back too soon"
    house.waits(seconds=1)
    house.drains()
    assert len(office.taken) == 2 and house.waiting() == 0


def test_taken_and_then_silent_may_come_twice_under_one_name(house: Posting, office: PostOffice) -> None:
    office.after = ["drop", "", ""]
    house.put("a", "b")
    house.drains()
    house.waits(seconds=PAUSE)
    house.drains()
    names = [message["Message-ID"] for message in office.taken]
    assert len(names) == 3 and names[0] == names[1] != names[2]
    assert house.one("SELECT sum(unsure) FROM outbox") == 1 and house.waiting() == 0


def test_a_wait_doubles_and_never_grows_beyond_a_quarter_of_an_hour(house: Posting, office: PostOffice) -> None:
    office.answers = ["451 no"] * 30
    house.put("a")
    waits = []
    for _ in range(12):
        house.drains()
        due = house.rows("SELECT not_before FROM outbox")[0][0]
        until = datetime.fromisoformat(due) if isinstance(due, str) else due
        waits.append((until.replace(tzinfo=UTC) - house.now).total_seconds())
        house.time.passes(seconds=waits[-1])
    assert waits[:6] == [30, 60, 120, 240, 480, 900] and set(waits[6:]) == {900}
