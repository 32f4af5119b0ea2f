"""What graphs must be: chips in the form, and chips with counts beside a job."""

from playwright.sync_api import Page, expect

from tests.e2e.conftest import OpenTab, Site, Tab, job_of, request, serious


def add(page: Page, kind: str, **fields: str) -> None:
    page.locator("#condition-kind").select_option(kind)
    for name, text in fields.items():
        page.locator(f"#condition-{name}").fill(text)
    page.get_by_role("button", name="Add").click()


def test_conditions_are_chips_and_each_tells_how_many_draws_it_refused(
    tab: Tab, page: Page, open_tab: OpenTab, site: Site
) -> None:
    page.get_by_label("valid", exact=True).check()
    add(page, "contains", pattern="[F]")
    add(page, "lacks", pattern="[OX1]")
    add(page, "logp", min="-1", max="3")
    add(page, "sa", max="9")
    page.get_by_role("button", name="Take away: contains [F]").click()
    page.locator("#descriptors").check()
    chips = ["lacks [OX1]", "logP -1 to 3", "synthetic accessibility (SA) at most 9"]
    expect(page.locator("#conditions span")).to_have_text(chips)
    assert serious(page) == []

    request(page, seed=1)

    expect(page.locator("#job-status")).to_contain_text("Done")
    job = job_of(site, page)
    assert job["request"]["filter"]["lacks"] == ["[OX1]"]
    refused = job["summary"]["refused"]
    assert refused["lacks"] > 0
    expect(page.locator("#job-conditions li")).to_have_text(
        [
            f"{words}{refused.get(reason, 0)} refused"
            for reason, words in zip(["valid", "lacks", "logp", "sa"], ["valid", *chips], strict=True)
        ]
    )
    tab.take("chips")
    assert serious(page) == []
    page.locator("#gallery button").first.click()
    expect(page.locator("#facts")).to_contain_text("rotatable_bonds")
    other = open_tab(page.url).page
    expect(other.locator("#conditions span")).to_have_text(chips)
    expect(other.locator("#descriptors")).to_be_checked()


def test_a_pattern_that_is_none_is_told_in_the_words_of_the_service(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site.url, is_refused=True).page
    add(page, "contains", pattern="C(")

    request(page)

    body = {"model": "qm9", "filter": {"contains": ["C("]}}
    expect(page.locator("#problem")).to_have_text(site.client.post("/generate", json=body).json()["detail"])
