# syntax=docker/dockerfile:1
# A worker, for CPUs or for NVIDIA GPUs:
#   docker build -f docker/worker.Dockerfile -t digress-worker:cpu .
#   docker build -f docker/worker.Dockerfile -t digress-worker:cuda --build-arg DEVICE=cuda .
# There is no compiler in it, which DIGRESS_COMPILE would need.
FROM python:3.11-slim-bookworm AS build
ARG DEVICE=cpu
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN python -m venv /opt/digress
ENV PATH=/opt/digress/bin:$PATH
WORKDIR /src
COPY constraints.txt docker/worker.lock docker/cuda.lock ./
# PyPI's torch brings CUDA with it, several gigabytes; PyTorch's own index has one for CPUs, whose hash that index says.
RUN case "$DEVICE" in \
      cpu) pip install --no-cache-dir --no-deps --index-url https://download.pytorch.org/whl/cpu "$(grep '^torch==' constraints.txt)" ;; \
      cuda) pip install --no-cache-dir --no-deps --require-hashes -r cuda.lock ;; \
      *) echo "DEVICE is cpu or cuda, not '$DEVICE'" >&2; exit 1 ;; \
    esac \
    && pip install --no-cache-dir --require-hashes -r worker.lock
COPY pyproject.toml LICENSE ./
COPY app app
COPY worker worker
COPY models models
RUN touch README.md && pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/digress /opt/digress
ENV PATH=/opt/digress/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DIGRESS_HOST=0.0.0.0 \
    DIGRESS_LOG_FORMAT=json \
    DIGRESS_WORKER_METRICS_PORT=9100
USER 10001:10001
EXPOSE 9100
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9100/metrics', timeout=4)"]
ENTRYPOINT ["digress"]
CMD ["worker"]
