"""A real browser before the real service: an API and a worker with the shipped models, and a proxy between browser and API."""

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from app.commands.supervisor import free_port
from tests import tcp_proxy
from tests.conftest import ShippedService
from tests.servers import running, wait_until

# Debian's, or another that is called so; Playwright's own would have to be downloaded from elsewhere.
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

SCREENSHOTS = Path(__file__).parents[2] / ".screenshots"

WIDE, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)

SERIOUS = {"serious", "critical"}  # of what axe finds
expect.set_options(timeout=20_000)


@dataclass
class Site:
    """The service as the browser reaches it."""

    client: httpx2.Client
    """Straight to the API."""
    port: int
    folder: Path

    @property
    def url(self) -> str:
        """Through the proxy."""
        return f"http://127.0.0.1:{self.port}"

    def proxy(self) -> list[str]:
        """The command that starts it."""
        return [sys.executable, tcp_proxy.__file__, str(self.port), str(self.client.base_url.port)]


# Of this package, for Playwright keeps an event loop running, which other tests in this process may not have.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium is installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)


@pytest.fixture(scope="package")
def site(shipped_service: ShippedService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(shipped_service.client, free_port(), tmp_path_factory.mktemp("page"))
    with running(found.proxy(), {}, found.folder / "proxy.log"):
        wait_until(lambda: answers(found.url), seconds=10)
        yield found


def answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health/live").is_success
    except httpx2.TransportError:
        return False


@dataclass
class Tab:
    """A page of the browser, and what happened on it that should not."""

    page: Page
    console_errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    is_refused: bool = False
    """Whether the service is asked for what it refuses; browsers note that as an error."""

    def take(self, name: str) -> None:
        """A screenshot, to be looked at by people."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.fixture
def open_tab(browser: Browser) -> Iterator[Callable[..., Tab]]:
    """Opens pages, and in the end checks that none logged an error or sent a request to another host."""
    tabs: list[Tab] = []

    def open_one(url: str, *, dark: bool = False, size: ViewportSize = WIDE, is_refused: bool = False) -> Tab:
        context = browser.new_context(
            viewport=size,
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
            permissions=["clipboard-read", "clipboard-write"],
        )
        tab = Tab(context.new_page(), is_refused=is_refused)
        tabs.append(tab)
        tab.page.on("pageerror", lambda error: tab.console_errors.append(str(error)))
        tab.page.on(
            "console", lambda said: tab.console_errors.append(said.text) if said.type in {"error", "warning"} else None
        )
        tab.page.on("request", lambda request: tab.hosts.add(re.sub(r"^(\w+://[^/]*).*", r"\1", request.url)))
        tab.page.goto(url)
        return tab

    yield open_one
    for tab in tabs:
        expected = "Failed to load resource" if tab.is_refused else "\0"
        assert not [words for words in tab.console_errors if expected not in words]
        own = re.sub(r"^(\w+://[^/]*).*", r"\1", tab.page.url)
        assert {host for host in tab.hosts if not host.startswith(("blob:", "data:"))} <= {own}
        tab.page.context.close()


OpenTab = Callable[..., Tab]


def request(page: Page, **fields: Any) -> None:
    """Fill in the form, by the ids of its fields, and send it."""
    for name, value in ({"num-graphs": 4, "num-steps": 20} | fields).items():
        field = page.locator(f"#{name}")
        if name in {"model", "sampler"}:
            field.select_option(value)
        else:
            field.fill(str(value))
    page.get_by_role("button", name="Generate").click()


def expect_pictures(page: Page, count: int) -> None:
    expect(page.locator("#job-status")).to_contain_text("Done")
    expect(page.locator("#gallery img")).to_have_count(count)


def job_of(site: Site, page: Page) -> Any:
    """What the service says of the job that the address names."""
    return site.client.get(f"/jobs/{page.url.rpartition('job=')[2]}").json()


def serious(page: Page) -> list[tuple[str, list[Any]]]:
    """What axe finds that keeps people from using the page."""
    found = Axe().run(page).response["violations"]
    return [(one["id"], [node["target"] for node in one["nodes"]]) for one in found if one["impact"] in SERIOUS]


@pytest.fixture
def tab(open_tab: OpenTab, site: Site) -> Tab:
    return open_tab(site.url)


@pytest.fixture
def page(tab: Tab) -> Page:
    return tab.page
