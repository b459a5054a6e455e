"""The ports that tests are given."""

import socket

from fakes.ports import EACH, FIRST, RANGES, free_port


def test_no_port_is_given_twice_in_a_row_or_to_clients() -> None:
    ports = [free_port() for _ in range(500)]

    assert len(set(ports)) == 500
    assert all(FIRST <= port < FIRST + RANGES * EACH for port in ports)
    assert max(ports) < 32_768  # where Linux begins with those of clients


def test_port_that_somebody_listens_on_is_passed_over() -> None:
    coming = free_port() + 1
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", coming))
        taken.listen()

        assert free_port() != coming
