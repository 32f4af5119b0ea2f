"""The page, as people use it: in a real browser, before the service with shipped models."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from rdkit import Chem

from app.commands.supervisor import free_port
from models.checkpoint import save_checkpoint
from tests.conftest import make_card, make_denoiser, make_record
from tests.e2e.conftest import PHONE, Site, Tab, answers
from tests.servers import DIGRESS, running, valkey, wait_until

OpenTab = Callable[..., Tab]
SERIOUS = {"serious", "critical"}


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


def test_a_model_is_shown_with_its_card_its_samples_and_its_measured_quality(page: Page, site: Site) -> None:
    card = site.client.get("/models/comm20").json()

    page.locator("#model").select_option("comm20")

    expect(page.locator("#card-title")).to_have_text(f"comm20 {card['version']}")
    expect(page.locator("#card-description")).to_have_text(card["description"])
    expect(page.locator("#quality")).to_contain_text(f"{card['metrics'][0]['values']['vun']:.1%}".replace("%", " %"))
    expect(page.locator("#quality-source")).to_contain_text("digress evaluate comm20 -n 200")
    expect(page.locator("#plot-image")).to_be_visible()
    assert page.locator("#plot-image").evaluate("image => image.naturalWidth") > 1_000
    expect(page.locator("#targets")).to_be_hidden()  # it has no regressor


def test_graphs_are_generated_shown_and_listed(tab: Tab, page: Page, site: Site) -> None:
    request(page, seed=7)

    expect_pictures(page, 4)
    job = job_of(site, page)
    smiles = [graph["graph"]["smiles"] for graph in job["graphs"]]
    assert page.locator("#gallery .name").all_inner_texts() == smiles
    assert (job["request"]["seed"], job["request"]["num_steps"]) == (7, 20)
    assert page.locator("#gallery img").first.evaluate("image => image.naturalWidth") == 240
    expect(page.locator("#job-summary")).to_contain_text("4 of 4 valid")
    expect(page.locator("#jobs li").first).to_contain_text("succeeded")
    tab.take("done")


def test_progress_is_seen_while_it_is_made_and_a_job_can_be_canceled(tab: Tab, page: Page, site: Site) -> None:
    request(page, **{"num-graphs": 1_000, "num-steps": 200})

    status = page.locator("#job-status")
    expect(status).to_contain_text("of 1,000 graphs finished")
    expect(status).to_contain_text("left")
    earlier = float(page.locator("#progress").get_attribute("value") or 0)
    wait_until(lambda: float(page.locator("#progress").get_attribute("value") or 0) > earlier, seconds=20)
    tab.take("running")
    page.locator("#cancel").click()
    expect(status).to_contain_text("Canceled")
    assert job_of(site, page)["status"] == "canceled"
    expect(page.locator("#cancel")).to_be_hidden()


def test_a_job_that_waits_tells_its_place_and_moves_up(open_tab: OpenTab, site: Site) -> None:
    """Behind more jobs than a worker takes at once, and all of them of more weight."""
    weighty = {"model": "qm9", "num_graphs": 1_000, "num_steps": 500, "priority": "high"}
    busy = [site.client.post("/generate", json=weighty).headers["Location"] for _ in range(22)]
    status = open_tab(f"{site.url}/?model=qm9&num_graphs=5000&num_steps=500&priority=low&seed=1").page.locator(
        "#job-status"
    )

    def ahead() -> int:
        found = re.search(r"(\d+) jobs? ahead", status.inner_text())
        return int(found.group(1)) if found else -1

    try:
        wait_until(lambda: ahead() > 3, seconds=20)
        first = ahead()
        for job in busy[-2:]:
            site.client.delete(job)
        # Nobody asks again for what the first answer told: this comes with the events.
        wait_until(lambda: 0 < ahead() <= first - 2, seconds=20)
    finally:
        for job in busy:
            site.client.delete(job)
    status.page.locator("#cancel").click()
    expect(status).to_contain_text("Canceled")


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


def test_a_link_shows_the_job_and_where_that_is_gone_repeats_the_request(
    open_tab: OpenTab, page: Page, site: Site
) -> None:
    request(page, **{"min-nodes": 5, "max-nodes": 7})
    expect_pictures(page, 4)
    names = page.locator("#gallery .name").all_inner_texts()

    same = open_tab(page.url).page
    again = open_tab(page.url.rpartition("job=")[0] + "job=" + 32 * "0", is_refused=True).page

    for other in (same, again):
        expect_pictures(other, 4)
        assert other.locator("#gallery .name").all_inner_texts() == names
        assert other.locator("#max-nodes").input_value() == "7"
    assert job_of(site, same)["id"] == job_of(site, page)["id"] != job_of(site, again)["id"]


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


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("model=qm9&seed=1&target.mu=99", "targets.mu: qm9 was trained on mu from 0 to 21.932 D"),
        ("model=qm9&seed=1&num_nodes=40", "num_nodes: qm9 was trained on graphs of 1 to 9 nodes"),
        ("model=none&seed=1", "there is no model 'none' here"),
    ],
)
def test_a_link_to_what_cannot_be_done_says_why(open_tab: OpenTab, site: Site, query: str, words: str) -> None:
    tab = open_tab(f"{site.url}/?{query}", is_refused=True)

    expect(tab.page.locator("#problem")).to_contain_text(words)


def test_a_service_that_is_gone_and_comes_back_is_followed_on(open_tab: OpenTab, site: Site) -> None:
    port = free_port()
    far = Site(site.client, port, site.folder)
    with running(far.proxy(), {}, site.folder / "far.log"):
        wait_until(lambda: answers(far.url), seconds=10)
        tab = open_tab(far.url, is_refused=True)
        request(tab.page, **{"num-graphs": 60, "num-steps": 100})
        expect(tab.page.locator("#job-status")).to_contain_text("finished")
    expect(tab.page.locator("#job-status")).to_contain_text("The connection is lost; trying again")
    tab.take("lost")
    tab.page.get_by_role("button", name="Refresh").click()
    expect(tab.page.locator("#problem")).to_contain_text("the service does not answer")

    with running(far.proxy(), {}, site.folder / "far.log"):
        expect(tab.page.locator("#job-status")).to_contain_text("Done", timeout=60_000)
        expect(tab.page.locator("#gallery img")).to_have_count(24)
        tab.page.get_by_role("button", name="Show more").click()
        expect(tab.page.locator("#gallery img")).to_have_count(48)


def test_a_model_whose_training_is_unfinished_is_called_so(open_tab: OpenTab, tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "checkpoints" / "tiny"
    unfinished = make_card().model_copy(update={"training": make_record(finished=False)})
    save_checkpoint(unfinished, make_denoiser(unfinished), folder)
    with valkey(tmp_path) as url:
        environment = {"DIGRESS_REDIS_URL": url, "DIGRESS_PORT": str(port), "DIGRESS_CHECKPOINTS": str(folder.parent)}
        with running([DIGRESS, "api"], environment, tmp_path / "api.log"):
            wait_until(lambda: answers(f"http://127.0.0.1:{port}"), seconds=20)
            page = open_tab(f"http://127.0.0.1:{port}", is_refused=True).page  # it has no picture

            expect(page.locator("#card-description")).to_have_text("A tiny network. Its training is unfinished.")


def test_where_keys_are_needed_one_is_asked_for(open_tab: OpenTab, tmp_path: Path) -> None:
    port = free_port()
    with valkey(tmp_path) as url:
        environment = {
            "DIGRESS_REDIS_URL": url,
            "DIGRESS_PORT": str(port),
            "DIGRESS_AUTH": "keys",
            "DIGRESS_ADMIN_KEY": "a-key-of-the-first-administrator",
        }
        with running([DIGRESS, "api"], environment, tmp_path / "api.log"):
            wait_until(lambda: answers(f"http://127.0.0.1:{port}"), seconds=20)
            tab = open_tab(f"http://127.0.0.1:{port}", is_refused=True)
            page = tab.page
            expect(page.locator("#key")).to_be_visible()
            page.get_by_label("Key", exact=True).fill("guessed")
            page.get_by_role("button", name="Use it").click()
            expect(page.locator("#key-problem")).to_contain_text("key")
            tab.take("key")
            assert serious(page) == []
            page.get_by_label("Key", exact=True).fill("a-key-of-the-first-administrator")
            page.get_by_role("button", name="Use it").click()
            expect(page.locator("#card-title")).not_to_be_empty()
            expect(page.locator("#key")).to_be_hidden()
            expect(page.locator("#plot-image")).to_be_visible()
            request(page)
            expect(page.locator("#job-status")).to_contain_text("Waiting")  # there is no worker
            page.reload()
            expect(page.locator("#job-status")).to_contain_text("Waiting")
            assert "a-key-of-the" not in page.url + str(page.evaluate("JSON.stringify(localStorage)"))
            page.get_by_role("button", name="API key").click()
            page.get_by_role("button", name="Forget it").click()
            expect(page.locator("#key")).to_be_visible()
            expect(page.locator("#job")).to_be_hidden()


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


def test_a_reader_who_turns_to_the_dark_sees_dark_pictures(page: Page) -> None:
    request(page)
    expect_pictures(page, 4)
    before = page.locator("#gallery img").first.get_attribute("src")

    page.emulate_media(color_scheme="dark")

    expect(page.locator("#gallery img").first).not_to_have_attribute("src", before or "")
    expect(page.locator("#gallery img")).to_have_count(4)


def test_earlier_jobs_are_shown_again(page: Page, site: Site) -> None:
    request(page, model="comm20", seed=11)
    expect_pictures(page, 4)
    page.get_by_role("button", name="Start over").click()
    expect(page.locator("#job")).to_be_hidden()

    page.locator("#jobs button").first.click()

    expect_pictures(page, 4)
    assert page.locator("#seed").input_value() == "11"
    assert job_of(site, page)["model"] == "comm20"


@pytest.mark.parametrize("dark", [False, True])
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


def test_the_pages_files_are_the_services_own_and_nothing_else_is_served(site: Site) -> None:
    start = site.client.get("/")
    script = site.client.get("/web/js/main.js")
    outside = [site.client.get(path) for path in ("/web/../main.py", "/web/%2e%2e/main.py", "/web/js/none.js", "/web/")]

    assert start.headers["Content-Type"].startswith("text/html")
    assert "script-src 'self'" in start.headers["Content-Security-Policy"]
    assert start.headers["X-Frame-Options"] == "DENY"
    assert "javascript" in script.headers["Content-Type"]
    assert site.client.get("/web/js/main.js", headers={"If-None-Match": script.headers["ETag"]}).status_code == 304
    assert {answer.status_code for answer in outside} == {404}
