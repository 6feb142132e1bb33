"""When a worker is taken for dead."""

from services.common.metrics import Metrics
from services.sessionizer.pulse import Pulse, moving_seconds
from services.sessionizer.tally import Tally
from tests.sessionizer.apps import owners_of
from tests.support.kafka import settings_for


async def test_a_rebalance_may_wait_for_writes_as_long_as_the_settings_let_them() -> None:
    settings = settings_for("127.0.0.1:1", kafka_patience_seconds=900)
    owners = owners_of(settings)
    pulse = Pulse(settings, owners, Tally(Metrics()))
    try:
        owners.moving_since -= 920
        assert pulse.trouble() == ""
        owners.moving_since -= moving_seconds(settings) - 920
        assert pulse.trouble().startswith("a rebalance goes on for ")
    finally:
        await pulse.stop()
