"""GET / and /docs: the web page, and the documentation of the API.

Their files are static: no build step, and nothing from other hosts. Swagger UI, for /docs, is in the package `fastapi-offline`.
"""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

router = APIRouter(include_in_schema=False)
_FOLDER = Path(__file__).parent.parent / "web"
_SWAGGER_UI = Path(str(files("fastapi_offline"))) / "static"
_HEADERS = {
    # Pictures of graphs are fetched with the API key, so the page shows them as blobs.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    # Browsers revalidate the files every time and download only what has changed.
    "Cache-Control": "no-cache",
}

# Swagger UI has pictures and styles in its code.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@router.get("/")
async def page() -> Response:
    """The web page."""
    return FileResponse(_FOLDER / "index.html", headers=_HEADERS)


@router.get("/docs")
async def docs() -> Response:
    """The documentation of the API."""
    return FileResponse(_FOLDER / "docs.html", headers=_HEADERS | {"Content-Security-Policy": _DOCS_POLICY})


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        return response


def add_page(app: FastAPI) -> None:
    """Serve the page, the documentation, and their files."""
    app.include_router(router)
    app.mount("/docs/assets", _Files(directory=_SWAGGER_UI), name="docs")
    app.mount("/web", _Files(directory=_FOLDER), name="web")
