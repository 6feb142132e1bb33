#!/bin/sh
# docker compose up, one event in, its visitor and its row out, down again. Needs a Docker engine.
# A project name and volumes of its own: what runs already is not touched (but its ports must be free).
set -eu
cd "$(dirname "$0")/../.."
command -v docker > /dev/null || { echo "Docker is not on this machine" >&2; exit 1; }
docker info > /dev/null 2>&1 || { echo "no Docker engine answers" >&2; exit 1; }
work=$(mktemp -d)
compose="docker compose --project-name waymark-try --env-file $work/env"
trap '$compose down --volumes --timeout 30; rm -rf "$work"' EXIT
python3 -m deploy.env "$work/env"
. "$work/env"
$compose up --build --detach --wait --wait-timeout 300
at=$(date +%s)
curl -fsS http://127.0.0.1:8080/v1/events -H "Authorization: Bearer $WRITE_KEY" \
  -H 'Content-Type: application/json' \
  -d "{\"type\":\"page_view\",\"visitor_id\":\"try-$at\",\"url\":\"https://shop.example/\"}"
until curl -fsS "http://127.0.0.1:8081/v1/visitors/try-$at?source=shop" -H "Authorization: Bearer $READ_TOKEN"; do
  [ $(($(date +%s) - at)) -lt 60 ] || { echo "the visitor does not show" >&2; exit 1; }
  sleep 1
done
until curl -fsS "http://127.0.0.1:8081/v1/events?source=shop" -H "Authorization: Bearer $READ_TOKEN" \
  | grep -q "try-$at"; do
  [ $(($(date +%s) - at)) -lt 120 ] || { echo "the event is not in storage" >&2; exit 1; }
  sleep 1
done
curl -fsS -X DELETE "http://127.0.0.1:8081/v1/visitors/try-$at?source=shop" -H "Authorization: Bearer $READ_TOKEN"
echo "compose works"
