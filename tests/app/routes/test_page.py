"""The page and the documentation of the API: their files, and what browsers may load for them."""

import re
from urllib.parse import urljoin

import pytest
from fastapi.testclient import TestClient


def test_the_page_and_its_files_may_load_from_this_service_alone(client: TestClient) -> None:
    page = client.get("/")
    files = [client.get(path) for path in re.findall(r'(?:src|href)="(/web/[^"]+)"', page.text)]

    assert page.headers["Content-Type"].startswith("text/html")
    assert len(files) >= 2
    for answer in (page, *files):
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/web/none.js", "/web/../main.py", "/web/%2e%2e/main.py"])
def test_nothing_but_the_files_of_the_page_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_is_whole_without_any_other_host(client: TestClient, path: str) -> None:
    answer = client.get(path)

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy
    assert not re.search(r"<script(?![^>]* src=)", answer.text)
    sources = re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"]+)"', answer.text)
    assert len(sources) >= 3
    for source in sources:
        assert source.startswith("/")
        loaded = client.get(urljoin(path, source))
        assert loaded.status_code == 200, source
        assert loaded.headers["Content-Type"].split(";")[0] in {"text/javascript", "text/css", "image/svg+xml"}


@pytest.mark.parametrize(
    "path", ["/redoc", "/docs/oauth2-redirect", "/docs/assets/../core.py", "/docs/assets/nothing.js"]
)
def test_there_is_no_other_page(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404
