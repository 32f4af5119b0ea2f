"""The page, as people use it: in a real browser, before the service with shipped models."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.commands.supervisor import free_port
from models.checkpoint import save_checkpoint
from tests.conftest import make_card, make_denoiser, make_record
from tests.e2e.conftest import OpenTab, Site, Tab, answers, expect_pictures, job_of, request, serious
from tests.servers import DIGRESS, running, valkey, wait_until


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
