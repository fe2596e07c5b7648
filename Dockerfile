# One image for every role: `florin run` (default: all on one machine, data in /data), `florin serve`, `florin worker`, `florin migrate`.
#   docker build -t florin .
#   docker run --init -p 8000:8000 -v florin-data:/data florin
#   docker run -e FLORIN_DATABASE_DSN=... -e FLORIN_REDIS_DSN=... florin florin serve --host 0.0.0.0

FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/florin
COPY requirements.lock /src/
RUN /opt/florin/bin/pip install --require-hashes --no-deps --requirement /src/requirements.lock
COPY pyproject.toml README.md /src/
COPY app /src/app
COPY resolvers /src/resolvers
COPY workers /src/workers
COPY domains /src/domains
COPY db /src/db
COPY migrations /src/migrations
COPY graphql /src/graphql
RUN /opt/florin/bin/pip install --no-deps --no-build-isolation --editable /src \
    && /opt/florin/bin/python -m compileall -q /opt/florin/lib /src

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin florin \
    && install -d -o florin -g florin -m 0700 /data
COPY --from=build /opt/florin /opt/florin
COPY --from=build /src /src
ENV PATH=/opt/florin/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 FLORIN_DATA=/data
WORKDIR /src
USER florin
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
CMD ["florin", "run", "--host", "0.0.0.0", "--no-demo"]
