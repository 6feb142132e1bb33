"""Health, the part's own metrics, the pipeline, numbers, the page and the OpenAPI document."""

import asyncio
import json
import re
from importlib import resources

import httpx

from services.common.errors import UnavailableError
from services.common.ports import Hop
from services.metrics_api.health import PATIENCE_SECONDS
from tests.metrics_api.conftest import HOUR, NOW, Get, World


async def test_health_needs_no_token_and_tells_of_trouble(world: World) -> None:
    async with world.client(open_reads=False) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).json() == {"status": "ok"}
        world.health.steps.append(Hop("log", None, None, trouble="the clock is 90 s behind"))
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.json()["message"] == "log: the clock is 90 s behind"


async def test_a_pipeline_that_cannot_be_asked_is_told_before_the_probe_gives_up(
    world: World,
) -> None:
    async with world.client() as client:
        world.health.error = UnavailableError("the disk is full")
        told = (await client.get("/readyz")).json()
        assert (told["code"], told["message"]) == ("unavailable", "the disk is full")
        world.health.answers.clear()
        told = (await client.get("/readyz")).json()
    assert told["code"] == "unavailable"
    assert told["message"] == f"the pipeline has not answered within {PATIENCE_SECONDS} s"


async def test_what_ends_the_looks_at_the_loader_ends_the_process(world: World) -> None:
    world.health.error = ZeroDivisionError("nobody knows why")
    ended = asyncio.get_running_loop().create_future()
    world.on_fatal = ended.set_result
    app = world.app()
    async with asyncio.timeout(60), app.router.lifespan_context(app):
        assert await ended is world.health.error


async def test_the_part_counts_its_reads(world: World, get: Get, client: httpx.AsyncClient) -> None:
    await get("/v1/sessions")
    text = (await client.get("/metrics")).text
    assert 'waymark_query_seconds_count{endpoint="sessions"}' in text
    assert "waymark_stream_clients 0.0" in text


async def test_the_pipeline_is_told_hop_by_hop(world: World, get: Get) -> None:
    world.live.clock = NOW - 5_000
    told = await get("/v1/health/pipeline")
    assert (told["status"], told["clock_behind_ms"]) == ("ok", 5_000)
    storage = told["hops"][1]
    assert (storage["name"], storage["lag"], storage["age_ms"]) == ("storage", 3, 1_200)
    world.health.steps.append(Hop("loader", 9, 9, trouble="disk full"))
    assert (await get("/v1/health/pipeline"))["status"] == "trouble"


async def test_metrics_are_listed_with_unit_definition_and_dimensions(get: Get) -> None:
    listed = {row["name"]: row for row in await get("/v1/metrics")}
    assert {"sessions", "bounce_rate", "revenue", "live_visitors"} <= set(listed)
    assert all(row["unit"] and row["definition"] for row in listed.values())
    assert "channel" in listed["bounce_rate"]["dimensions"]


async def test_a_metric_answers_a_root_array_of_flat_rows(world: World, get: Get) -> None:
    world.closed(1, bounced=True, page_views=1, channel="email")
    world.closed(2, bounced=False, page_views=3, channel="email")
    world.closed(3, bounced=False, page_views=3, channel="paid")
    rows = await get("/v1/metrics/bounce_rate", group_by="channel", filter=["channel:!paid"])
    assert len(rows) == 1
    assert (rows[0]["channel"], rows[0]["k"], rows[0]["n"]) == ("email", 1, 2)
    assert rows[0]["value"] == 0.5
    stepped = await get(
        "/v1/metrics/sessions", step="1h", **{"from": NOW - 3 * HOUR, "to": NOW}, tz="UTC"
    )
    assert sum(row["value"] for row in stepped) == 3
    assert all(row["time"].endswith("Z") for row in stepped)


async def test_numbers_of_now_come_from_the_live_view(world: World, get: Get) -> None:
    world.live.by_stage = {"intent": 4}
    world.live.carts = 2
    stages = {row["stage"]: row["value"] for row in await get("/v1/metrics/live_visitors")}
    assert stages["intent"] == 4
    assert (await get("/v1/metrics/open_carts"))[0]["value"] == 2


async def test_the_page_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    names = re.findall(r'(?:src|href)="(/page/[^"]+)"', answer.text)
    assert sorted(names) == ["/page/page.css", "/page/page.js"]
    for name in names:
        part = await client.get(name)
        assert part.status_code == 200
        assert "http" not in part.text.replace("http://www.w3.org", "").replace(
            "https://your.shop", ""
        )


async def test_a_cart_that_nobody_priced_is_shown_without_a_sum(client: httpx.AsyncClient) -> None:
    script = (await client.get("/page/page.js")).text
    (unpriced,) = re.findall(r"const unpriced = (.+);", script)
    assert "signal.lines.every((line) => line.price == null)" in unpriced
    assert 'unpriced ? "value unknown" : signal.value && money(' in script


def test_the_page_stays_small() -> None:
    folder = resources.files("services.metrics_api").joinpath("page")
    lines = sum(part.read_text().count("\n") for part in folder.iterdir())
    assert lines < 500


async def test_every_read_is_in_the_openapi_document(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    expected = {
        "/v1/sessions", "/v1/sessions/{session_id}", "/v1/visitors/{visitor_id}",
        "/v1/visitors/{visitor_id}/export", "/v1/users/{user_id}", "/v1/users/{user_id}/export",
        "/v1/carts", "/v1/carts/{cart_id}", "/v1/signals", "/v1/signals/stream",
        "/v1/signals/{signal_id}", "/v1/orders", "/v1/events", "/v1/dead-letters",
        "/v1/explain/{entity_id}", "/v1/sources", "/v1/metrics", "/v1/metrics/{name}",
        "/v1/health/pipeline", "/healthz", "/readyz", "/metrics",
    }  # fmt: skip
    assert expected <= set(document["paths"])
    assert "cart_outcome" in document["components"]["schemas"]["Session"]["properties"]
    references = set(re.findall(r'"#/components/schemas/(\w+)"', str(document).replace("'", '"')))
    assert references <= set(document["components"]["schemas"])


async def test_the_document_tells_how_events_are_sent(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    sending = document["paths"]["/v1/events"]["post"]
    assert [one["name"] for one in sending["parameters"]] == ["dry_run"]
    stated = {"200", "400", "401", "413", "415", "429", "503", "default"}
    assert set(sending["responses"]) == stated
    event = document["components"]["schemas"]["EventInput"]
    with resources.files("schemas").joinpath("json/event_input.json").open() as file:
        published = json.load(file)
    assert event["properties"].keys() == published["$defs"]["Wire"]["properties"].keys()
    assert event["anyOf"] == published["anyOf"]
    text = (await client.get("/docs")).text
    assert "dry_run" in text
    assert "EventInput" in text


async def test_the_docs_page_shows_every_read_and_loads_nothing_from_elsewhere(
    client: httpx.AsyncClient,
) -> None:
    document = (await client.get("/openapi.json")).json()
    answer = await client.get("/docs")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "http" not in answer.text
    for path, operations in document["paths"].items():
        for method in operations:
            assert f"{method.upper()} {path}<" in answer.text
    assert "cart_outcome" in answer.text
