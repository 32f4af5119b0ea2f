import re

from playwright.sync_api import Page, expect

from app.commands.supervisor import free_port
from tests.e2e.conftest import OpenTab, Site, Tab, answers, expect_pictures, job_of, request
from tests.servers import running, wait_until


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


def test_earlier_jobs_are_shown_again(page: Page, site: Site) -> None:
    request(page, model="comm20", seed=11)
    expect_pictures(page, 4)
    page.get_by_role("button", name="Start over").click()
    expect(page.locator("#job")).to_be_hidden()

    page.locator("#jobs button").first.click()

    expect_pictures(page, 4)
    assert page.locator("#seed").input_value() == "11"
    assert job_of(site, page)["model"] == "comm20"
