"""Who is where, as the edges of this process know it: the controller's port `Crowd`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from godwit.control.ports import Presence
from godwit.edge.node import EdgeNode
from godwit.values import Segment


class EdgeCrowd:
    """A `Crowd` over the edges of one process.

    Args:
        nodes: cluster -> its edges; read at each question, so it may be filled later.
    """

    def __init__(self, nodes: Mapping[str, Sequence[EdgeNode]]) -> None:
        self._nodes = nodes

    async def presence(self, channels: Sequence[str]) -> list[Presence]:
        """Who is there, in the order asked for."""
        nodes = [node for _, node in self._named()]
        return [_together(channel, nodes) for channel in channels]

    async def left_behind(self, channel: str, cluster: str) -> list[str]:
        """Logins of the members that are still in the channel on `cluster`, each once per connection."""
        return [login for node in self._nodes.get(cluster, ()) for login in node.logins(channel)]

    async def views(self, channels: Sequence[str]) -> dict[str, list[tuple[str, Segment]]]:
        """For each channel that edges serve: `(edge's name, the segment that it stands in)`."""
        nodes = list(self._named())
        found = {
            channel: [(name, view) for name, node in nodes if (view := node.view(channel))] for channel in channels
        }
        return {channel: views for channel, views in found.items() if views}

    def _named(self) -> Iterator[tuple[str, EdgeNode]]:
        """The edges with names that operators can tell apart: `main-1`, `main-2`, `aws-1`."""
        for cluster, nodes in self._nodes.items():
            for number, node in enumerate(nodes, 1):
                yield f"{cluster}-{number}", node


def _together(channel: str, nodes: Sequence[EdgeNode]) -> Presence:
    found = [node.presence(channel) for node in nodes]
    return Presence(
        channel,
        members=sum(one.members for one in found),
        told=sum(one.told for one in found),
        last_message=max((one.last_message for one in found), default=0.0),
    )
