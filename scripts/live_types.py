"""TypeScript of what is said over `/ws/`, from its one schema; written by `python -m scripts.schema`."""

from __future__ import annotations

from dataclasses import fields
from typing import get_type_hints

from scripts import environment
from worklist.live.messages import ServerMessage, Since, Topic

TYPES = environment.FRONTEND / "src" / "live" / "messages.ts"
_WORDS = {str: "string", int: "number", Topic: "Topic"}


def text() -> str:
    """The file as the schema says now."""
    kinds = sorted(ServerMessage.__subclasses__(), key=lambda kind: kind.type)
    lines = [
        "/** Made by `python -m scripts.schema` from worklist/live/messages.py. Do not edit. */",
        f"export type Topic = {' | '.join(_quoted(topic) for topic in Topic)};",
        "",
    ]
    for kind in kinds:
        lines += [_comment(kind), f"export interface {kind.__name__} {{", f"  type: {_quoted(kind.type)};"]
        lines += [*_members(kind), "}", ""]
    lines += [f"export type ServerMessage = {' | '.join(kind.__name__ for kind in kinds)};", ""]
    lines += [_comment(Since), "export interface Since {", '  type: "since";', *_members(Since), "}", ""]
    return "\n".join(lines)


def _comment(kind: type) -> str:
    return f"/** {(kind.__doc__ or '').strip()} */"


def _members(kind: type) -> list[str]:
    hints = get_type_hints(kind)
    return [f"  {field.name}: {_WORDS[hints[field.name]]};" for field in fields(kind)]


def _quoted(word: str) -> str:
    return f'"{word}"'
