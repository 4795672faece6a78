"""A statement whose parameters have names: `UPDATE jobs SET state = :state WHERE id = :id`.

Parameters of one row often have one type, so neither Postgres nor the type checker would find two that are swapped.
Statements with many rows take arrays from worker.store.row instead.
"""

import re
from typing import Any

_NAME = re.compile(r"(?<!:):([a-z_]+)")  # and no cast: `::text`


class NamedStatement:
    """A statement with `:name` for each parameter. A name may occur several times."""

    def __init__(self, text: str) -> None:
        self._names = tuple(dict.fromkeys(_NAME.findall(text)))
        places = {name: f"${place}" for place, name in enumerate(self._names, start=1)}
        self._sql = _NAME.sub(lambda match: places[match[1]], text)

    def __call__(self, **parameters: Any) -> tuple[Any, ...]:
        """The arguments for asyncpg: the SQL, then the values. Raises TypeError for missing or unknown names."""
        if parameters.keys() != set(self._names):
            raise TypeError(f"the statement takes {', '.join(self._names)}; given are {', '.join(parameters)}")
        return self._sql, *(parameters[name] for name in self._names)
