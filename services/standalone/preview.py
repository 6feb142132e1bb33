"""``dry_run`` in one process: previews on the engine's own states."""

from services.metrics_api.preview import LivePreview
from services.sessionizer.core.policy import Rules
from services.standalone.fold import Fold
from services.standalone.live import Asked, ask


class EnginePreview(LivePreview):
    """Previews on the live states. Only looking them up takes the fold's time."""

    def __init__(self, engine: Asked, rules: Rules) -> None:
        """Preview on this engine's states under these rules."""

        async def states(source: str, addresses: set[str]) -> dict[str, bytes | None]:
            return await ask(engine, lambda fold: _states(fold, source, addresses))

        super().__init__(states, rules)


def _states(fold: Fold, source: str, addresses: set[str]) -> dict[str, bytes | None]:
    return {one: fold.unsettled(source, one) for one in addresses}
