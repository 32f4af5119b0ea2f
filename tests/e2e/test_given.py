"""Parts to keep and graphs to be near, chosen on the page."""

import json

from playwright.sync_api import Page, expect

from tests.e2e.conftest import PHONE, OpenTab, Site, Tab, expect_pictures, job_of, request, serious


def atom(page: Page, words: str, place: str = "#part-picture") -> None:
    page.locator(place).get_by_role("button", name=words).click()


def drawn(page: Page) -> None:
    """Wait for the picture of what is in the field."""
    expect(page.locator("#part-picture img")).to_be_visible()


def test_a_part_is_drawn_as_it_is_written_and_its_atoms_are_opened_closed_and_left_out(
    tab: Tab, page: Page, site: Site
) -> None:
    page.get_by_label("Part, as SMILES").fill("Cc1ccccc1*")
    drawn(page)
    buttons = page.locator("#part-picture button")
    expect(buttons).to_have_count(7)
    expect(page.get_by_role("button", name="C 7: kept, open")).to_be_visible()

    atom(page, "C 4: kept, closed")
    expect(page.get_by_role("button", name="C 4: kept, open")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("button", name="C 1: kept, closed")).to_be_focused()
    page.get_by_label("leaves out and keeps").check()
    page.get_by_role("button", name="C 1: kept, closed").press("Enter")
    expect(page.get_by_role("button", name="C 2: kept, open")).to_be_visible()
    page.get_by_label("opens and closes").check()
    atom(page, "C 7: kept, open")
    expect(page.get_by_role("button", name="C 7: kept, closed")).to_be_visible()
    expect(page.locator("#keep")).to_have_value("*c1cccc(*)c1")
    tab.take("part")
    assert serious(page) == []

    request(page)
    expect_pictures(page, 4)
    job = job_of(site, page)
    assert job["request"]["given"]["smiles"] == "*c1cccc(*)c1"
    assert all(sum(node.get("given", False) for node in graph["nodes"]) == 6 for graph in job["graphs"])
    tab.take("part-kept")


def test_a_wrong_smiles_is_told_in_the_words_of_the_service(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site.url, is_refused=True).page
    wrong = {"model": "qm9", "given": {"smiles": "C1CC"}}
    words = site.client.post("/generate", json=wrong).json()["errors"][0]["detail"]

    page.locator("#keep").fill("C1CC")

    expect(page.locator("#part-problem")).to_contain_text(words)
    expect(page.locator("#keep")).to_have_attribute("aria-invalid", "true")
    assert serious(page) == []
    page.locator("#keep").fill("CCCCCCCCCC")
    expect(page.locator("#part-problem")).to_contain_text("qm9 draws at most 9")
    drawn(page)
    page.locator("#keep").fill("C1CC1")
    expect(page.locator("#part-problem")).to_be_hidden()
    expect(page.locator("#keep")).not_to_have_attribute("aria-invalid", "true")


def test_a_part_of_a_drawn_molecule_is_kept_and_the_link_restores_it(open_tab: OpenTab, page: Page, site: Site) -> None:
    request(page, seed=7, **{"min-nodes": 9})
    expect_pictures(page, 4)
    page.locator("#gallery button").first.click()
    page.get_by_role("button", name="Keep this part").click()
    chosen = page.locator("#choice-picture button")
    expect(chosen.first).to_be_focused()
    expect(page.get_by_role("button", name="Draw around it")).to_be_disabled()
    for number in range(3):
        chosen.nth(number).click()
        expect(page.locator("#choice-hint")).to_contain_text(f"{number + 1} node")
    assert serious(page) == []

    page.get_by_role("button", name="Draw around it").click()

    expect(page.locator("#keep")).to_be_focused()
    part = page.locator("#keep").input_value()
    assert "*" in part
    assert page.locator("#min-nodes").input_value() == ""
    drawn(page)
    page.locator("#seed").fill("8")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#job-summary")).to_contain_text("seed 8")
    expect_pictures(page, 4)
    job = job_of(site, page)
    assert job["request"]["given"]["smiles"] == part
    assert all(
        [node.get("given", False) for node in graph["nodes"]][:4] == [True] * 3 + [False] for graph in job["graphs"]
    )
    page.locator("#copy-curl").click()
    body = json.loads(page.evaluate("navigator.clipboard.readText()").partition("-d '")[2].removesuffix("'"))
    assert body["given"] == {"smiles": part}
    same = open_tab(page.url).page
    again = open_tab(page.url.rpartition("job=")[0] + "job=" + 32 * "0", is_refused=True).page
    for other in (same, again):
        expect_pictures(other, 4)
        expect(other.locator("#keep")).to_have_value(part)
        names = other.locator("#gallery .name").all_inner_texts()
        assert names == [graph["graph"]["smiles"] for graph in job["graphs"]]


