#!/bin/sh
# Build Waymark and what it needs into a virtual environment: the Dockerfile's own steps, as a file, so
# that they can be run and checked without an engine too (make check-image).
#   build.sh SOURCE TARGET    (SOURCE: the project's folder; TARGET: a folder that does not exist yet)
# Every package comes from the lock with its hash. Of what was fetched, only what the wheel itself asks
# for goes into the target, which holds no compiler, test tool or pip.
set -eu
source=$1 target=$2
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/build"
pip="$work/build/bin/python -m pip --disable-pip-version-check --quiet"
$pip wheel --require-hashes --no-deps --requirement "$source/requirements.lock" --wheel-dir "$work/wheels"
$pip install --no-index --find-links "$work/wheels" --upgrade setuptools
# A copy: the build writes beside what it reads.
mkdir "$work/source"
cp -R "$source/pyproject.toml" "$source/README.md" "$source/LICENSE" "$source/schemas" "$source/services" \
  "$work/source"
$pip wheel --no-index --no-deps --no-build-isolation --wheel-dir "$work/wheels" "$work/source"

"$python" -m venv --without-pip "$target"
"$work/build/bin/python" -m pip --python "$target/bin/python" --disable-pip-version-check --quiet \
  install --no-index --find-links "$work/wheels" --compile waymark
"$target/bin/waymark" --help > /dev/null
