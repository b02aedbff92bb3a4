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
    "took_over": "Began to write in the chat",
    "said": "Wrote in the chat",
    "handed_back": "Handed the chat back",
    "slot_picked": "The person picked a time for the call",
    "number_shared": "Many accounts gave this phone number",
    "forgotten": "Closed long ago: all details were deleted",
    "asked_for_person": "The person asked for somebody of the team",
    "nudged": "The group was asked who takes it",
    "second_named": "A second person was asked",
    "site_lead_told": "Those who lead the site were told",
    "slipped": "The person was told that the call is late",
}
"""The steps of a lead's history."""

AUDITED = {
    "lead.opened": "Opened a lead",
    "lead.merged": "Merged two leads",
    "lead.different": "Told two leads apart",
    "share.made": "Made a link to a lead",
    "share.opened": "A shared link was opened",
    "share.refused": "A shared link was refused",
    "share.revoked": "A shared link was revoked",
    "export": "Exported leads without names",
    "export.identified": "Exported leads with names",
    "sign_in.link": "A link to sign in was made",
    "sign_in.by_link": "Signed in by a link",
    "sign_in.by_password": "Signed in by a password",
    "sign_out": "Signed out",
    "password.set": "Set a password",
    "staff.added": "Added or changed somebody of the staff",
    "staff.changed": "Changed somebody's role",
    "staff.disabled": "Disabled somebody",
    "staff.enabled": "Enabled somebody again",
    "site.changed": "Changed how a site works",
    "site.silent": "A silent site gets no new leads",
}
"""What is in the audit. What is not named here is shown by its code."""
FAMILIES = {
    "": "everything",
    "lead": "Leads that were opened or merged",
    "share": "Shared links",
    "export": "Exports",
    "sign_in": "Signing in",
    "staff": "Staff and their roles",
    "site": "Sites",
}
"""What the audit can be looked through by."""

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

STOPPED = "Stopped here"
HIDDEN = "hidden"
NO_SOURCE = "without a code"
NO_SITE = "no site yet, or the study desk"

EMPTIED = "all details are deleted"

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
    *EXPORT_FORM.values(), *COLUMN.values(), YES, NO, STOPPED, HIDDEN, NO_SOURCE, NO_SITE,
    *AUDITED.values(), *FAMILIES.values(), EMPTIED, ALIVE, OVER, REVOKED, NOT_OPENED,
    CHANGED, NO_REASON, NO_TIME, NO_NAME, NO_WAY, NOT_A_NUMBER, NOT_AN_ADDRESS, TAKEN, NOT_YOURSELF,
    NOT_RIGHT, TOO_OFTEN, SENT, OLD_LINK, NOT_THE_CODE, NOT_THE_PASSWORD, DIFFERENT, NO_ADDRESS, SAVED,
    BAD_CAPACITY, BAD_PHONE,
)  # fmt: skip
