import json
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
from playwright.sync_api import Page, expect
from rdkit import Chem

from tests.e2e.conftest import Site, Tab, expect_pictures, job_of, request
from tests.servers import wait_until


def test_a_graph_is_opened_and_its_film_is_played_paused_and_scrubbed(tab: Tab, page: Page) -> None:
    request(page)
    expect_pictures(page, 4)

    page.get_by_role("button", name="Graph 2").click()
    expect(page.locator("#graph-title")).to_have_text("Graph 2 of 4")
    expect(page.locator("#picture img")).to_be_visible()
    tab.take("graph")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#frame")).to_contain_text("of 21")
    shown = page.locator("#picture .frame[visibility=visible]")
    wait_until(lambda: int(shown.get_attribute("data-step") or 0) > 4, seconds=10)
    page.get_by_role("button", name="Pause").click()
    stopped = shown.get_attribute("data-step")
    page.wait_for_timeout(500)
    assert shown.get_attribute("data-step") == stopped
    tab.take("film")
    scrubber = page.get_by_label("Frame of the film")
    scrubber.fill("0")
    expect(shown).to_have_attribute("data-t", "500")
    scrubber.press("ArrowRight")
    expect(shown).to_have_attribute("data-step", "1")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#frame")).to_have_text("the graph")
    expect(page.locator("#picture img")).to_be_visible()


def test_files_are_downloaded_and_can_be_read(page: Page, site: Site) -> None:
    request(page)
    expect_pictures(page, 4)
    graph = job_of(site, page)["graphs"][0]
    smiles = graph["graph"]["smiles"]

    def download(form: str) -> str:
        with page.expect_download() as found:
            page.get_by_role("button", name=f"Download as {form}", exact=True).click()
        return Path(found.value.path()).read_bytes().decode("latin-1")

    lines, all_smiles = download("JSON lines"), download("SMILES")
    page.locator("#gallery button").first.click()
    expect(page.locator("#graph")).to_be_visible()
    page.locator("#downloads").evaluate("part => part.remove()")  # whose buttons are called alike
    records = Chem.SDMolSupplier()
    records.SetData(download("SDF"))

    assert json.loads(lines.splitlines()[0]) == graph
    assert all_smiles.splitlines()[0] == smiles == download("SMILES").strip()
    assert json.loads(download("JSON")) == graph
    assert len(nx.parse_graphml(download("GraphML"))) == len(graph["nodes"])
    assert Chem.MolToSmiles(next(iter(records))) == smiles
    assert ElementTree.fromstring(download("SVG")).get("viewBox") == "0 0 480 480"
    assert download("PNG").startswith("\x89PNG")
    assert download("Film").count('class="frame"') == 21


def test_a_reader_who_turns_to_the_dark_sees_dark_pictures(page: Page) -> None:
    request(page)
    expect_pictures(page, 4)
    before = page.locator("#gallery img").first.get_attribute("src")

    page.emulate_media(color_scheme="dark")

    expect(page.locator("#gallery img").first).not_to_have_attribute("src", before or "")
    expect(page.locator("#gallery img")).to_have_count(4)
