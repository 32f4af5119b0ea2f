# syntax=docker/dockerfile:1
# The API: no torch, no weights; a few seconds to start, 100 MB of memory.
#   docker build -f docker/api.Dockerfile -t digress-api .
FROM python:3.11-slim-bookworm AS build
RUN python -m venv /opt/digress
ENV PATH=/opt/digress/bin:$PATH
WORKDIR /src
# The dependencies alone first: they stay in the cache while the code changes.
COPY docker/api.lock ./
RUN pip install --no-cache-dir --require-hashes -r api.lock
COPY pyproject.toml LICENSE ./
COPY app app
COPY models models
RUN touch README.md && pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
# What RDKit's drawing code is linked with.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libexpat1 libxext6 libxrender1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/digress /opt/digress
ENV PATH=/opt/digress/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DIGRESS_HOST=0.0.0.0 \
    DIGRESS_LOG_FORMAT=json
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
ENTRYPOINT ["digress"]
CMD ["api"]
