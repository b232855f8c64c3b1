"""Where the pages and the OpenAPI document are found."""

from fastapi import APIRouter, Request, Response

from gateway_service.pages.site import Site
from gateway_service.public_document import PublicDocument
from service_kit.errors import NotFoundError

_ONE_YEAR = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def get_docs(request: Request) -> Response:
    """Show the API, to be read and tried out."""
    return _page(request, _site(request).docs)


@router.get("/docs/errors")
async def get_errors_page(request: Request) -> Response:
    """Explain every error code."""
    return _page(request, _site(request).errors)


@router.get("/docs/assets/{name}")
async def get_asset(request: Request, name: str) -> Response:
    """Serve a file that a page needs; pages name it with its hash, so it may be kept."""
    asset = _site(request).assets.get(name)
    if asset is None:
        raise NotFoundError
    headers = {"Cache-Control": _ONE_YEAR}
    return Response(asset.content, media_type=asset.media_type, headers=headers)


@router.get("/openapi.json")
async def get_openapi(request: Request) -> Response:
    """Return the one document of everything public."""
    document: PublicDocument = request.app.state.public_document
    headers = {"Cache-Control": "no-cache"}
    return Response(await document.get(), media_type="application/json", headers=headers)


def _site(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


def _page(request: Request, html: bytes) -> Response:
    # "Try it out" calls PUBLIC_URL, which need not be the address the page was opened at.
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data:; connect-src 'self' {request.app.state.public_url}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    return Response(html, media_type="text/html", headers=headers)
