"""As much of Markdown as the repository's documents use, as HTML: headings, paragraphs, lists, tables, code.

All text is escaped; a link shows its words only.
"""

import re
from collections.abc import Callable, Iterator
from html import escape

_INLINE = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*|\[([^\]]+)\]\([^)]*\)")
_ITEM = re.compile(r"\s*(?:[-*]|\d+\.)\s+(.*)")
_BAR = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r":?-+:?")
_ESCAPED = re.compile(r"\\([\\|*_`<>\[\]#~])")


def to_html(text: str) -> str:
    """A document as HTML. Its title (#) is left out; ## becomes h3, ### becomes h4."""
    return "\n".join(_blocks(text.splitlines()))


def _blocks(lines: list[str]) -> Iterator[str]:
    place = 0
    while place < len(lines):
        line = lines[place]
        if line.startswith("```"):
            end = _end(lines, place, lambda each: not each.startswith("```"))
            yield f"<pre>{escape(chr(10).join(lines[place + 1 : end]))}</pre>"
            place = end + 1
        elif line.startswith("#"):
            marks, _, heading = line.partition(" ")
            level = min(len(marks) + 1, 6)
            if level > 2:
                yield f"<h{level}>{_inline(heading)}</h{level}>"
            place += 1
        elif line.startswith("|"):
            end = _end(lines, place, lambda each: each.startswith("|"))
            yield _table(lines[place:end])
            place = end
        elif _ITEM.match(line):
            end = _end(lines, place, lambda each: bool(each.strip()))
            yield _list(lines[place:end])
            place = end
        elif line.strip():
            end = _end(lines, place, lambda each: bool(each.strip()) and not each.startswith(("#", "|", "```")))
            yield f"<p>{_inline(' '.join(lines[place:end]))}</p>"
            place = end
        else:
            place += 1


def _end(lines: list[str], start: int, inside: Callable[[str], bool]) -> int:
    """The place of the first line after `start` that is not inside the block."""
    return next((i for i in range(start + 1, len(lines)) if not inside(lines[i])), len(lines))


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in _BAR.split(line.strip().removesuffix("|"))[1:]] for line in lines]
    heads = "".join(f'<th scope="col">{_inline(cell)}</th>' for cell in rows[0])
    body = "".join(
        f"<tr>{''.join(f'<td>{_inline(cell)}</td>' for cell in row)}</tr>"
        for row in rows[1:]
        if not all(map(_RULE.fullmatch, row))
    )
    label = escape(", ".join(rows[0]))
    return (
        f'<div class="box" tabindex="0" role="region" aria-label="{label}"><table class="prose">'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _list(lines: list[str]) -> str:
    items: list[str] = []
    for line in lines:
        found = _ITEM.match(line)
        if found:
            items.append(found.group(1))
        else:
            items[-1] += f" {line.strip()}"
    tag = "ol" if lines[0].lstrip()[:1].isdigit() else "ul"
    return f"<{tag}>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</{tag}>"


def _inline(text: str) -> str:
    """Code, bold and links; a backslash before a mark is dropped."""
    done, place = "", 0
    for found in _INLINE.finditer(text):
        done += _plain(text[place : found.start()])
        code, bold, link = found.groups()
        if code is not None:
            done += f"<code>{_plain(code)}</code>"
        else:
            done += f"<strong>{_inline(bold)}</strong>" if bold is not None else _inline(link)
        place = found.end()
    return done + _plain(text[place:])


def _plain(text: str) -> str:
    return escape(_ESCAPED.sub(r"\1", text))
