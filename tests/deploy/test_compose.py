"""docker-compose.yml: what it opens, what it gives to whom, and whether its images are the Dockerfile's."""

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from buddy_common.adapters.log_folders import openclaw_log_folders
from buddy_common.settings import ALL_SETTINGS
from deploy.conftest import COMPOSE_FILE, ROOT, Stage, Variable
from fakes.ports import free_port

HOST_PLANE = ("worker", "watchdog", "proxy")
ENDS_BY_ITSELF = {"migrate"}
# what the programs of others read
FOREIGN = re.compile(
    r"POSTGRES_(USER|DB|PASSWORD)|REDIS_PASSWORD|REDISCLI_AUTH|FLOWER_[A-Z_]+|CELERY_BROKER_URL"
)
SECRET = re.compile(r"TOKEN|PASSWORD|SECRET|KEY")

Services = dict[str, dict[str, Any]]


def test_only_traefik_publishes_a_port(services: Services) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["traefik"]


def test_the_published_port_is_for_this_machine_unless_told_otherwise(services: Services) -> None:
    assert services["traefik"]["ports"] == ["127.0.0.1:3000:3000"]


def test_nothing_keeps_a_service_from_being_scaled(services: Services) -> None:
    assert not [name for name, service in services.items() if "container_name" in service]


def test_no_secret_has_a_default(variables: list[Variable]) -> None:
    secrets = [variable for variable in variables if SECRET.search(variable.name)]
    assert {variable.name for variable in secrets} == {"BUDDY_TOKEN", "REDIS_PASSWORD", "POSTGRES_PASSWORD"}
    assert all(variable.kind == "?" and variable.text for variable in secrets)


def test_every_other_variable_has_a_default(variables: list[Variable]) -> None:
    assert all(variable.kind == "-" for variable in variables if not SECRET.search(variable.name))


def test_every_variable_is_explained(variables: list[Variable]) -> None:
    readme = (ROOT / "deploy" / "README.md").read_text()
    settings = (ROOT / ".env.example").read_text()
    missing = {each.name for each in variables if f"`{each.name}`" not in readme}
    assert not {name for name in missing if f"# {name}=" not in settings}


def test_the_token_is_given_to_those_only_who_ask_for_it(services: Services) -> None:
    given = [name for name, service in services.items() if "BUDDY_TOKEN" in service.get("environment", {})]
    assert given == ["api", "proxy"]


def test_the_gateway_is_given_no_secret(services: Services) -> None:
    assert not [name for name in services["openclaw"]["environment"] if SECRET.search(name) or "URL" in name]


def test_every_variable_of_a_container_is_a_setting(services: Services) -> None:
    known = {
        choice
        for settings in ALL_SETTINGS
        for info in settings.model_fields.values()
        for choice in getattr(info.validation_alias, "choices", [])
    }
    given = {name for service in services.values() for name in service.get("environment", {})}
    assert {name for name in given - known if not FOREIGN.fullmatch(name)} == set()


def test_every_service_has_limits_and_comes_back(services: Services) -> None:
    for name, service in services.items():
        assert {"mem_limit", "cpus", "pids_limit", "logging"} <= set(service), name
        assert service["restart"] == ("on-failure:3" if name in ENDS_BY_ITSELF else "unless-stopped"), name


def test_every_service_says_whether_it_is_well(services: Services, images: dict[str, Stage]) -> None:
    for name, service in services.items():
        check = service["healthcheck"]
        if name in ENDS_BY_ITSELF:
            assert check == {"disable": True}
            continue
        assert {"interval", "timeout", "retries", "start_period"} <= set(check), name
        ours = "build" in service and images[service["build"]["target"]].has("HEALTHCHECK CMD [")
        assert "test" in check or ours, name


def test_every_service_waits_until_what_it_needs_is_well(services: Services) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            ends = needed in ENDS_BY_ITSELF
            expected = "service_completed_successfully" if ends else "service_healthy"
            assert how == {"condition": expected}, (name, needed)


