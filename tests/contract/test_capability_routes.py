"""The routes that the capabilities name."""

from fastapi import FastAPI

from buddy_worker.reads.capabilities import capabilities_of


def test_every_route_that_is_named_is_one_of_the_api(app: FastAPI) -> None:
    routes = {
        f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods
    }

    named = {row["route"] for row in capabilities_of(None, version=None, problem=None)["routes"]}

    assert named <= routes
