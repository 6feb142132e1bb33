"""``python -m deploy.clickhouse_local FOLDER PORT``: serve until SIGTERM or SIGINT. To try out."""

import signal
import sys
import threading

from deploy.clickhouse_local.server import Server


def main(folder: str, port: str) -> int:
    """Serve the folder's engine on a port of loopback."""
    server = Server(folder, int(port))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    print(f"storage to try out on http://127.0.0.1:{server.server_address[1]}", flush=True)
    stop.wait()
    server.shutdown()
    serving.join()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