def test_no_service_may_more_than_it_needs(services: Services, images: dict[str, Stage]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        image = images.get(service.get("build", {}).get("target", ""))
        assert "user" in service or (image is not None and image.has("USER 10001:10001")), name


def test_no_service_gets_the_docker_socket_or_a_folder_of_the_host(services: Services) -> None:
    mounts = [mount for service in services.values() for mount in service.get("volumes", [])]
    assert all(re.match(r"[a-z]", mount) for mount in mounts)
    assert "docker.sock" not in COMPOSE_FILE.read_text()


def test_the_host_plane_shares_loopback_processes_and_files_of_the_gateway(services: Services) -> None:
    for name in HOST_PLANE:
        service = services[name]
        assert service["network_mode"] == service["pid"] == "service:openclaw"
        assert service["volumes"] == services["openclaw"]["volumes"]
        assert str(openclaw_log_folders()[0]) in {mount.partition(":")[2] for mount in service["volumes"]}
        shared = services["openclaw"]["environment"].items()
        assert shared <= service["environment"].items()


def test_docker_waits_longer_than_the_gateways_container_needs(
    services: Services, images: dict[str, Stage]
) -> None:
    command = next(line for line in images["openclaw"].instructions if line.startswith("CMD"))
    asked = re.search(r'"(\d+)"', command)
    assert asked is not None
    assert int(asked[1]) < 10
    assert services["openclaw"]["stop_grace_period"] == "15s"


def test_the_api_believes_forwarded_headers_of_traefik_only(services: Services) -> None:
    address = services["traefik"]["networks"]["front"]["ipv4_address"]
    assert services["api"]["environment"]["BUDDY_FORWARDED_ALLOW_IPS"] == address
    assert "--entryPoints.web.forwardedHeaders.insecure=false" in services["traefik"]["command"]


def test_traefiks_address_is_given_to_nobody_else(compose: dict[str, Any], services: Services) -> None:
    (pool,) = compose["networks"]["front"]["ipam"]["config"]
    address = services["traefik"]["networks"]["front"]["ipv4_address"]
    assert pool["ip_range"].endswith(".128/25")
    assert int(address.rsplit(".", 1)[1]) < 128


def test_what_the_gateway_can_reach_asks_for_a_password(services: Services) -> None:
    (network,) = services["openclaw"]["networks"]
    reachable = {name for name, service in services.items() if network in service.get("networks", [])}
    assert reachable == {"openclaw", "redis", "postgres", "traefik"}


def test_the_images_are_those_of_the_dockerfile(services: Services, images: dict[str, Stage]) -> None:
    targets = {service["build"]["target"] for service in services.values() if "build" in service}
    assert targets == set(images)
    for service in services.values():
        if "build" in service:
            assert f"/{service['build']['target']}:" in service["image"]


def test_the_guide_builds_every_image(images: dict[str, Stage]) -> None:
    loop = re.search(r"^for target in (.+); do$", (ROOT / "deploy" / "README.md").read_text(), re.MULTILINE)
    assert loop is not None
    assert set(loop[1].split()) == set(images)


def test_every_build_argument_is_declared(services: Services) -> None:
    declared = set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    given = {name for service in services.values() for name in service.get("build", {}).get("args", {})}
    assert given <= declared


def test_every_image_of_ours_gets_signals_itself(images: dict[str, Stage], stages: dict[str, Stage]) -> None:
    assert stages["base"].has("STOPSIGNAL SIGTERM")
    for name, image in images.items():
        assert name == "traefik" or image.has('CMD ["'), name


def test_python_comes_from_the_lock_with_hashes(stages: dict[str, Stage]) -> None:
    text = "\n".join(line for stage in stages.values() for line in stage.instructions)
    assert text.count("pip download") == 1
    assert "--require-hashes" in next(line for line in stages["wheels"].instructions if "download" in line)
    assert stages["installer"].has("ENV PIP_NO_INDEX=1")


CHECKED = ("api", "flower", "watchdog", "proxy")


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("name", CHECKED)
def test_a_health_check_tells_a_good_answer_from_a_bad_one(
    images: dict[str, Stage], name: str, status: int
) -> None:
    code = health_code(images[name])

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run_check(code, port=server.server_port)
        server.shutdown()

    assert (done.returncode, done.stderr) == (0 if status == 200 else 1, "")


@pytest.mark.parametrize("name", CHECKED)
def test_a_service_that_does_not_listen_is_not_well(images: dict[str, Stage], name: str) -> None:
    done = run_check(health_code(images[name]), port=free_port())

    assert done.returncode == 1
    assert "ConnectionRefusedError" in done.stderr


def health_code(image: Stage) -> str:
    line = next(line for line in image.instructions if line.startswith("HEALTHCHECK CMD"))
    program, options, code = json.loads(line.removeprefix("HEALTHCHECK CMD"))
    assert (program, options) == ("python", "-ISc")
    return str(code)


def run_check(code: str, *, port: int) -> "subprocess.CompletedProcess[str]":
    there = re.sub(r"'127\.0\.0\.1', \d+", f"'127.0.0.1', {port}", code)
    return subprocess.run([sys.executable, "-ISc", there], capture_output=True, text=True, check=False)
