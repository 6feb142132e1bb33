#!/bin/sh
# What the Dockerfile runs to make the environment, in a fresh folder: then the command must work from
# there, from another folder, and hold neither test tools nor pip. Needs the package index or pip's cache.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHON=${PYTHON:-python3} sh "$here/deploy/image/build.sh" "$here" "$work/waymark"
cd "$work"
"$work/waymark/bin/waymark" --help > /dev/null
"$work/waymark/bin/python" - << 'CHECK'
import importlib.util
for name in ("pytest", "mypy", "hypothesis", "duckdb", "pip", "tests"):
    assert importlib.util.find_spec(name) is None, f"{name} is in the image"
import schemas, services
assert "/waymark/lib/" in services.__file__, services.__file__
CHECK
du -sh "$work/waymark" | sed 's/\t.*/ in all/'
echo "the image's environment is whole"
