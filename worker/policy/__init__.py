"""Pure: facts and rules give a status, and say why."""
