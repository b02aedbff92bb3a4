"""The environment as typed settings. Every problem at once, by variable name, and never a value."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError


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


def _database(value: str) -> str:
    try:
        url = make_url(value)
    except ArgumentError:
        raise ValueError("not a database address") from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError("not a database this version speaks")
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
    staff_language: Literal["en", "zh_Hans"] = "en"
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
    master_key: Annotated[SecretStr, AfterValidator(_secret)] | None = None
    send_speed: float = Field(default=1.0, gt=0, le=100)


REMEDIES = {
    "DATABASE_URL": "Use an address like sqlite:///var/prescreen.db or postgresql://user@host/name.",
    "TRIAL": "Use the name of a folder in flows/trials.",
    "KEEP_DAYS": "Use a whole number of days, 1 or more.",
    "STAFF_LANGUAGE": "Use en or zh_Hans.",
    "LOG_LEVEL": "Use DEBUG, INFO, WARNING or ERROR.",
    "LOG_FORMAT": "Use text or json.",
    "TELEGRAM_TOKEN": "Use the token that @BotFather gave you, like 123456:ABC-...",
    "TELEGRAM_API": "Use the address of a Bot API server, ending in /bot.",
    "BOT_MODE": "Use polling or webhook.",
    "WEBHOOK_URL": "Use the public address that leads here, ending in /telegram.",
    "WEBHOOK_SECRET": "Use 32 to 256 random letters, digits, _ or -.",
    "LISTEN": "Use host:port, like 127.0.0.1:8080.",
    "DESK_URL": "Use the public address of the web inbox without a path, like https://desk.example.org.",
    "MASTER_KEY": "Use 32 to 256 random letters, digits, _ or -.",
    "SEND_SPEED": "Use a number above 0, up to 100; 1 is Telegram's standard.",
    "STAFF_GROUP": "Use the number of the staff group, like -1001234567890.",
}


def load(*needed: str, **given: Any) -> Settings:
    """The settings of this process. Raises BadSettings with every problem, naming no value.

    ``needed`` are names of settings that this command cannot do without.
    """
    bad: list[str] = []
    try:
        settings = Settings(**given)
    except ValidationError as error:
        bad = sorted({str(item["loc"][0]) for item in error.errors(include_input=False, include_url=False)})
        # The rest as it is: what is missing is told together with what is malformed.
        settings = Settings(**given | {name: Settings.model_fields[name].default for name in bad})
    problems = [f"{name.upper()} is not valid. {REMEDIES.get(name.upper(), 'Change it.')}" for name in bad]
    missing = [name for name in needed if getattr(settings, name) is None and name not in bad]
    problems += [f"{name.upper()} is missing. {REMEDIES[name.upper()]}" for name in missing]
    if problems:
        raise BadSettings(problems)
    return settings
