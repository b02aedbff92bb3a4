"""ReminderWished, NoticesWished and CarryWished: what the person asked to hear of later, or elsewhere."""

from collections.abc import Mapping

from bot.handlers import consents
from bot.handlers.happening import Happening
from bot.messages import WEB
from bot.store import carries, conversations
from bot.store.transaction import Transaction
from flows.turn import CarryWished, NoticesWished, ReminderWished


def reminder_wished(db: Transaction, happening: Happening, event: ReminderWished) -> None:
    conversations.note(db, happening.kept.id, remind_on=event.verdict.eligible_from)
    consents.given_by(db, happening, "reminder", "remind")


def notices_wished(db: Transaction, happening: Happening, event: NoticesWished) -> None:
    kept = happening.kept
    conversations.add_interest(db, kept.channel, kept.chat, happening.after.locale, happening.now)
    consents.given_by(db, happening, "notices", "notices")


def carry_wished(db: Transaction, happening: Happening, event: CarryWished) -> Mapping[str, str]:
    """A link into the browser, where there is one to go on in. It is told once, and not kept."""
    kept, url = happening.kept, happening.deployment.chat_url
    if not url or kept.channel == WEB:
        return {}
    return {"link": f"{url}/chat/carry/{carries.make(db, kept.channel, kept.chat, happening.now)}"}
