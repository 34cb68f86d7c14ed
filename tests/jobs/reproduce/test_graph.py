import pytest

from passband.jobs.reproduce.graph import Graph, Node
from tests.jobs.reproduce.made import dataset
from tests.jobs.reproduce.steps import Step, steps


def named(name, *needs):
    return Node(name, Step(name, "log"), needs)


def test_what_is_ready_stands_in_the_order_of_the_graph():
    graph = Graph((named("a"), named("b", "a"), named("c"), named("d", "b", "c"), named("e", "a")))
    assert [node.name for node in graph.ready({}, set())] == ["a", "c"]
    assert [node.name for node in graph.ready({"a": 1}, {"a", "c"})] == ["b", "e"]
    assert [node.name for node in graph.ready({"a": 1, "b": 1, "c": 1}, set("abce"))] == ["d"]


def test_what_stands_behind_a_failure_is_lost_and_nothing_else():
    graph = Graph((named("a"), named("b", "a"), named("c"), named("d", "b", "c"), named("e", "c"), named("f", "d")))
    assert graph.behind({"a"}) == ["b", "d", "f"]
    assert graph.behind({"c", "b"}) == ["d", "e", "f"]
    assert graph.behind(set()) == []


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ((named("a"), named("a")), "two nodes are called a"),
        ((named("a", "b"), named("b")), "a needs b, which does not stand before it"),
        ((named("a", "a"),), "a needs a"),
        ((named("a"), Node("d", dataset("d", "test", []).task, ("a",))), "d: a dataset needs no other node"),
    ],
)
def test_graphs_that_cannot_be_run_are_refused(nodes, message):
    with pytest.raises(ValueError, match=message):
        Graph(nodes)


def test_a_graph_is_frozen(tmp_path):
    graph = steps(tmp_path / "log", "a", "b: a")
    assert len(graph) == 2
    with pytest.raises(AttributeError):
        graph.nodes = ()
