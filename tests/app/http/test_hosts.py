"""Which hosts the service answers for, and pages of which hosts may ask it."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.http.hosts import HostRule, host_name
from app.settings import Settings, SettingsError, read_settings
from tests.app.conftest import PROBLEM, make_client

ADMIN_KEY = "a-key-for-the-first-admin"
AUTHORIZED = {"Authorization": f"Bearer {ADMIN_KEY}"}
OURS = [
    "localhost",
    "LOCALHOST:8000",
    "localhost.:8000",
    "127.0.0.1",
    "127.1.2.3:1",
    "[::1]:8000",
    "[::ffff:127.0.0.1]",
]
FOREIGN = [
    *(
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.localhost.example",
    ),
    *("10.0.0.1:8000", "0.0.0.0:8000", "[::]", "[fd00::1]", "[::ffff:10.0.0.1]", "169.254.169.254"),
    *("", ".", "localhost:8000:8000", "localhost@evil.example", "localhost/evil", "local host", "[::1", "::1"),
]


@pytest.fixture(scope="module")
def open_client(redis_url: str) -> Iterator[TestClient]:
    with make_client(redis_url) as client:
        yield client


def serving(url: str, *, admin_key: str | None = None, **settings: Any) -> TestClient:
    return make_client(url, admin_key=admin_key, settings=Settings.model_validate(settings))


@pytest.mark.parametrize("host", OURS)
def test_without_keys_it_answers_for_this_machine(open_client: TestClient, host: str) -> None:
    assert open_client.get("/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_without_keys_it_answers_for_no_other_host(open_client: TestClient, host: str) -> None:
    """The name of a page whose address was changed to this machine's (DNS rebinding)."""
    answers = [
        open_client.get(path, headers={"Host": host}) for path in ("/models", "/", "/docs", "/metrics", "/nowhere")
    ]

    assert {answer.status_code for answer in answers} == {421}
    assert {answer.headers["Content-Type"] for answer in answers} == {PROBLEM}
    assert "DIGRESS_ALLOWED_HOSTS" in answers[0].json()["detail"]
    assert open_client.post("/generate", json={"model": "tiny"}, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("digress.example", True),
        ("DIGRESS.example.:443", True),
        ("a.lab.example", True),
        ("lab.example", False),
        ("digress.example.evil.example", False),
        ("10.0.0.7:8000", True),
        ("10.0.0.8:8000", False),
        ("[fd00::7]:80", True),
        ("localhost:8000", True),
    ],
)
@pytest.mark.parametrize("admin_key", [None, ADMIN_KEY])
def test_it_answers_for_the_hosts_that_it_is_told(
    redis_url: str, admin_key: str | None, host: str, *, is_known: bool
) -> None:
    hosts = " Digress.example, *.lab.example ,10.0.0.7,[FD00::7]"
    with serving(redis_url, admin_key=admin_key, allowed_hosts=hosts) as client:
        answer = client.get("/models", headers={"Host": host, **AUTHORIZED})

    assert answer.status_code == (200 if is_known else 421)


def test_with_keys_any_host_will_do_unless_some_are_named(redis_url: str) -> None:
    with serving(redis_url, admin_key=ADMIN_KEY) as client:
        assert client.get("/models", headers={"Host": "digress.example", **AUTHORIZED}).status_code == 200


def test_on_a_network_probes_may_name_any_host_and_callers_an_address(redis_url: str) -> None:
    """As Kubernetes and Prometheus do. A page that is rebound has a name."""
    with serving(redis_url, host="0.0.0.0", auth="off") as client:
        probes = [
            client.get(path, headers={"Host": host})
            for path in ("/health/live", "/metrics")
            for host in ("10.1.2.3:8000", "api:8000")
        ]
        callers = [client.get("/models", headers={"Host": host}) for host in ("10.1.2.3:8000", "[2001:db8::1]", "api")]

    assert [answer.status_code for answer in probes] == [200] * 4
    assert [answer.status_code for answer in callers] == [200, 200, 421]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_no_page_of_another_host_makes_it_do_something(open_client: TestClient, headers: dict[str, str]) -> None:
    asked = [
        open_client.request(method, path, json={"model": "tiny"}, headers=headers)
        for method, path in (("POST", "/generate"), ("DELETE", f"/jobs/{'0' * 32}"), ("POST", "/models/tiny/unload"))
    ]

    assert {answer.status_code for answer in asked} == {403}
    assert {answer.headers["Content-Type"] for answer in asked} == {PROBLEM}
    assert "access-control-allow-origin" not in asked[0].headers
    assert open_client.get("/jobs", headers=headers).status_code == 200  # but the page cannot read it


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_no_form_and_no_body_without_a_type_is_read_as_json(open_client: TestClient, kind: str | None) -> None:
    """These are all that a page may post without asking first."""
    answer = open_client.post("/generate", content='{"model":"tiny"}', headers={"Content-Type": kind} if kind else {})

    assert answer.status_code == 415


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "HTTP://LocalHost:8000"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_its_own_page_and_programs_may_ask(open_client: TestClient, headers: dict[str, str]) -> None:
    assert open_client.post("/generate", json={"model": "tiny"}, headers=headers).status_code == 202


def test_behind_a_proxy_its_own_page_may_ask_if_the_host_is_named(redis_url: str) -> None:
    headers = {"Host": "127.0.0.1:8000", "Origin": "https://digress.example"}
    with serving(redis_url, allowed_hosts="digress.example") as client:
        assert client.post("/generate", json={"model": "tiny"}, headers=headers).status_code == 202


@pytest.mark.parametrize("origin", ["https://digress.example", "http://digress.example:80", "http://DIGRESS.example"])
def test_the_port_of_a_scheme_need_not_be_said(origin: str) -> None:
    rule = HostRule(["digress.example"])

    rule.check(scope(host="digress.example", origin=origin))


def scope(**headers: str) -> dict[str, Any]:
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": "/generate", "headers": encoded}


def test_a_host_is_compared_in_one_spelling() -> None:
    assert [host_name(host) for host in ("A.Example.:1", "[::1]:2", "a b", "")] == ["a.example", "::1", None, None]


@pytest.mark.parametrize("hosts", ["https://digress.example", "digress.example:8000", "a b", "*example", "[::1]:8000"])
def test_what_is_no_host_is_refused_when_it_starts(hosts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGRESS_ALLOWED_HOSTS", hosts)

    with pytest.raises(SettingsError, match=r"DIGRESS_ALLOWED_HOSTS: .* is not a host; give names without scheme"):
        read_settings()
