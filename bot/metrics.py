"""What is counted, for Prometheus: numbers without identities, counted once their transaction is committed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

Count = tuple[str, str]
"""A counter's name, and its label's value or ""."""

_COUNTERS = {
    "sessions_started": Counter("prescreen_sessions_started", "Conversations begun"),
    "completed": Counter("prescreen_completed", "Screenings that came to an outcome"),
    "answers": Counter("prescreen_answers", "Answers taken", ["question"]),
    "not_sure": Counter("prescreen_not_sure", "Answers that were not sure", ["question"]),
    "outcomes": Counter("prescreen_outcomes", "Outcomes", ["kind"]),
    "invalid_input": Counter("prescreen_invalid_input", "Messages that were no answer", ["reason"]),
    "leads": Counter("prescreen_leads_raised", "Leads raised"),
    "reminders_sent": Counter("prescreen_reminders_sent", "Reminders that were asked for, given"),
    "updates": Counter("prescreen_updates", "Updates taken", ["result"]),
    "set_aside": Counter("prescreen_set_aside", "Updates that could not be taken, kept in quarantine"),
    "sends": Counter("prescreen_sends", "Messages to a messenger, by what became of them", ["fate"]),
    "telegram_errors": Counter("prescreen_telegram_errors", "Errors Telegram answered with", ["code"]),
    "mail_errors": Counter(
        "prescreen_mail_errors", "Mails that did not go, by what the mail server said", ["code"]
    ),
    "hook_errors": Counter("prescreen_webhook_errors", "Calls to the webhook that did not go, by why", ["code"]),
}
_SPANS = {
    "claim": Histogram(
        "prescreen_lead_claim_seconds", "From a lead to its claim", buckets=(300, 1800, 7200, 28800, 86400, 259200)
    ),
    "first_call": Histogram(
        "prescreen_lead_first_call_seconds",
        "From a lead to the first try to call",
        buckets=(1800, 7200, 28800, 86400, 172800, 432000),
    ),
    "handling": Histogram(
        "prescreen_update_handling_seconds",
        "From an update to its commit",
        buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
    ),
}
_GAUGES = {
    "leads_unclaimed": Gauge("prescreen_leads_unclaimed", "Leads that nobody owns", multiprocess_mode="mostrecent"),
    "outbox_waiting": Gauge("prescreen_outbox_waiting", "Messages not sent yet", multiprocess_mode="mostrecent"),
    "outbox_seconds": Gauge(
        "prescreen_outbox_oldest_seconds",
        "How long the oldest message that may go has waited",
        multiprocess_mode="mostrecent",
    ),
    "quarantine": Gauge("prescreen_quarantine", "Updates in quarantine", multiprocess_mode="mostrecent"),
    "leads_unnoticed": Gauge(
        "prescreen_leads_unnoticed",
        "Leads older than five minutes of which no notice was delivered",
        multiprocess_mode="mostrecent",
    ),
}


def count(counts: Mapping[Count, int]) -> None:
    for counted, number in counts.items():
        _child(counted).inc(number)


@lru_cache
def _child(counted: Count) -> Counter:
    name, label = counted
    counter: Counter = _COUNTERS[name]
    return counter.labels(label) if label else counter


def span(name: str, seconds: float) -> None:
    _SPANS[name].observe(max(0.0, seconds))


def show(**values: float) -> None:
    for name, value in values.items():
        _GAUGES[name].set(value)


def page() -> bytes:
    """Everything in Prometheus' own format; of all workers together, where there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return generate_latest(together)
