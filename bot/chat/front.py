"""The trial's own page: facts of the listing, approved answers, the way into the chat; and a snippet of it."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.channels.web import NAME
from bot.chat.room import SOURCES, Room, chat_here, language_of, render, room_of
from bot.chat.talk import tongue_for
from bot.store import conversations
from flows.speak import fill


async def front(request: Request) -> Response:
    room, chat = room_of(request), chat_here(request)
    flow, here = room.flow(), language_of(request)
    tongue = tongue_for(request, here)
    words, slug = tongue.words, flow.trial.slug
    title = title_of(room, words.locale)
    source = request.query_params.get("s", "")
    known = bool(chat) and await room.look(lambda db: conversations.current(db, NAME, chat)) is not None
    return render(
        request,
        "front.html",
        tongue,
        here=here,
        languages=room.deployment.languages.names,
        intro=fill(tongue("profile_description"), {"short_title": title, "sponsor": flow.trial.sponsor}),
        trial=flow.trial,
        sites=[[words.text(f"{slug}.site", name) for name in (site.name, site.city)] for site in flow.sites],
        faq=[[words.text(f"faq.{one.id}", text) for text in (one.text, one.answer)] for one in flow.faq],
        source=source if SOURCES.fullmatch(source) else "",
        known=known,
        telegram=room.telegram_name,
    )


def title_of(room: Room, tag: str) -> str:
    """The study, as a language calls it."""
    trial = room.flow().trial
    return room.deployment.languages.patient(tag).text(f"{trial.slug}.trial", trial.short_title)


SNIPPET = """\
(() => {
  const origin = %s, titles = %s, page = document.documentElement.lang;
  const named = (tag) => titles[Object.keys(titles).find((one) => one.startsWith(tag.slice(0, 2).toLowerCase()))];
  for (const place of document.querySelectorAll("[data-prescreen]")) {
    const source = /^[A-Za-z0-9_-]{1,64}$/.test(place.dataset.source || "") ? "&s=" + place.dataset.source : "";
    const lang = /^[A-Za-z_-]{2,12}$/.test(place.dataset.lang || "") ? "&lang=" + place.dataset.lang : "";
    const frame = document.createElement("iframe");
    frame.src = origin + "/chat?frame=1" + source + lang;
    frame.title = place.dataset.title || named(place.dataset.lang || page || "en") || titles.en;
    frame.style.cssText = "inline-size:100%%;block-size:min(44rem,85vh);border:1px solid #6f8088";
    frame.referrerPolicy = "no-referrer";
    place.replaceChildren(frame);
  }
})();
"""


async def embed(request: Request) -> Response:
    """The snippet: it puts the chat into every element with ``data-prescreen`` of a page that may show it."""
    room = room_of(request)
    titles = {tag: title_of(room, tag) for tag in ("en", *room.deployment.languages.names)}
    text = SNIPPET % (json.dumps(room.origin), json.dumps(titles, ensure_ascii=False))
    return Response(
        text,
        media_type="text/javascript",
        headers={"cache-control": "public, max-age=3600", "cross-origin-resource-policy": "cross-origin"},
    )


routes = [Route("/", front), Route("/embed.js", embed)]
