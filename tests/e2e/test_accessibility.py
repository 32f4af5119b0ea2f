import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PHONE, OpenTab, Site, expect_pictures, job_of, request, serious


def test_everything_can_be_done_by_keyboard(page: Page, site: Site) -> None:
    def tab_to(selector: str, *, key: str = "Tab") -> None:
        for _ in range(80):
            if page.locator(selector).evaluate("element => element === document.activeElement"):
                return
            page.keyboard.press(key)
        raise AssertionError(f"no way to {selector}")

    tab_to("#num-graphs")
    page.keyboard.press("Control+A")
    page.keyboard.type("4")
    tab_to("[data-field='targets.logp'] input[type=range]")
    page.keyboard.press("ArrowRight")
    tab_to("#generate")
    page.keyboard.press("Enter")
    expect_pictures(page, 4)
    assert set(job_of(site, page)["request"]["targets"]) == {"logp"}
    tab_to("#gallery li:nth-child(3) button")
    page.keyboard.press("Enter")
    expect(page.locator("#graph-title")).to_have_text("Graph 3 of 4")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#graph-title")).to_have_text("Graph 4 of 4")
    page.keyboard.press("ArrowRight")  # there is no more
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#graph-title")).to_have_text("Graph 3 of 4")
    tab_to("#play")
    page.keyboard.press("Enter")
    expect(page.locator("#picture .frame").first).to_be_attached()
    page.keyboard.press("Escape")

    expect(page.locator("#graph")).to_be_hidden()
    expect(page.locator("#gallery button").nth(2)).to_be_focused()


@pytest.mark.parametrize("dark", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_nobody_is_kept_out(open_tab: OpenTab, site: Site, dark: bool) -> None:
    """By axe (WCAG): at the beginning, with results, with a graph open and its film."""
    tab = open_tab(site.url, dark=dark)
    page, scheme = tab.page, "dark" if dark else "light"
    expect(page.locator("#plot-image")).to_be_visible()

    assert serious(page) == []
    tab.take(f"start-{scheme}")
    request(page)
    expect_pictures(page, 4)
    assert serious(page) == []
    tab.take(f"results-{scheme}")
    page.locator("#gallery button").first.click()
    expect(page.locator("#picture img")).to_be_visible()
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#picture .frame").first).to_be_attached()
    assert serious(page) == []
    tab.take(f"graph-{scheme}")


def test_a_phone_shows_all_of_it(open_tab: OpenTab, site: Site) -> None:
    tab = open_tab(site.url, size=PHONE)
    request(tab.page)
    expect_pictures(tab.page, 4)

    width = tab.page.evaluate("document.documentElement.scrollWidth")
    tab.take("phone")
    assert serious(tab.page) == []
    tab.page.locator("#gallery button").first.click()
    expect(tab.page.locator("#picture img")).to_be_visible()
    tab.take("phone-graph")

    assert width == PHONE["width"]
    box = tab.page.locator("#graph").bounding_box()
    assert box is not None
    assert box["width"] <= PHONE["width"]
