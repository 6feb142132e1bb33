"""What the loader's chores sum is what the rows say, also where a row comes after its sealing."""

import asyncio

import msgspec

from services.common.clock import SystemClock
from services.common.fatal import die
from services.common.metrics import Metrics
from services.common.settings import Settings
from services.loader.chores import Sealing
from services.loader.part import LoaderPart
from services.loader.warehouse import Warehouse
from services.rollups.facts import FACTS
from services.rollups.tiers import clean_runs
from tests.metrics.shop import DAY, NOW, SOURCE, generate
from tests.support.clickhouse_http import ClickHouseProcess
from tests.support.loading import Shops, answers, fill, lines_of, until

SINCE = NOW - 6 * DAY
SHOP = generate(seed=7, visits=60, since=SINCE)


async def test_metrics_over_what_the_loader_has_sealed_are_those_of_the_rows(
    kafka_settings: Settings, clickhouse: ClickHouseProcess
) -> None:
    address = f"{clickhouse.url}/{kafka_settings.kafka_prefix}"
    settings = kafka_settings.model_copy(update={"clickhouse": address})
    warehouse = Warehouse(settings, SystemClock())
    part = LoaderPart(settings, warehouse, Shops(), Metrics(), die)
    records = await fill(settings, lines_of(SHOP))
    app = part.app()
    async with app.router.lifespan_context(app):
        await until(lambda: part._loader is not None and part._loader.loaded >= records)
        loader = part._loader
        assert loader is not None
        storage = await asyncio.to_thread(warehouse.storage)
        plain = await asyncio.to_thread(answers, storage)
        seal = Sealing(storage, Shops(), lambda: NOW + 7 * DAY).run
        assert await asyncio.to_thread(seal)
        assert _sealed(warehouse) > 0.9
        assert await asyncio.to_thread(answers, storage) == plain

        first = min(SHOP.sessions, key=lambda row: row.started_ms)
        late = msgspec.structs.replace(first, version=first.version + 1, page_views=77)
        records += await fill(settings, {"sessions": [msgspec.json.encode(late)]})
        await until(lambda: loader.loaded >= records)
        changed = await asyncio.to_thread(answers, storage)
        assert changed["pages_per_session"] != plain["pages_per_session"]
        assert await asyncio.to_thread(seal)
        assert await asyncio.to_thread(answers, storage) == changed


def _sealed(warehouse: Warehouse) -> float:
    """Return the share of the shop's time that roll-ups answer for."""
    whole = (SINCE + DAY, NOW - DAY)
    runs = clean_runs(warehouse.storage(), FACTS["sessions"], SOURCE, "UTC", whole)
    return sum(end - start for start, end in runs) / (whole[1] - whole[0])
