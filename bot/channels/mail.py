"""Mail, over aiosmtplib: one message per connection, named alike at every try, and plain about what left."""

from __future__ import annotations

import asyncio
import contextlib
import email.policy
import logging
import ssl
from collections.abc import Callable
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

import aiosmtplib
from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from bot.messages import MAIL as NAME
from bot.messages import Envelope, Sent, fingerprint

log = logging.getLogger(__name__)

PAUSE, LONGEST = 30.0, 900.0
"""Seconds until the second try, and at most between two."""
CONNECT, ANSWER = 10.0, 60.0
"""Seconds that a connection and each answer may take: a server may look long at what it was given."""
AT_ONCE = 4
"""Connections at the same time; a mail server has others to serve."""


class Mail:
    """The mail channel: a chat is an address. See ``bot.messages.Channel`` for the promises."""

    name = NAME

    def __init__(
        self,
        server: str,
        sender: str,
        password: str,
        clock: Callable[[], datetime],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``server`` is ``smtp://user@host:587``, which needs STARTTLS unless it is on this machine, or
        ``smtps://user@host:465``. ``sender`` is an address, with or without a name.
        """
        url = urlsplit(server)
        self._host, self._secure = url.hostname or "", url.scheme == "smtps"
        self._port = url.port or (465 if self._secure else 587)
        self._user = unquote(url.username) if url.username else None
        self._password, self._clock, self._tls = password or None, clock, tls
        self._from = checked(sender)
        self._free = asyncio.Semaphore(AT_ONCE)

    async def send(self, chat: str, envelope: Envelope, last: str) -> Sent:
        """``last`` means nothing here: a mail takes no other one's place."""
        try:
            to = checked(envelope.to or chat)
            message = self._message(to, envelope)
        except ValueError:  # not an address, or a line break where none may be: it would be refused for ever
            return Sent("refused", code="malformed")
        async with self._free:
            smtp = self._connection()
            try:
                return await self._send(smtp, to, message)
            finally:
                smtp.close()

    async def _send(self, smtp: aiosmtplib.SMTP, to: ValidatedEmail, message: EmailMessage) -> Sent:
        try:
            await smtp.connect(timeout=CONNECT)
            address, options, encoding = await self._told(smtp, to)
            await smtp.mail(self._from.ascii_email or "", options=options, encoding=encoding)
            await smtp.rcpt(address, encoding=encoding)
        except aiosmtplib.SMTPRecipientRefused as error:
            return _answered(error)
        except (
            aiosmtplib.SMTPException,
            OSError,
            ssl.SSLError,
        ) as error:  # a wrong password too
            return Sent("later", wait=PAUSE, longest=LONGEST, code=_code(error))
        try:
            await smtp.data(message.as_bytes())
        except aiosmtplib.SMTPDataError as error:
            return _answered(error)
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            return Sent("unsure", wait=PAUSE, longest=LONGEST, code=_code(error))
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            await smtp.quit(timeout=CONNECT)
        return Sent("sent")

    async def _told(self, smtp: aiosmtplib.SMTP, to: ValidatedEmail) -> tuple[str, list[str], str]:
        """The address as this server takes it; raises SMTPRecipientRefused where it takes no such letters."""
        if to.ascii_email is not None:
            return to.ascii_email, [], "ascii"
        await smtp.ehlo()
        if not smtp.supports_extension("smtputf8"):
            raise aiosmtplib.SMTPRecipientRefused(553, "", "")
        return f"{to.local_part}@{to.ascii_domain}", ["SMTPUTF8"], "utf-8"

    def _connection(self, answer: float | None = None) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._user,
            password=self._password,
            use_tls=self._secure,
            start_tls=False if self._secure else None if is_here(self._host) else True,
            tls_context=self._tls,
            timeout=answer or ANSWER,
            local_hostname=self._from.ascii_domain,
        )

    def _message(self, to: ValidatedEmail, envelope: Envelope) -> EmailMessage:
        """Raises ValueError for a header with a line break, and for what no mail can hold."""
        policy = email.policy.SMTP.clone(cte_type="7bit", utf8=to.ascii_email is None)
        message = EmailMessage(policy)
        sender = self._from
        message["From"] = Address(sender.display_name or "", sender.ascii_local_part or "", sender.ascii_domain)
        message["To"] = Address("", to.ascii_local_part or to.local_part, to.ascii_domain)
        message["Subject"] = envelope.subject
        if {"\r", "\n", "\0"} & set(message["Subject"]):  # an encoded word may hide one, and a header behind it
            raise ValueError("a line break in a header")
        message["Date"] = self._clock()
        message["Message-ID"] = f"<{fingerprint(envelope.key)}@{sender.ascii_domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(envelope.text)
        message.as_bytes()  # what cannot be written is found here, and not on the way
        return message

    # ------------------------------------------------------------------ examined

    async def examine(self) -> str:
        """The remedy, or "" if the server takes us; nothing is sent."""
        smtp = self._connection(CONNECT)
        try:
            await smtp.connect()
            await smtp.noop()
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await smtp.quit(timeout=CONNECT)
        except aiosmtplib.SMTPAuthenticationError:
            return "The mail server does not take the user or the password. Check MAIL_SERVER and MAIL_PASSWORD."
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            return f"{type(error).__name__}. Check MAIL_SERVER and the network."
        finally:
            smtp.close()
        return ""


def checked(address: str) -> ValidatedEmail:
    """An address as it may stand in a mail. Raises ValueError."""
    try:
        return validate_email(
            address, check_deliverability=False, globally_deliverable=False, allow_display_name=True
        )
    except EmailNotValidError:
        raise ValueError("not a mail address") from None


def is_here(host: str) -> bool:
    """Whether this host is the machine we run on."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _answered(error: aiosmtplib.SMTPResponseException) -> Sent:
    """4xx: not now. 5xx: not this one, ever."""
    if 500 <= error.code < 600:
        return Sent("refused", code=_code(error))
    return Sent("later", wait=PAUSE, longest=LONGEST, code=_code(error))


def _code(error: Exception) -> str:
    """What kind of failure it was, without what the server wrote: it may name the person."""
    return str(error.code) if isinstance(error, aiosmtplib.SMTPResponseException) else type(error).__name__
