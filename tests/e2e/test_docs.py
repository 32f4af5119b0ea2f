"""The documentation of the API in Chromium: complete, and without any other host."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.e2e.conftest import Site, Tab


def test_the_documentation_describes_the_calls_and_tries_them(site: Site, open_tab: Callable[..., Tab]) -> None:
    page = open_tab(f"{site.url}/docs").page

    call = page.locator("#operations-health-live_health_live_get")
    call.get_by_role("button", name="GET").first.click()
    call.get_by_role("button", name="Try it out").click()
    call.get_by_role("button", name="Execute").click()

    expect(call.locator(".live-responses-table")).to_contain_text('"ok"')
    expect(page.locator("#swagger-ui")).to_contain_text("/generate/conditional")
