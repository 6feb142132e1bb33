"""Forks ``waymark`` commands: their parts are imported once, so that each starts at once."""

import services.ingest.run
import services.loader.run
import services.metrics_api.run
import services.sessionizer.run  # noqa: F401 - all of these are imported for those who are forked
from tests.support.commands import main

if __name__ == "__main__":
    main()
