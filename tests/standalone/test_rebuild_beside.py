"""Rebuilds while shoppers come and go: afterwards every row is what it would have been without."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from services.common.ports import nothing
from services.standalone import control
from services.standalone.folder import Folder
from tests.standalone.test_kill import Load, check_exactly
from tests.standalone.waymark import Waymark

REBUILDS = 2


def test_visits_that_close_while_rebuilds_run_are_counted_once_and_as_they_were(
    make: Callable[..., Waymark], short_policy: Path
) -> None:
    waymark = make(policy=short_policy)
    waymark.start()
    load = Load(waymark)
    try:
        for _ in range(REBUILDS):
            rebuild(waymark)
    finally:
        sent = load.finish()
    assert len(sent) > REBUILDS
    check_exactly(waymark, sent)
    tables = rebuild(waymark, dry_run=True)["tables"]
    differing = {name: one for name, one in tables.items() if one["same"] != sum(one.values())}
    assert not differing
    # Who left a cart may still come back to it: that is the live fold's to say.
    assert tables["sessions"]["same"] == sum(one.story != "cart" for one in sent)


def rebuild(waymark: Waymark, **args: Any) -> dict[str, Any]:
    folder = Folder(Path(waymark.data))
    found: dict[str, Any] = msgspec.to_builtins(
        control.ask(folder.control, "rebuild", {"source": "shop", **args}, nothing)
    )
    return found
