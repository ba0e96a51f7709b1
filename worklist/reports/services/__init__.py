"""Writing reports: draft, edit, decide, sign, add. Every write is audited and tells open pages.

A write names the version it was made against. It holds when no person changed the report since; AI
suggestions that came meanwhile are no conflict, because they touch no text. Writers of one report wait
for each other on its row, and the guarded UPDATE names the version again.
"""

from worklist.reports.services.changes import KINDS, add_addendum, amend
from worklist.reports.services.drafts import decide, open_draft, save, set_suggestion, use_template
from worklist.reports.services.results import refresh_behind, refresh_suggestions
from worklist.reports.services.rows import LONGEST_TEXT
from worklist.reports.services.signing import ChecksOpen, sign, signs_finally

__all__ = [
    "KINDS",
    "LONGEST_TEXT",
    "ChecksOpen",
    "add_addendum",
    "amend",
    "decide",
    "open_draft",
    "refresh_behind",
    "refresh_suggestions",
    "save",
    "set_suggestion",
    "sign",
    "signs_finally",
    "use_template",
]
