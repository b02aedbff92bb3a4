"""The environment as typed settings. Every problem at once, by variable name, and never a value."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bot.words import of_staff


class BadSettings(Exception):
    """Settings are missing or malformed; each line names a variable and the remedy."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _token(value: SecretStr) -> SecretStr:
    head, _, tail = value.get_secret_value().partition(":")
    if not head.isdigit() or len(tail) < 8:
        raise ValueError("not a bot token")
    return value


def _secret(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9_-]{32,256}", value.get_secret_value()):
        raise ValueError("not a secret Telegram can send")
    return value


def _secrets(value: SecretStr) -> SecretStr:
    for one in value.get_secret_value().split():
        _secret(SecretStr(one))
    return value


def _database(value: str) -> str:
    try:
        url = make_url(value)
    except ArgumentError:
        raise ValueError("not a database address") from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError("not a database this version speaks")
    return value


def _staff_language(value: str) -> str:
    if value not in of_staff():
        raise ValueError("not a language that staff can read")
    return value


def _mail_server(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in ("smtp", "smtps") or not url.hostname or url.path or url.query or url.fragment:
        raise ValueError("not a mail server's address")
    if url.password is not None:
        raise ValueError("the password has a setting of its own")
    if url.port == 0:  # a port that is none raises ValueError by itself
        raise ValueError("not a port")
    return value


def _mail_from(value: str) -> str:
    try:
        validate_email(value, check_deliverability=False, allow_display_name=True, allow_smtputf8=False)
    except EmailNotValidError:
        raise ValueError("not a mail address") from None
    return value


def _origins(value: str) -> str:
    """Addresses of other sites, with a comma between: kept as origins."""
    found = []
    for one in filter(None, (part.strip() for part in value.split(","))):
        url = urlsplit(one)
        plain = url.scheme == "http" and _is_here(url.hostname or "")
        if not (url.scheme == "https" or plain) or not re.fullmatch(r"[a-z0-9.:\[\]-]+", url.netloc):
            raise ValueError("not an address of a site")
        found.append(f"{url.scheme}://{url.netloc}")
    return ",".join(found)


def _hook_url(value: str) -> str:
    url = urlsplit(value)
    plain = url.scheme == "http" and _is_here(url.hostname or "")
    if not (url.scheme == "https" or plain) or not url.hostname or "@" in url.netloc or url.port == 0:
        raise ValueError("not an address to call")
    return value


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hook_secret(value: SecretStr) -> SecretStr:
    name, _, key = value.get_secret_value().partition("_")
    if name != "whsec" or len(base64.b64decode(key, validate=True)) not in range(24, 65):
        raise ValueError("not a secret of the Standard Webhooks convention")
    return value


class Settings(BaseSettings):
    """What a deployment decides. ``.env.example`` lists the same names with comments."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    database_url: Annotated[str, AfterValidator(_database)] = "sqlite:///var/prescreen.db"
    trial: str = Field(default="nct06570291", pattern=r"^[a-z0-9_]{1,40}$")
    keep_days: int = Field(default=30, ge=1, le=3650)
    staff_language: Annotated[str, AfterValidator(_staff_language)] = "en"
    allow_draft_languages: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"

    telegram_token: Annotated[SecretStr, AfterValidator(_token)] | None = None
    telegram_api: str = Field(default="https://api.telegram.org/bot", pattern=r"^https?://")
    staff_group: int | None = None
    bot_mode: Literal["polling", "webhook"] = "polling"
    webhook_url: str | None = Field(default=None, pattern=r"^https?://[^/]+.*/telegram$")
    webhook_secret: Annotated[SecretStr, AfterValidator(_secret)] | None = None
    listen: str | None = Field(default=None, pattern=r"^[^:]+:\d{1,5}$")
    desk_url: str | None = Field(default=None, pattern=r"^https?://[^/]+$")
    web_chat: bool = False
    public_url: str | None = Field(default=None, pattern=r"^https?://[^/]+$")
    embed_sites: Annotated[str, AfterValidator(_origins)] = ""
    telegram_name: str | None = Field(default=None, pattern=r"^@?[A-Za-z][A-Za-z0-9_]{3,31}$")
    master_key: Annotated[SecretStr, AfterValidator(_secret)] | None = None
    master_keys_old: Annotated[SecretStr, AfterValidator(_secrets)] | None = None
    master_key_file: str | None = None
    updates_a_minute: int = Field(default=60, ge=20)
    send_speed: float = Field(default=1.0, gt=0, le=100)

    mail_server: Annotated[str, AfterValidator(_mail_server)] | None = None
    mail_password: SecretStr | None = None
    mail_from: Annotated[str, AfterValidator(_mail_from)] | None = None
    hook_url: Annotated[str, AfterValidator(_hook_url)] | None = None
    hook_secret: Annotated[SecretStr, AfterValidator(_hook_secret)] | None = None
    hook_private: bool = False


WRONG_KEY = "Set MASTER_KEY, or MASTER_KEYS_OLD, to the key that this database was last served with."
REMEDIES = {
    "DATABASE_URL": "Use an address like sqlite:///var/prescreen.db or postgresql://user@host/name.",
    "TRIAL": "Use the name of a folder in flows/trials.",
    "KEEP_DAYS": "Use a whole number of days, 1 or more.",
    "STAFF_LANGUAGE": f"Use one of: {', '.join(of_staff())}.",
    "ALLOW_DRAFT_LANGUAGES": "Use yes or no.",
    "LOG_LEVEL": "Use DEBUG, INFO, WARNING or ERROR.",
    "LOG_FORMAT": "Use text or json.",
    "TELEGRAM_TOKEN": "Use the token that @BotFather gave you, like 123456:ABC-...",
    "TELEGRAM_API": "Use the address of a Bot API server, ending in /bot.",
    "BOT_MODE": "Use polling or webhook.",
    "WEBHOOK_URL": "Use the public address that leads here, ending in /telegram.",
    "WEBHOOK_SECRET": "Use 32 to 256 random letters, digits, _ or -.",
    "LISTEN": "Use host:port, like 127.0.0.1:8080.",
    "DESK_URL": "Use the public address of the web inbox without a path, like https://desk.example.org.",
    "WEB_CHAT": "Use yes or no.",
    "PUBLIC_URL": "Use the public address of the web chat without a path, like https://study.example.org.",
    "EMBED_SITES": "Use https addresses of sites with commas between, like https://www.example.org.",
    "TELEGRAM_NAME": "Use the bot's name in Telegram, like @example_study_bot.",
    "MASTER_KEY": "Make one with `prescreen keys new`: 32 to 256 random letters, digits, _ or -. Keep it apart.",
    "MASTER_KEYS_OLD": "Use the master keys before this one, with spaces between.",
    "MASTER_KEY_FILE": "Use a file of mode 0600 with a master key in each line, the one to go on with first.",
    "UPDATES_A_MINUTE": "Use a whole number, 20 or more; 60 is the standard.",
    "SEND_SPEED": "Use a number above 0, up to 100; 1 is Telegram's standard.",
    "MAIL_SERVER": "Use an address like smtp://user@mail.example.org:587 or smtps://user@mail.example.org.",
    "MAIL_PASSWORD": "Use the password of the user that MAIL_SERVER names.",
    "MAIL_FROM": "Use the address that mails come from, like Knee study <study@example.org>.",
    "HOOK_URL": "Use an https address. http is only for this machine, with HOOK_PRIVATE=yes.",
    "HOOK_SECRET": "Use whsec_ and 24 to 64 random bytes in base64.",
    "HOOK_PRIVATE": "Use yes or no.",
    "STAFF_GROUP": "Use the number of the staff group, like -1001234567890.",
}


def load(*needed: str, needs: Callable[[Settings], Sequence[str]] | None = None, **given: Any) -> Settings:
    """The settings of this process. Raises BadSettings with every problem, naming no value.

    ``needed`` are names of settings that this command cannot do without; ``needs`` names more, from what is set.
    """
    bad: list[str] = []
    try:
        settings = Settings(**given)
    except ValidationError as error:
        bad = sorted({str(item["loc"][0]) for item in error.errors(include_input=False, include_url=False)})
        # The rest as it is: what is missing is told together with what is malformed.
        settings = Settings(**given | {name: Settings.model_fields[name].default for name in bad})
    problems = [f"{name.upper()} is not valid. {REMEDIES.get(name.upper(), 'Change it.')}" for name in bad]
    if settings.hook_url and settings.hook_url.startswith("http:") and not settings.hook_private:
        problems.append(f"HOOK_URL is not valid. {REMEDIES['HOOK_URL']}")
    wanted = dict.fromkeys((*needed, *(needs(settings) if needs else ()), *_together(settings)))
    if settings.master_key_file is not None:  # the other way to say the same
        wanted.pop("master_key", None)
    missing = [name for name in wanted if getattr(settings, name) is None and name not in bad]
    problems += [f"{name.upper()} is missing. {REMEDIES[name.upper()]}" for name in missing]
    if problems:
        raise BadSettings(problems)
    return settings


def _together(settings: Settings) -> list[str]:
    """What is needed because something else is set."""
    names = []
    if settings.mail_server is not None:
        names.append("mail_from")
        if urlsplit(settings.mail_server).username:
            names.append("mail_password")
    if settings.hook_url is not None:
        names.append("hook_secret")
    if settings.web_chat:
        names += ["public_url", "listen"]
    return names
