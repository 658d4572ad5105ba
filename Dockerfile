# Three stages: the page, the daemon with the page in it, and what runs. `docker build .`; docs/containers.md.
# scripts/dockerfile.sh runs the first two stages' commands without Docker.

FROM node:22-bookworm-slim AS page
WORKDIR /src/frontend
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY frontend ./
RUN npm run build

FROM rust:1.95-bookworm AS daemon
WORKDIR /src
COPY . .
COPY --from=page /src/frontend/dist frontend/dist
RUN cargo build --release --locked --package sattva-monitor
RUN strip --strip-debug --output-file=/sattva-monitor target/release/sattva-monitor

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin sattva-monitor \
    && install --directory --owner=sattva-monitor /var/lib/sattva-monitor
COPY --from=daemon /sattva-monitor /usr/local/bin/sattva-monitor
COPY config/docker/sattva-monitor.toml /etc/sattva-monitor/sattva-monitor.toml
USER sattva-monitor
VOLUME /var/lib/sattva-monitor
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s \
    CMD ["curl", "--fail", "--silent", "--show-error", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["sattva-monitor"]
CMD ["serve", "--config", "/etc/sattva-monitor/sattva-monitor.toml"]
