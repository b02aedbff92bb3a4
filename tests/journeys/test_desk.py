"""The web inbox of the real bot process: /desk in the private chat, the link, the lead, the claim, no token in the log."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.parse
import urllib.request
from http.cookies import SimpleCookie

import pytest

from tests.journeys.conftest import House

pytestmark = pytest.mark.slow


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing: a cookie that is Secure must be carried by hand over plain HTTP."""

    def redirect_request(self, *_values: object, **_more: object) -> None:
        return None


def ask(url: str, cookie: str = "", **form: str) -> tuple[int, str, dict[str, str]]:
    data = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(url, data, {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"})
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=10) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode(), dict(answer.headers)


def test_from_the_chat_to_a_claim_in_the_inbox(house: House) -> None:
    house.bot.stop()
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    house.bot.environment |= {"LISTEN": listen, "DESK_URL": f"http://{listen}"}
    house.bot.start()
    ana = house.server.person("Ana")
    house.hires(ana)
    rosa = house.chat()
    rosa.starts().walks_to("other_trials")
    house.quiet()
    ana.says("/desk")
    text = str(ana.sees("/desk/link/"))
    link = re.search(r"http://\S+/desk/link/\S+", text)
    assert link
    assert ask(link[0])[0] == 200
    token = link[0].rpartition("/")[2]
    status, _, headers = ask(f"http://{listen}/desk/link", token=token)
    assert status == 303
    cookie = SimpleCookie(headers["set-cookie"])["__Host-desk"].OutputString().partition(";")[0]
    _, page, _ = ask(f"http://{listen}/desk/leads/K-0001", cookie)
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert csrf and "Rosa" in page
    status, _, _ = ask(f"http://{listen}/desk/leads/K-0001/claim", cookie, csrf=csrf[1], at="0")
    assert status == 303
    rosa.person.sees("Ana from the study team")
    house.quiet()
    session = cookie.partition("=")[2]
    for secret in (token, session, csrf[1], "Rosa"):
        assert secret not in house.log
    assert ask(f"http://{listen}/healthz")[0] == 200
