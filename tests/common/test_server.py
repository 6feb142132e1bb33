"""The URL that a process says of itself."""

import pytest

from services.common.server import listen, url_of


@pytest.mark.parametrize(
    ("host", "everywhere", "name"),
    [
        ("127.0.0.1", "worker-1", "127.0.0.1"),
        ("::1", "", "[::1]"),
        ("[::1]", "", "[::1]"),
        ("0.0.0.0", "", "127.0.0.1"),
        ("::", "", "[::1]"),
        ("::", "worker-1", "worker-1"),
    ],
)
def test_a_url_names_where_the_process_can_be_reached(
    host: str, everywhere: str, name: str
) -> None:
    with listen("127.0.0.1", 0) as address:
        port = address.getsockname()[1]
        assert url_of(host, address, everywhere) == f"http://{name}:{port}"
