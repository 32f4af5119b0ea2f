import re

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
