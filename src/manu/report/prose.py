"""The repository's documents, which are Markdown, as HTML. HTML in a document is shown as text."""

from collections.abc import Sequence
from html import escape

from markdown_it import MarkdownIt
from markdown_it.token import Token


def inline(text: str) -> str:
    """A line of Markdown as HTML, without a paragraph around it. Links and pictures show their words only."""
    return _markdown().renderInline(text)


def to_html(text: str) -> str:
    """A document as HTML, without its title (#); ## becomes h3 and ### h4. Links and pictures show their words only."""
    markdown = _markdown()
    shown, in_title = [], False
    for token in markdown.parse(text):
        title = token.tag == "h1"
        if token.type.startswith("heading"):
            token.tag = f"h{min(int(token.tag[1:]) + 1, 6)}"
        if token.type == "th_open":
            token.attrSet("scope", "col")
        if not (title or in_title):
            shown.append(token)
        in_title = title and token.type == "heading_open"
    return markdown.renderer.render(shown, markdown.options, {})


def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("table_open", _table_open)
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    markdown.add_render_rule("image", lambda self, tokens, index, *_: escape(tokens[index].content))
    for rule in ("link_open", "link_close"):
        markdown.add_render_rule(rule, lambda *_: "")
    return markdown


def _table_open(_, tokens: Sequence[Token], index: int, *__) -> str:
    """A table scrolls inside a box, which is named by the table's heads."""
    heads: list[str] = []
    for token in tokens[index:]:
        if token.type == "thead_close":
            break
        heads += [token.content] if token.type == "inline" else []
    label = escape(", ".join(heads))
    return f'<div class="box" tabindex="0" role="region" aria-label="{label}"><table class="prose">\n'
