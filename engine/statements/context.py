"""What the statements of one session share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..executor.binder import GatewayBinder
from ..executor.collations import Collations
from ..executor.connections import SessionConnections
from ..executor.definitions.sequence_blocks import settle
from ..executor.gateway import Gateway
from ..executor.parsed import ParsedTexts
from ..executor.transaction_limits import TransactionLimits
from ..sql.transaction import Isolation

if TYPE_CHECKING:
    from ..planner.cache import PlanCache
    from ..planner.moving import JoinStrategy
    from ..planner.plan import Tier
    from .prepared import Prepared


class Context:
    """A session as its statements see it.

    session: its name. plans: gives the plan cache that all sessions share. allowed_tiers: those that queries may use
    besides gather; None for all. has_own_macros: whether the session has made macros that no other knows.
    has_own_state: whether it has made something on its connection to the gateway that another one would lack, such as
    temporary tables. own_settings: those of duckraft's settings that were set, as text. prepared: its prepared
    statements, by folded name. binding: how fragments reach the merge SQL, "attached" or "streamed".
    statement_timeout_s: how long a statement may run; None for as long as it takes. default_isolation: of
    transactions that do not name one. limits: what ends its transactions from outside.
    """

    def __init__(self, gateway: Gateway, plans: Callable[[], PlanCache], session: str = "") -> None:
        self.gateway = gateway
        self.connections = SessionConnections(
            gateway.instance, gateway.transactions, session, before_commit=lambda: settle(gateway)
        )
        self.limits = TransactionLimits(self.connections.transactions)
        self.parsed = ParsedTexts(gateway)
        self.binder = GatewayBinder(lambda: self.connections.gateway)
        self.allowed_tiers: frozenset[Tier] | None = None
        self.has_own_macros = False
        self.has_own_state = False
        self.temporaries: frozenset[str] = frozenset()
        """The folded names of its temporary tables and views."""
        self.binding = "attached"
        self.collations = Collations(partial(self.connections.reader, None))
        self.allowed_joins: frozenset[JoinStrategy] | None = None
        self.statement_timeout_s: float | None = None
        self.default_isolation = Isolation.READ_COMMITTED
        self.own_settings: dict[str, str] = {}
        self.prepared: dict[str, Prepared] = {}
        self._plans = plans

    @property
    def plans(self) -> PlanCache:
        """The plan cache that the sessions share."""
        return self._plans()

    @property
    def plans_are_shared(self) -> bool:
        """Whether this session's plans are those that any other would make."""
        return self.allowed_tiers is None and not self.has_own_macros and self.binding == "attached"