def test_more_like_this_fills_the_form_with_a_strength(tab: Tab, page: Page, site: Site) -> None:
    request(page, seed=7, **{"min-nodes": 9})
    expect_pictures(page, 4)
    page.locator("#gallery button").first.click()
    smiles = job_of(site, page)["graphs"][0]["graph"]["smiles"]
    page.locator("#like-strength").fill("0.5")
    page.locator("#like-strength").press("ArrowRight")
    expect(page.locator("#graph-title")).to_have_text("Graph 1 of 4")
    page.get_by_role("button", name="More like this").click()

    expect(page.locator("#near")).to_have_value(smiles)
    expect(page.locator("#strength")).to_be_focused()
    expect(page.locator("#strength-value")).to_have_text("0.55")
    assert serious(page) == []
    page.locator("#seed").fill("9")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#job-summary")).to_contain_text("seed 9")
    expect_pictures(page, 4)
    assert job_of(site, page)["request"]["near"]["strength"] == 0.55
    page.locator("#gallery button").first.click()
    expect(page.locator("#facts")).to_contain_text("Similarity")
    tab.take("near")


def test_a_part_of_a_graph_without_chemistry_is_kept_and_it_is_varied(open_tab: OpenTab, site: Site) -> None:
    tab = open_tab(site.url, dark=True)
    page = tab.page
    request(page, model="comm20", seed=3)
    expect_pictures(page, 4)
    expect(page.locator("#keep")).to_be_hidden()

    page.locator("#gallery button").first.click()
    page.get_by_role("button", name="Keep this part").click()
    for number in range(4):
        page.locator("#choice-picture button").nth(number).click()
        expect(page.locator("#choice-hint")).to_contain_text(f"{number + 1} node")
    tab.take("choice-dark")
    page.get_by_role("button", name="Draw around it").click()
    expect(page.locator("#part-size")).to_have_text("a part of 4 nodes")
    drawn(page)
    page.locator("#seed").fill("4")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#job-summary")).to_contain_text("seed 4")
    expect_pictures(page, 4)
    given = job_of(site, page)["request"]["given"]["graph"]
    assert len(given["nodes"]) == 4
    tab.take("given-dark")
    page.get_by_role("button", name="Keep no part").click()
    expect(page.locator("#part-picture")).to_be_hidden()

    page.locator("#gallery button").first.click()
    page.get_by_role("button", name="More like this").click()
    expect(page.locator("#like-size")).to_contain_text("a graph of")
    page.locator("#seed").fill("5")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#job-summary")).to_contain_text("seed 5")
    assert job_of(site, page)["request"]["near"]["strength"] == 0.3
    assert job_of(site, page)["request"]["given"] is None


def test_a_formula_is_kept_on_a_phone(open_tab: OpenTab, site: Site) -> None:
    tab = open_tab(site.url, size=PHONE)
    page = tab.page
    page.get_by_label("Formula").fill("C6O2")
    page.locator("#keep").fill("c1ccccc1*")
    drawn(page)
    tab.take("phone-part")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.locator("#keep").fill("")

    request(page)

    expect_pictures(page, 4)
    job = job_of(site, page)
    assert job["request"]["given"]["formula"] == "C6O2"
    assert all(len(graph["nodes"]) == 8 for graph in job["graphs"])
