"""A house whose web process and whose workers each reach Redis over a line of their own."""

from __future__ import annotations

from pathlib import Path

from commands.stack import SOCKET
from tests.chaos.house import House
from tests.chaos.proxy import Line


class Cuttable(House):
    """Tandem under load; `web_line` and `worker_line` (beat's too) go to its Redis."""

    def start_broker(self) -> str:
        """Start Redis and the lines."""
        url = super().start_broker()
        self.redis_socket = Path(self.stack.folder) / SOCKET
        self.web_line, self.worker_line = Line(self.redis_socket), Line(self.redis_socket)
        lines = {"web": self.web_line, "worker": self.worker_line, "beat": self.worker_line}
        self.stack.own = {name: {"REDIS_URL": f"redis://127.0.0.1:{line.port}/0"} for name, line in lines.items()}
        return url

    def stop(self) -> None:
        """Stop everything."""
        super().stop()
        for line in (self.web_line, self.worker_line):
            line.close()
