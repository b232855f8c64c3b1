"""The pages and their files, read and rendered once at the start."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from string import Template

from markdown_it import MarkdownIt
from markdown_it.token import Token

_SWAGGER_UI = files("fastapi_swagger.resources")
_OURS = files("gateway_service.pages")
_JAVASCRIPT = "text/javascript"
_CSS = "text/css"
_FILES = (
    (_SWAGGER_UI, "swagger-ui-bundle.js", _JAVASCRIPT),
    (_SWAGGER_UI, "swagger-ui.css", _CSS),
    (_SWAGGER_UI, "favicon-32x32.png", "image/png"),
    (_OURS, "explorer.js", _JAVASCRIPT),
    (_OURS, "errors.css", _CSS),
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that a page needs."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Site:
    """The two pages as HTML, and the files they need by name."""

    docs: bytes
    errors: bytes
    assets: Mapping[str, Asset]


@cache
def load_site() -> Site:
    """Read every file and render the pages."""
    assets = {name: Asset((folder / name).read_bytes(), kind) for folder, name, kind in _FILES}
    # A name that changes with its content may be cached for ever.
    urls = {
        name.replace("-", "_").replace(".", "_"): f"/docs/assets/{name}?v={_version(asset)}"
        for name, asset in assets.items()
    }
    return Site(
        docs=_render("docs.html", urls),
        errors=_render("errors.html", {**urls, "body": render_errors(_read("errors.md"))}),
        assets=assets,
    )


def render_errors(markdown: str) -> str:
    """Return docs/errors.md as HTML, each section's heading with its error code for an id."""
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = renderer.parse(markdown)
    for heading, text in pairwise(tokens):
        if heading.type == "heading_open" and (code := _code_in(text)):
            heading.attrSet("id", code)
    html: str = renderer.renderer.render(tokens, renderer.options, {})
    return html


def _code_in(heading: Token) -> str:
    spans = heading.children or []
    return spans[0].content if len(spans) == 1 and spans[0].type == "code_inline" else ""


def _version(asset: Asset) -> str:
    return sha256(asset.content).hexdigest()[:12]


def _read(name: str) -> str:
    return (_OURS / name).read_text(encoding="utf-8")


def _render(name: str, values: Mapping[str, str]) -> bytes:
    return Template(_read(name)).substitute(values).encode()
