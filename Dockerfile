# One image per service, and one stage per image at the end. Needs BuildKit; deploy/README.md says how to build.
ARG BASE_IMAGE=python:3.13-slim-bookworm
ARG TRAEFIK_IMAGE=traefik:v3.5

FROM ${BASE_IMAGE} AS base
ARG BUDDY_VERSION=0.1.0
LABEL org.opencontainers.image.title="OpenClaw Buddy" \
      org.opencontainers.image.version="${BUDDY_VERSION}" \
      org.opencontainers.image.licenses="MIT"
# a number, so that Kubernetes and Docker can tell that it is not root
RUN groupadd --gid 10001 buddy && useradd --uid 10001 --gid 10001 --create-home --home-dir /home/buddy buddy \
    && chmod 0700 /home/buddy
ENV HOME=/home/buddy \
    PATH=/opt/buddy/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /home/buddy
STOPSIGNAL SIGTERM

# Every wheel of the lock, each checked by its hash: from here on nothing is fetched for Python. What has no wheel
# would be built with tools that no hash vouches for: it is a tool of the tests, and left out.
FROM base AS wheels
WORKDIR /src
COPY requirements.lock ./
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    sed '/^forbiddenfruit==/,/[^\\]$/d' requirements.lock > wheels.lock \
    && python3 -m venv /tools \
    && /tools/bin/pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes \
        --only-binary=:all: --dest /wheels --requirement wheels.lock \
    && /tools/bin/pip install --quiet --no-index --find-links /wheels hatchling

FROM wheels AS members
COPY libs libs
COPY services services
COPY cli cli
RUN /tools/bin/pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir /members \
    ./libs/common ./services/api ./services/worker ./services/watchdog ./services/proxy ./cli

# Installs one member with what it declares, and nothing else; the wheels above are all that there is to choose from.
FROM members AS installer
ENV PIP_NO_INDEX=1 PIP_FIND_LINKS="/wheels /members" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python3 -m venv --without-pip /opt/buddy

FROM installer AS api-files
RUN /tools/bin/pip --python /opt/buddy/bin/python install --quiet buddy-api

FROM installer AS worker-files
RUN /tools/bin/pip --python /opt/buddy/bin/python install --quiet buddy-worker

FROM installer AS watchdog-files
RUN /tools/bin/pip --python /opt/buddy/bin/python install --quiet buddy-watchdog

FROM installer AS proxy-files
RUN /tools/bin/pip --python /opt/buddy/bin/python install --quiet buddy-proxy

FROM installer AS flower-files
RUN /tools/bin/pip --python /opt/buddy/bin/python install --quiet flower "celery[redis]"

# Node.js by pinned hash and the pinned OpenClaw, as `buddy openclaw install` puts them anywhere else.
FROM installer AS openclaw-files
ARG OPENCLAW_VERSION=2026.9.6
RUN /tools/bin/pip --python /opt/buddy/bin/python install --quiet buddy-cli
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    --mount=type=secret,id=npmrc,target=/home/buddy/.npmrc \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=cache,target=/home/buddy/.npm \
    env -u PIP_NO_INDEX -u PIP_FIND_LINKS BUDDY_HOME=/opt/openclaw NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt \
        buddy openclaw install --version "${OPENCLAW_VERSION}" \
    && chmod -R a+rX /opt/openclaw

# The host plane: Node.js and OpenClaw, which worker, watchdog and gateway share.
FROM base AS host
COPY --from=openclaw-files /opt/openclaw/runtime /opt/openclaw
ENV PATH=/opt/buddy/bin:/opt/openclaw/bin:/usr/local/bin:/usr/bin:/bin \
    BUDDY_HOME=/home/buddy/.openclaw-buddy \
    BUDDY_OPENCLAW=/opt/openclaw/bin/openclaw
# a volume begins with what it covers, and OpenClaw logs only where nobody else may write
RUN install --directory --owner buddy --group buddy --mode 0700 /tmp/openclaw

FROM ${BASE_IMAGE} AS routes
RUN python3 -m venv /opt/routes
COPY --from=wheels /wheels /wheels
RUN /opt/routes/bin/pip install --quiet --no-index --find-links /wheels pyyaml
COPY docker-compose.yml deploy/routes.py /
RUN /opt/routes/bin/python /routes.py /docker-compose.yml > /routes.yml

# --- the images ---

FROM base AS api
COPY --from=api-files /opt/buddy /opt/buddy
COPY experts /opt/experts
ENV BUDDY_EXPERTS_DIR=/opt/experts BUDDY_HOME=/tmp/buddy
USER 10001:10001
EXPOSE 3000
HEALTHCHECK CMD ["python", "-ISc", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 3000, timeout=3); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["python", "-m", "buddy_api"]

FROM base AS flower
COPY --from=flower-files /opt/buddy /opt/buddy
USER 10001:10001
EXPOSE 5555
HEALTHCHECK CMD ["python", "-ISc", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 5555, timeout=3); c.request('GET', '/flower/healthcheck'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["celery", "flower"]

FROM host AS worker
COPY --from=worker-files /opt/buddy /opt/buddy
USER 10001:10001
HEALTHCHECK CMD ["python", "-m", "buddy_worker.lanes"]
CMD ["python", "-m", "buddy_worker"]

FROM host AS watchdog
COPY --from=watchdog-files /opt/buddy /opt/buddy
USER 10001:10001
HEALTHCHECK CMD ["python", "-ISc", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 3002, timeout=3); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["python", "-m", "buddy_watchdog"]

FROM host AS proxy
COPY --from=proxy-files /opt/buddy /opt/buddy
USER 10001:10001
EXPOSE 3001
HEALTHCHECK CMD ["python", "-ISc", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 3001, timeout=3); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["python", "-m", "buddy_proxy"]

# Whether the gateway runs is the watchdog's business; this container is well when it can start one.
FROM host AS openclaw
COPY --from=worker-files /opt/buddy /opt/buddy
ENV BUDDY_GATEWAY_INIT=/home/buddy/.openclaw-buddy/run/init.sock
USER 10001:10001
HEALTHCHECK CMD ["python", "-m", "buddy_worker.container_init", "ping", "/home/buddy/.openclaw-buddy/run/init.sock"]
CMD ["python", "-m", "buddy_worker.container_init", "/home/buddy/.openclaw-buddy/run/init.sock", "8", "python", "-m", "buddy_worker.bring_up"]

# The labels of docker-compose.yml as a file, so that Traefik needs no Docker socket to read them.
FROM ${TRAEFIK_IMAGE} AS traefik
COPY --from=routes /routes.yml /etc/traefik/routes.yml
HEALTHCHECK CMD ["traefik", "healthcheck", "--ping", "--entryPoints.traefik.address=127.0.0.1:8080"]
