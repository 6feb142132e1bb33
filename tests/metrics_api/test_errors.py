"""Every refusal has one shape, names field and value, and shows nothing of the inside."""

import re

import httpx
import pytest
from structlog.testing import capture_logs

from services.common.errors import InvalidError, UnavailableError
from tests.metrics_api.conftest import READ_SHOP, Away, World


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ("limit=0", "limit", "0"),
        ("limit=many", "limit", "many"),
        ("limit=100000", "limit", "100000"),
        ("bounced=perhaps", "bounced", "perhaps"),
        ("cart_outcome=eaten", "cart_outcome", "eaten"),
        ("from=yesterday", "from", "yesterday"),
        ("from=now-3x", "from", "now-3x"),
        ("from=1e5", "from", "1e5"),
        ("to=99999999999999", "to", "99999999999999"),
        ("from=1790000000&to=1780000000", "to", "1780000000"),
        ("visitorid=v1", "visitorid", "v1"),
        ("cursor=%C3%A4", "cursor", "ä"),
    ],
)
async def test_a_wrong_parameter_is_named_with_its_value(
    client: httpx.AsyncClient, query: str, field: str, value: str
) -> None:
    answer = await client.get(f"/v1/sessions?{query}")
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message"}
    assert answer.json()["code"] == "invalid_parameter"
    assert field in answer.json()["message"]
    assert value in answer.json()["message"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/sessions?limit=many", "limit = 'many': a whole number is needed"),
        (f"/v1/sessions?limit={'9' * 4_400}", "a whole number is needed, and a smaller one"),
        ("/v1/sessions?limit=0", "limit = '0': at least 1 is needed"),
        ("/v1/sessions?limit=1001", "limit = '1001': at most 1000 is taken"),
        ("/v1/sessions?bounced=perhaps", "bounced = 'perhaps': true or false is needed"),
        ("/v1/metrics/sessions?touch=x", "touch = 'x': is none of 'first' or 'last'"),
        ("/v1/signals?kind=bounce,bliss", "kind = 'bliss': is none of 'stage_entered'"),
        ("/v1/sessions?friction=zz", "friction = 'zz': is none of 'slow_page', 'unexpected_cost'"),
        ("/v1/sessions?stage=zz", "stage = 'zz': is none of 'discovery'"),
        ("/v1/sessions?dropped_at=zz", "dropped_at = 'zz': is none of 'discovery'"),
        ("/v1/sessions?cart_outcome=zz", "cart_outcome = 'zz': is none of 'none', 'open'"),
        ("/v1/carts?friction=zz", "friction = 'zz': is none of 'slow_page'"),
        ("/v1/carts?outcome=none", "outcome = 'none': is none of 'open', 'abandoned'"),
        ("/v1/signals?stage=zz", "stage = 'zz': is none of 'discovery'"),
        ("/v1/signals?kind=bounce,", "kind = '': is none of 'stage_entered'"),
        ("/v1/signals/stream?kind=zz", "kind = 'zz': is none of 'stage_entered'"),
        ("/v1/events?type=zz", "type = 'zz': is none of 'page_view'"),
        ("/v1/events?by=zz", "by = 'zz': is none of 'time' or 'received'"),
        ("/v1/dead-letters?code=zz", "code = 'zz': is none of 'invalid_json'"),
        ("/v1/metrics/signals?filter=kind:zz", "filter = 'kind:zz': kind is none of stage_entered"),
        ("/v1/metrics/live_visitors?filter=stage:zz", "discovery, interest, intent"),
        ("/v1/metrics/sessions?step=0d", "step = '0d': has no width"),
        ("/v1/visitors/v1?timeline=1&limit=x", "limit = 'x': a whole number is needed"),
    ],
)
async def test_what_is_wrong_with_a_value_is_said_plainly(
    client: httpx.AsyncClient, path: str, said: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 400
    assert said in answer.json()["message"]


async def test_a_parameter_given_twice_is_refused_where_one_value_is_taken(
    client: httpx.AsyncClient,
) -> None:
    for path in ("/v1/sessions", "/v1/metrics/sessions", "/v1/metrics/open_carts"):
        answer = await client.get(f"{path}?from=now-1h&from=now-2h")
        assert answer.status_code == 400
        assert answer.json()["message"] == "from = 'now-2h': is given already, as 'now-1h'"
    twice = await client.get("/v1/carts/x?source=shop&source=shop")
    assert (twice.status_code, "source" in twice.json()["message"]) == (400, True)
    for path in (
        "/v1/signals?kind=bounce&kind=converted",
        "/v1/events?type=click&type=custom",
        "/v1/metrics/sessions?group_by=device&group_by=channel&filter=device:x&filter=channel:y",
    ):
        assert (await client.get(path)).status_code == 200


async def test_stages_and_letters_of_every_kind_are_taken(
    world: World, client: httpx.AsyncClient
) -> None:
    """Else what stands in storage could not be asked for."""
    for code in ("invalid_field", "unreadable", "storage_refused"):
        world.letter(code, code=code)
        answer = await client.get("/v1/dead-letters", params={"code": code})
        assert [row["id"] for row in answer.json()["rows"]] == [code]
    world.signal(1, kind="stage_entered", stage="intent")
    answer = await client.get("/v1/signals", params={"stage": "Intent"})
    assert len(answer.json()["rows"]) == 1


async def test_no_parameter_is_taken_without_a_value(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    del paths["/v1/events"]["post"]  # ingest answers it
    asked = [
        (method, re.sub(r"{\w+}", "x", path), one["name"])
        for path, operations in paths.items()
        for method, operation in operations.items()
        for one in operation.get("parameters", [])
        if one["in"] == "query"
    ]
    assert len(asked) > 70
    assert {"source", "cursor", "visitor_id", "step", "filter"} <= {name for _, _, name in asked}
    for method, path, name in asked:
        answer = await client.request(method, path, params={name: ""})
        assert answer.status_code == 400, (path, name)
        assert answer.json() == {
            "code": "invalid_parameter",
            "message": f"{name} = '': is empty; give a value, or leave the parameter out",
        }


@pytest.mark.parametrize("name", ["live_visitors", "open_carts"])
async def test_a_metric_of_now_refuses_what_it_would_pass_over(
    client: httpx.AsyncClient, name: str
) -> None:
    for field, value in (
        ("step", "1h"),
        ("touch", "first"),
        ("include_bots", "true"),
        ("group_by", "device"),
    ):
        answer = await client.get(f"/v1/metrics/{name}", params={field: value})
        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid_parameter"
        assert field in answer.json()["message"]
        assert name in answer.json()["message"]
    taken = {
        "source": "shop",
        "include_bots": "false",
        "touch": "last",
        "from": "now-1h",
        "to": "now",
    }
    assert (await client.get(f"/v1/metrics/{name}", params=taken)).status_code == 200


async def test_what_is_not_found_names_the_source_it_was_looked_for_in(world: World) -> None:
    async with world.client() as client:
        for path, what in (
            ("sessions/x", "session"),
            ("carts/x", "cart"),
            ("signals/x", "signal"),
            ("explain/x", "session, cart or signal"),
            ("visitors/x", "visitor"),
            ("visitors/x/export", "visitor"),
            ("users/x/export", "user"),
        ):
            told = (await client.get(f"/v1/{path}")).json()
            assert told == {"code": "not_found", "message": f"no {what} 'x' in source 'shop'"}
        world.source("other")
        told = (await client.get("/v1/carts/x")).json()
        assert told["message"] == "no cart 'x' in source 'other' or 'shop'"
        for number in range(50):
            world.source(f"shop-{number:02}")
        told = (await client.get("/v1/explain/x")).json()
        first = "'other' or 'shop' or 'shop-00' or 49 more"
        assert told["message"] == f"no session, cart or signal 'x' in source {first}"
    async with world.client(READ_SHOP, open_reads=False) as client:
        told = (await client.get("/v1/carts/x")).json()
        assert told["message"] == "no cart 'x' in source 'shop'"


async def test_no_read_takes_a_parameter_that_it_does_not_know(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    reads = [path for path, known in document["paths"].items() if "get" in known]
    asked = [re.sub(r"{\w+}", "x", path) for path in reads if path.startswith("/v1/")]
    assert len(asked) > 15
    for path in asked:
        answer = await client.get(path, params={"sauce": "shop"})
        assert answer.status_code == 400, path
        assert answer.json() == {
            "code": "invalid_parameter",
            "message": "unknown parameter sauce = 'shop'",
        }


async def test_a_metric_that_is_none_is_told_where_they_are(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/metrics/happiness")
    assert answer.json()["message"] == "no metric 'happiness'; GET /v1/metrics lists them"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("POST", "/v1/sessions", 405, "method_not_allowed"),
        ("GET", "/v1/sessions/not-an-id", 404, "not_found"),
        ("GET", "/v1/carts/not-an-id", 404, "not_found"),
        ("GET", "/v1/signals/not-an-id", 404, "not_found"),
        ("GET", "/v1/metrics/happiness", 404, "not_found"),
        ("GET", "/v1/visitors/nobody", 404, "not_found"),
        ("GET", "/v1/users/nobody/export", 404, "not_found"),
        ("GET", "/page/secret.py", 404, "not_found"),
        ("GET", "/v1/signals?kind=bounce,bliss", 400, "invalid_parameter"),
        ("GET", "/v1/metrics/sessions?tz=Mars/North", 400, "invalid_parameter"),
        ("GET", "/v1/metrics/sessions?tz=../passwd", 400, "invalid_parameter"),
        ("GET", "/v1/metrics/sessions?filter=nonsense", 400, "invalid_parameter"),
        ("GET", "/v1/metrics/sessions?step=sometimes", 400, "invalid_parameter"),
    ],
)
async def test_every_refusal_has_one_shape(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"code", "message"}
    assert answer.json()["code"] == code


async def test_storage_that_is_away_is_a_503_with_a_time_to_wait(world: World) -> None:
    world.storage = Away(UnavailableError("storage does not answer"))  # type: ignore[assignment]
    async with world.client() as client:
        for path in ("/v1/sessions", "/readyz"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
        assert (await client.get("/healthz")).status_code == 200


async def test_a_statement_of_ours_that_storage_refuses_shows_nothing(world: World) -> None:
    world.storage = Away(InvalidError("syntax error near SELECT secret"))  # type: ignore[assignment]
    with capture_logs() as logs:
        async with world.client() as client:
            answer = await client.get("/v1/sessions")
    assert [line["event"] for line in logs] == ["read_failed"]
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text


async def test_a_partition_that_moves_is_a_503(world: World) -> None:
    world.live.moving = True
    async with world.client() as client:
        answer = await client.get("/v1/visitors/v1")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
