"""Finding out where channels are: from the directory, else from a server that can be reached."""

from __future__ import annotations

from godwit.client.actions import Action, LookUp
from godwit.client.links import Link, LinkState
from godwit.client.roads import Roads
from godwit.values import Addresses


class Places:
    """What clusters are called, and who is asked where a channel is."""

    def __init__(self, roads: Roads, *, directory: bool, out: list[Action]) -> None:
        self._roads = roads
        self._directory = directory
        self._out = out
        self._names: dict[str, str] = {}
        self._to_look_up: dict[str, None] = {}
        self._looking = False

    def key(self, cluster: str) -> str:
        """Our own name for a cluster that somebody named, '' for none."""
        return self._names.get(cluster, cluster)

    def learn(self, cluster: str, addresses: Addresses) -> str:
        """Keep the addresses of a cluster that somebody named; return our own name for it."""
        if key := self.key(cluster):
            self._roads.learn(key, addresses)
        return key

    def name(self, link: Link, cluster: str) -> None:
        """A cluster said its name: where we began with nothing but an address, that is it from now on."""
        if cluster and cluster not in self._roads.routes and cluster not in self._names:
            self._names[cluster] = link.route.key
            link.route.name = cluster

    def locate(self, channel: str, home: str, turn: int) -> None:
        """Ask where a channel is, if there is anybody to ask.

        Args:
            home: the cluster where it should be; another one is asked if that cannot be reached.
            turn: counts how often this is asked: the others are asked in turn.
        """
        if self._directory:
            self._to_look_up[channel] = None
            self._look_up()
            return
        routes = [route for route in self._roads.routes.values() if self._roads.reachable(route.key)]
        ready = [route for route in routes if route.link and route.link.state is LinkState.READY]
        others = [route for route in routes if route.key != home]
        if ready:
            self._roads.inquire(channel, ready[0].key)
        elif others:
            self._roads.inquire(channel, others[turn % len(others)].key)

    def forget(self, channel: str) -> None:
        """Don't ask for a channel any more."""
        self._to_look_up.pop(channel, None)

    def stop(self) -> None:
        """Don't ask any more."""
        self._to_look_up.clear()

    def answered(self) -> None:
        """The directory has answered, or failed to: ask what is to be asked next."""
        self._looking = False
        self._look_up()

    def _look_up(self) -> None:
        if self._to_look_up and not self._looking:
            self._looking = True
            self._out.append(LookUp(tuple(self._to_look_up)))
            self._to_look_up.clear()
