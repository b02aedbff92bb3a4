"""Button data: a reply in at most 64 bytes, tied to one conversation and not to be forged.

``1<tag><code>~<mac>``: the version, the conversation's tag, the reply, and a short keyed hash over all of it
and the chat. Nothing is kept in memory, so buttons outlive a restart; a button of another conversation, an
older one or a made-up one does not verify.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from flows.conversation import Conversation
from flows.flow import Flow
from flows.reply import COMMANDS_AND_TAPS, Asked, Confirmed, Gave, Narrowed, Reply, Sent, Ticked

VERSION = "1"
TAG = 6
MAC = 8
NOTHING, UNSURE = "_", "-"


@dataclass(frozen=True, slots=True)
class Buttons:
    """Writes and reads button data with one secret key."""

    key: bytes

    def write(self, flow: Flow, tag: str, chat: str, reply: Reply) -> str:
        return self.seal(tag, chat, _code(flow, reply))

    def read(self, flow: Flow, conversation: Conversation, tag: str, chat: str, data: str) -> Reply | None:
        """The reply behind the data; None if it is stale, foreign or forged."""
        code = self.open(tag, chat, data)
        return None if code is None else _reply(flow, code)

    def renew(self, flow: Flow, tag: str, chat: str, data: str) -> tuple[Reply, str] | None:
        """The reply behind data of our own store, and the same button as it is good now: in this chat, by this key.

        It proves nothing: what came from outside is to be ``read``.
        """
        body = data.rpartition("~")[0]
        reply = _reply(flow, body[len(VERSION) + len(tag) :]) if body.startswith(VERSION + tag) else None
        return None if reply is None else (reply, self.write(flow, tag, chat, reply))

    def seal(self, tag: str, chat: str, code: str) -> str:
        body = f"{VERSION}{tag}{code}"
        return f"{body}~{self._mac(chat, body)}"

    def open(self, tag: str, chat: str, data: str) -> str | None:
        body, _, mac = data.rpartition("~")
        if not hmac.compare_digest(_bytes(mac), _bytes(self._mac(chat, body))):
            return None
        return body[len(VERSION) + len(tag) :] if body.startswith(VERSION + tag) else None

    def _mac(self, chat: str, body: str) -> str:
        digest = hashlib.blake2b(_bytes(f"{chat}|{body}"), key=self.key, digest_size=MAC).digest()
        return urlsafe_b64encode(digest).decode()[:MAC]


def _bytes(text: str) -> bytes:
    """A forger may send anything, half a surrogate pair included."""
    return text.encode("utf-8", "surrogatepass")


def _code(flow: Flow, reply: Reply) -> str:
    match reply:
        case Gave(value, step=step):
            assert step is not None
            number = flow.index[step]
            answer = UNSURE if value is None else NOTHING if value == () else f"={value}"
            known = flow.steps[number].option(str(value)) if isinstance(value, str) else None
            if known is not None:
                answer = str(flow.steps[number].options.index(known))
            return f"g{number}.{answer}"
        case Ticked(option, step):
            number = flow.index[step]
            found = flow.steps[number].option(option)
            assert found is not None
            return f"t{number}.{flow.steps[number].options.index(found)}"
        case Sent(step):
            return f"s{flow.index[step]}"
        case Confirmed(yes, step):
            assert step is not None
            return f"c{flow.index[step]}.{int(yes)}"
        case Narrowed(by, step):
            assert step is not None
            return f"n{flow.index[step]}.{by}"
        case Asked(what, about):
            number_of = flow.index.get(about) if what == "change" else None  # type: ignore[call-overload]
            tail = about if number_of is None else str(number_of)
            return f"a{COMMANDS_AND_TAPS.index(what)}.{tail}"
        case _:
            raise TypeError(f"no button says {type(reply).__name__}")


def _reply(flow: Flow, code: str) -> Reply | None:
    """Our own codes only ever get here, but perhaps those of another flow version: nothing is trusted."""
    try:
        head, _, tail = code[1:].partition(".")
        number = int(head)
        if code[0] == "a":
            what = COMMANDS_AND_TAPS[number]
            return Asked(what, flow.steps[int(tail)].id if what == "change" and tail else tail)
        step = flow.steps[number]
        match code[0]:
            case "g" if tail == UNSURE:
                return Gave(None, step=step.id)
            case "g" if tail == NOTHING:
                return Gave((), step=step.id)
            case "g" if tail.startswith("="):
                return Gave(tail[1:], step=step.id)
            case "g":
                return Gave(step.options[int(tail)].id, step=step.id)
            case "t":
                return Ticked(step.options[int(tail)].id, step.id)
            case "s":
                return Sent(step.id)
            case "c":
                return Confirmed(tail == "1", step.id)
            case "n":
                return Narrowed(tail, step.id)
    except (ValueError, IndexError):
        pass
    return None
