"""The local copy follows the API server through whatever happens between the two."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.kube_api import KubeServer
from tests.support.waiting import wait_for

from trainyard_api.engines.kubernetes.informer import Informer

PODS = "/api/v1/namespaces/team/pods"


@pytest.fixture
def follow(server: KubeServer) -> Iterator[Callable[..., Informer]]:
    """Starts informers of the team's pods, and ends them."""
    started: list[Informer] = []

    def start(**options: Any) -> Informer:
        informer = Informer(server.api(), PODS, **options)
        started.append(informer)
        informer.start()
        return informer

    yield start
    for informer in started:
        informer.stop()
    for informer in started:
        informer.join(5)


def put(server: KubeServer, name: str, **content: Any) -> None:
    server.put(PODS, name, "team", **content)


def names(informer: Informer) -> set[str]:
    return {item["metadata"]["name"] for item in informer.items()}


def until(informer: Informer, *expected: str) -> None:
    wait_for(f"{expected}, has {names(informer)}", lambda: names(informer) == set(expected))


def test_it_lists_every_page_and_then_follows(server: KubeServer, follow: Callable[..., Informer]) -> None:
    for name in "abcde":
        put(server, name)
    informer = follow()
    assert informer.wait_synced(10)
    assert names(informer) == set("abcde")
    put(server, "f")
    server.remove(PODS, "a")
    until(informer, *"bcdef")
    put(server, "b", status={"phase": "Running"})
    wait_for("the change", lambda: (informer.get("team", "b") or {}).get("status"))
    assert server.lists(PODS) == 1


def test_a_watch_that_ends_goes_on_from_where_it_was(server: KubeServer, follow: Callable[..., Informer]) -> None:
    put(server, "a")
    informer = follow(watch_seconds=1)
    assert informer.wait_synced(10)
    for number in range(3):
        watches = len(server.requests)
        wait_for("the next watch", lambda watches=watches: len(server.requests) > watches)
        put(server, f"n{number}")
    until(informer, "a", "n0", "n1", "n2")
    assert server.lists(PODS) == 1


def test_a_broken_connection_loses_nothing(server: KubeServer, follow: Callable[..., Informer]) -> None:
    put(server, "a")
    informer = follow()
    assert informer.wait_synced(10)
    server.break_watches()
    put(server, "b")
    server.remove(PODS, "a")
    until(informer, "b")


def test_what_expired_meanwhile_is_listed_anew_and_what_went_is_told(server: KubeServer, follow: Callable[..., Informer]) -> None:
    changes: list[tuple[str, str]] = []
    put(server, "a")
    put(server, "b")
    informer = follow(on_change=lambda kind, item: changes.append((kind, item["metadata"]["name"])))
    assert informer.wait_synced(10)
    wait_for("both", lambda: len(changes) == 2)
    server.down = True
    server.break_watches()
    server.remove(PODS, "a")
    put(server, "c")
    server.compact()
    server.down = False
    until(informer, "b", "c")
    assert server.lists(PODS) == 2
    wait_for("all changes", lambda: {("DELETED", "a"), ("ADDED", "c")} <= set(changes))


def test_while_the_server_is_away_the_copy_stays_and_says_so(server: KubeServer, follow: Callable[..., Informer]) -> None:
    put(server, "a")
    informer = follow()
    assert informer.wait_synced(10)
    server.down = True
    server.break_watches()
    wait_for("the problem", lambda: informer.problem)
    assert names(informer) == {"a"}
    server.down = False
    put(server, "b")
    until(informer, "a", "b")
    assert informer.problem is None


def test_a_refusal_is_the_problem_until_it_is_lifted(server: KubeServer, follow: Callable[..., Informer]) -> None:
    server.forbidden.add(PODS)
    informer = follow()
    wait_for("the problem", lambda: "cannot list" in (informer.problem or ""))
    assert not informer.wait_synced(0)
    server.forbidden.clear()
    put(server, "a")
    until(informer, "a")


def test_only_what_is_selected_trimmed_and_by_group(server: KubeServer, follow: Callable[..., Informer]) -> None:
    put(server, "a", metadata={"labels": {"job": "1"}}, status={"large": "thing"})
    put(server, "b", metadata={"labels": {"job": "2"}})
    put(server, "c")
    informer = follow(
        selector={"labelSelector": "job"},
        trim=lambda item: {"metadata": item["metadata"]},
        index=lambda item: item["metadata"]["labels"]["job"],
    )
    assert informer.wait_synced(10)
    assert [item["metadata"]["name"] for item in informer.group("1")] == ["a"]
    assert "status" not in informer.group("1")[0]
    put(server, "a", metadata={"labels": {"job": "2"}})
    wait_for("the move", lambda: len(informer.group("2")) == 2)
    assert informer.group("1") == []


def test_what_was_just_made_is_there_at_once_and_never_replaced_by_something_older(
    server: KubeServer, follow: Callable[..., Informer]
) -> None:
    informer = follow()
    assert informer.wait_synced(10)
    new = {"metadata": {"name": "a", "namespace": "team", "resourceVersion": "900"}, "status": "new"}
    informer.put(new)
    informer.put({**new, "metadata": {**new["metadata"], "resourceVersion": "899"}, "status": "old"})
    put(server, "a", status="older still")
    put(server, "b")
    until(informer, "a", "b")
    assert informer.get("team", "a") == new


def test_an_error_in_who_listens_does_not_end_it(server: KubeServer, follow: Callable[..., Informer]) -> None:
    def fail(_kind: str, item: dict[str, Any]) -> None:
        if item["metadata"]["name"] == "bad":
            raise RuntimeError("cannot take it")

    informer = follow(on_change=fail)
    assert informer.wait_synced(10)
    put(server, "bad")
    put(server, "good")
    until(informer, "bad", "good")
