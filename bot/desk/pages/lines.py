"""What the pages say that no template holds: names of steps, messages, and why something was refused."""

from __future__ import annotations

HAPPENED = {
    "raised": "The request came in",
    "sent_again": "The person sent it again",
    "changed": "The person changed an answer",
    "claimed": "Claimed",
    "release": "Released",
    "reassigned": "Given to {detail}",
    "reached": "Reached",
    "no_answer": "No answer",
    "call_later": "Call later",
    "considering": "Considering",
    "scheduled": "Scheduled",
    "consented": "Consented",
    "enrolled": "Enrolled",
    "close": "Closed",
    "snoozed": "Put off",
    "undone": "Undone: {detail}",
    "withdrawn": "Withdrawn by the person",
    "merged": "Merged into {detail}",
    "merged_from": "{detail} was merged into this one",
    "unmerged": "{detail} was taken apart from this one again",
    "different_people": "Not the same person as {detail}",
    "duplicate_withdrawn": "The same person withdrew in another chat",
    "note": "A note was written",
    "share_made": "A link was made",
    "share_opened": "The shared link was opened",
    "share_revoked": "The shared link was revoked",
}
"""The steps of a lead's history."""

VIEWS = {
    "to_call": "To call",
    "going_on": "Going on",
    "open": "All open",
    "snoozed": "Put off",
    "done": "Closed or withdrawn",
}

ROLE = {
    "coordinator": "Coordinator: works leads",
    "site_lead": "Site lead: also other people's leads, intake and numbers",
    "sponsor": "Sponsor: numbers only, never a person",
    "admin": "Admin: everything, and staff and sites",
}

SITE_STATUS = {"active": "Takes leads", "paused": "Paused: takes none for now", "full": "Full: takes no more"}

EXPORT_FORM = {
    "csv": "Table (CSV)",
    "jsonl": "JSON lines",
    "redcap": "REDCap: data",
    "redcap-dictionary": "REDCap: data dictionary",
}

COLUMN = {
    "status": "Status",
    "reason": "Reason",
    "criterion": "Criterion",
    "outcome": "Outcome",
    "site": "Site",
    "locale": "Language",
    "source": "Source",
    "owner_id": "Owner",
    "attempts": "Calls in vain",
    "created_at": "Sent",
    "claimed_at": "Claimed",
    "due_at": "First call by",
    "slot_at": "Agreed time",
    "helper": "Answered by a helper",
    "changed": "An answer was changed",
    "text_version": "Criteria version",
}
"""What two leads are compared by."""
YES, NO = "yes", "no"

FINDING = {"OUT": "Ruled out", "WAIT": "To wait", "REVIEW": "To verify"}
STOPPED = "Stopped here"
HIDDEN = "hidden"
NO_SOURCE = "without a code"
NO_SITE = "no site yet, or the study desk"

ALIVE = "good until {time}"
OVER = "over since {time}"
REVOKED = "revoked"
NOT_OPENED = "This did not open. The passcode is wrong, or the link is over."

CHANGED = "{reference} changed while you looked at it. This is how it stands now."
NO_REASON = "Choose a reason, and the criterion where the reason is one."
NO_TIME = "Choose a time that is still to come."
NO_NAME = "Type a name."
NO_WAY = "Give a Telegram number or a mail address, so that this person can sign in."
NOT_A_NUMBER = "A Telegram number has digits only."
NOT_AN_ADDRESS = "This is no mail address."
TAKEN = "This account and this address belong to two different people."
NOT_YOURSELF = "You cannot take away your own rights. Ask another admin."
NOT_RIGHT = "That did not fit. Check the address, the password and the code."
TOO_OFTEN = "Too many tries. Wait 15 minutes, or write /desk to the bot."
SENT = "If we know this address, a link is on its way to you. It works for 10 minutes."
OLD_LINK = "This link was used, or is older than 10 minutes. Ask for a new one."
NOT_THE_CODE = "The code did not fit. Wait for the next one and try again."
NOT_THE_PASSWORD = "Your present password did not fit."  # noqa: S105 (a message)
DIFFERENT = "The two passwords differ."
NO_ADDRESS = "A password needs a mail address. Ask your admin to add yours."
SAVED = "Saved."
BAD_CAPACITY = "Use a number of calls from 1 to 100."
BAD_PHONE = "This is no phone number."

LINES: tuple[str, ...] = (
    *HAPPENED.values(), *VIEWS.values(), *ROLE.values(), *SITE_STATUS.values(),
    *EXPORT_FORM.values(), *COLUMN.values(), *FINDING.values(), YES, NO, STOPPED, HIDDEN, NO_SOURCE, NO_SITE,
    ALIVE, OVER, REVOKED, NOT_OPENED,
    CHANGED, NO_REASON, NO_TIME, NO_NAME, NO_WAY, NOT_A_NUMBER, NOT_AN_ADDRESS, TAKEN, NOT_YOURSELF,
    NOT_RIGHT, TOO_OFTEN, SENT, OLD_LINK, NOT_THE_CODE, NOT_THE_PASSWORD, DIFFERENT, NO_ADDRESS, SAVED,
    BAD_CAPACITY, BAD_PHONE,
)  # fmt: skip
