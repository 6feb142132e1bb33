# One image for every part; the command says which. Build: docker compose build
# Bases are pinned to a release. The last stage holds the environment and nothing that made it.
ARG PYTHON=3.11.15-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /source
COPY deploy/image/build.sh deploy/image/build.sh
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY schemas schemas
COPY services services
RUN sh deploy/image/build.sh /source /opt/waymark

FROM python:${PYTHON}
# A number, so that an orchestrator can see that it is not root.
RUN groupadd --system --gid 10001 waymark \
 && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/waymark --shell /usr/sbin/nologin waymark \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/waymark
COPY --from=build /opt/waymark /opt/waymark
ENV PATH=/opt/waymark/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    WAYMARK_DATA=/var/lib/waymark \
    WAYMARK_HOST=0.0.0.0 \
    WAYMARK_LOG_FORMAT=json
USER 10001:10001
WORKDIR /var/lib/waymark
VOLUME /var/lib/waymark
STOPSIGNAL SIGTERM
ENTRYPOINT ["waymark"]
CMD ["--help"]
