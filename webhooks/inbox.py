"""Writes calls down: what waits while one transaction is under way goes into the next one, all of it together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError

from triage.store import Store
from triage.store.arrivals import Arrival, Received

# The database is well and refuses a value, which must be the trouble of one call only.
# SQLite takes 32,766 parameters in a statement; a row has 13.
TOGETHER = 100
POISON = (DataError, IntegrityError, ProgrammingError)


class _Waiting:
    """One call on its way into the database."""

    def __init__(self, arrival: Arrival) -> None:
        self.arrival = arrival
        self.received: Received | None = None
        self.error: Exception | None = None


class Inbox:
    """Stores calls, those of many threads in few transactions: a commit costs more than a row."""

    def __init__(self, store: Store) -> None:
        self._deliveries = store.deliveries
        self._waiting: deque[_Waiting] = deque()
        self._writing = threading.Lock()

    def receive(self, arrival: Arrival) -> Received:
        """Store a call and return what became of it, once that is committed. Raises what the database raises."""
        mine = _Waiting(arrival)
        self._waiting.append(mine)
        # Whoever comes first writes for all who wait: with nobody else there it is a transaction like any other.
        with self._writing:
            while mine.received is None and mine.error is None:
                self._write([self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))])
        if mine.received is None:
            assert mine.error is not None
            raise mine.error
        return mine.received

    def _write(self, together: Sequence[_Waiting]) -> None:
        try:
            for one, received in zip(
                together, self._deliveries.receive_all([one.arrival for one in together]), strict=True
            ):
                one.received = received
        except BaseException as error:
            is_ours = isinstance(error, Exception)
            if len(together) > 1 and is_ours and (isinstance(error, POISON) or not isinstance(error, SQLAlchemyError)):
                for one in together:
                    self._write([one])
                return
            # The database is away or locked: nobody's call is stored.
            for one in together:
                one.error = error if isinstance(error, Exception) else SQLAlchemyError("its writer was ended")
            if not is_ours:
                raise
