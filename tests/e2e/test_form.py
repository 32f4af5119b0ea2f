import json

from playwright.sync_api import Page, expect

from tests.e2e.conftest import OpenTab, Site, Tab, expect_pictures, job_of, request, serious


def test_graphs_are_steered_by_sliders(tab: Tab, page: Page, site: Site) -> None:
    page.get_by_label("Wanted mu").fill("4")
    request(page)

    expect_pictures(page, 4)
    assert job_of(site, page)["request"]["targets"] == {"mu": 4}
    page.locator("#gallery button").first.click()
    expect(page.locator("#facts")).to_contain_text("(wanted: 4)")
    tab.take("steered")


def test_sliders_reach_from_end_to_end_of_what_was_trained_and_no_further(page: Page, site: Site) -> None:
    (guide,) = (one for one in site.client.get("/models/qm9").json()["regressors"] if one["role"] == "guide")

    assert len(guide["properties"]) == 7
    for known in guide["properties"]:
        slider = page.get_by_label(f"Wanted {known['name']}", exact=True)
        low, high = (float(slider.get_attribute(end) or "nan") for end in ("min", "max"))
        span = known["max"] - known["min"]
        assert 0 <= low - known["min"] < 0.02 * span
        assert 0 <= known["max"] - high < 0.02 * span
        bars = page.locator(f"[data-field='targets.{known['name']}'] path").get_attribute("d") or ""
        assert bars.count("M") == len(known["histogram"]) > 20


def test_what_was_asked_for_can_be_had_as_curl(page: Page, site: Site) -> None:
    request(page, seed=5)
    expect_pictures(page, 4)

    page.locator("#copy-curl").click()
    expect(page.locator("#copy-curl")).to_have_text("Copied")

    command = page.evaluate("navigator.clipboard.readText()")
    assert command.startswith(f"curl {site.url}/generate ")
    body = json.loads(command.partition("-d '")[2].removesuffix("'"))
    again = site.client.post("/generate", json=body, headers={"Prefer": "wait=30"}).json()
    assert again["graphs"] == job_of(site, page)["graphs"]


def test_what_is_wrong_is_said_in_the_words_of_the_service_beside_its_field(open_tab: OpenTab, site: Site) -> None:
    tab = open_tab(site.url, is_refused=True)
    page = tab.page

    request(page, **{"num-graphs": 20_000})

    problem = site.client.post("/generate", json={"model": "qm9", "num_graphs": 20_000}).json()
    expect(page.locator("#problem")).to_have_text(problem["detail"])
    expect(page.locator("#num-graphs")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#num-graphs")).to_be_focused()
    tab.take("problem")
    assert serious(page) == []
    request(page)
    expect_pictures(page, 4)
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#num-graphs")).not_to_have_attribute("aria-invalid", "true")


def test_what_a_job_was_given_by_default_is_not_taken_for_a_wish(page: Page, site: Site) -> None:
    page.locator("#num-graphs").fill("4")
    page.get_by_role("button", name="Generate").click()
    expect_pictures(page, 4)
    first = job_of(site, page)

    page.locator("#model").select_option("comm20")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#job-title")).to_have_text("4 graphs of comm20")
    expect_pictures(page, 4)

    card, second = site.client.get("/models/comm20").json(), job_of(site, page)
    assert second["request"]["sampler"] == card["sampling"]["sampler"]
    assert second["request"]["num_steps"] == card["sampling"]["num_steps"]
    assert second["request"]["seed"] != first["request"]["seed"]
