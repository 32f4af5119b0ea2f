"""Models loaded and unloaded while the service runs."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.access.api_keys import ApiKeyStore
from app.catalogue.served_models import ServedModels
from app.http.errors import NotFound
from models.card.folder import PLOT_FILE, write_card
from tests.app.conftest import PROBLEM, make_client
from tests.conftest import make_card
from worker.store import ModelStore, UnknownModel

ADMIN = {"Authorization": "Bearer a-key-for-the-first-admin"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tiny", "other"):
        (tmp_path / name).mkdir()
        write_card(make_card().model_copy(update={"name": name}), tmp_path / name)
    return tmp_path


@pytest.fixture
def replicas(redis_url: str, redis: Redis, folder: Path) -> Iterator[list[TestClient]]:
    """Two processes of one API would be like this: each with its own copy of the cards."""
    key = ADMIN["Authorization"].split()[1]
    with (
        make_client(redis_url, admin_key=key, folder=folder) as one,
        make_client(redis_url, admin_key=key, folder=folder) as other,
    ):
        yield [one, other]


def names(client: TestClient) -> list[str]:
    return [card["name"] for card in client.get("/models", headers=ADMIN).json()]


def test_an_unloaded_model_is_served_by_no_replica_until_it_is_loaded(replicas: list[TestClient]) -> None:
    one, other = replicas
    assert names(one) == ["tiny"]  # as they were when it started

    gone = one.post("/models/tiny/unload", headers=ADMIN)
    refused = other.post("/generate", json={"model": "tiny"}, headers=ADMIN)
    without = [names(client) for client in replicas]
    back = other.post("/models/tiny/load", headers=ADMIN)

    assert (gone.status_code, back.status_code) == (204, 200)
    assert without == [["other"], ["other"]]
    assert refused.status_code == 422
    assert refused.json()["detail"] == "model: there is no model 'tiny'; available: other"
    assert back.json()["name"] == "tiny"
    assert [names(client) for client in replicas] == [["other", "tiny"]] * 2


def test_a_checkpoint_that_has_changed_is_read_again(replicas: list[TestClient], folder: Path) -> None:
    write_card(make_card().model_copy(update={"version": "2"}), folder / "tiny")

    replicas[0].post("/models/tiny/load", headers=ADMIN)

    assert replicas[1].get("/models/tiny", headers=ADMIN).json()["version"] == "2"


@pytest.mark.parametrize("name", ["%2e%2e", "%2e%2e%2fetc", "tiny%2f..%2fother", "none", "%2e", "TINY"])
@pytest.mark.parametrize("action", ["load", "unload"])
def test_a_name_that_is_no_checkpoint_is_refused(
    replicas: list[TestClient], redis: Redis, name: str, action: str
) -> None:
    answer = replicas[0].post(f"/models/{name}/{action}", headers=ADMIN)

    assert answer.status_code in {404, 405}
    assert answer.headers["Content-Type"] == PROBLEM
    assert not redis.exists("digress:models:changes")


def test_no_name_leads_out_of_the_folder(folder: Path, redis_url: str) -> None:
    (folder.parent / "outside").mkdir()
    write_card(make_card(), folder.parent / "outside")

    async def load(name: str) -> None:
        await ServedModels({}, folder, AsyncRedis.from_url(redis_url)).load(name)

    for name in ("../outside", f"{folder.parent}/outside", f"../{folder.name}/tiny", "./tiny", "tiny/"):
        with pytest.raises(NotFound):
            asyncio.run(load(name))
        with pytest.raises(UnknownModel):
            ModelStore(folder, torch.device("cpu")).model(name)


def test_a_broken_card_is_told_and_what_is_served_stays(replicas: list[TestClient], folder: Path) -> None:
    (folder / "tiny" / "card.json").write_text("{", encoding="utf-8")

    refused = replicas[0].post("/models/tiny/load", headers=ADMIN)
    replicas[0].post("/models/other/load", headers=ADMIN)

    assert refused.status_code == 409
    assert "is not a model card" in refused.json()["detail"]
    assert names(replicas[1]) == ["other", "tiny"]


def test_only_an_admin_may(replicas: list[TestClient], redis: Redis, redis_url: str) -> None:
    _, token = ApiKeyStore(redis).create("user")
    headers: list[dict[str, Any]] = [{}, {"Authorization": f"Bearer {token}"}]

    statuses = [replicas[0].post("/models/tiny/unload", headers=given).status_code for given in headers]
    with make_client(redis_url) as open_to_all:
        without_keys = open_to_all.post("/models/tiny/unload")

    assert statuses == [401, 403]
    assert without_keys.status_code == 403
    assert "only an admin key allows this" in without_keys.json()["detail"]


def test_a_picture_that_is_a_link_out_of_its_folder_is_not_shown(redis_url: str, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root:x:0:0")
    (folder / "tiny").mkdir(exist_ok=True)
    (folder / "tiny" / PLOT_FILE).symlink_to(secret)
    with make_client(redis_url, folder=folder) as client:
        answer = client.get("/models/tiny/plot")

    assert answer.status_code == 409
    assert "root" not in answer.text
    assert answer.json()["detail"].startswith("tiny/plot.png is a link that leads out of its folder")


def test_no_caller_is_told_where_the_models_are(redis_url: str, folder: Path) -> None:
    (folder / "tiny" / "card.json").write_text("{}")
    with make_client(redis_url, admin_key=ADMIN["Authorization"].split()[1], folder=folder) as client:
        broken = client.post("/models/tiny/load", headers=ADMIN)
    with make_client(redis_url, admin_key=ADMIN["Authorization"].split()[1], folder=folder / "none") as client:
        missing = client.post("/models/tiny/load", headers=ADMIN)

    assert (broken.status_code, missing.status_code) == (409, 409)
    assert "tiny/card.json is not a model card" in broken.json()["detail"]
    assert not [answer.text for answer in (broken, missing) if str(folder) in answer.text]
