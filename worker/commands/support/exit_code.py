"""What the exit status of `bouncekeeper` means; docs/command-line.md repeats this for operators."""

from enum import IntEnum

from worker.process import interruption


class ExitCode(IntEnum):
    """The statuses a script can rely on."""

    OK = 0  # done; every address may be mailed; nothing was found
    NO = 1  # the answer is no: an address is blocked, something was found, nothing of that name exists
    USAGE = 2  # the command line cannot be understood, or a file of addresses holds none
    IMPOSSIBLE_SETTING = 3  # a person must act first: the configuration, the data folder or the database's schema
    UNAVAILABLE = 4  # Postgres, the broker or the running instance cannot be reached now
    INTERNAL = 70  # a bug of ours; the traceback is for the report
    INTERRUPTED = interruption.EXIT_STATUS  # a signal ended it: before it was up, or at once as the second one


EXIT_CODE_HELP = """exit codes:
  0    done; every address may be mailed; nothing was found
  1    the answer is no: an address is blocked, something was found, nothing of that name exists
  2    the command line cannot be understood, or a file of addresses holds none
  3    a person must act first: an impossible configuration, a data folder that cannot be used or is in use already,
       a database's schema that is out of date
  4    Postgres, the broker or the running instance cannot be reached now: try again later
  70   a bug in bouncekeeper, with a traceback
  130  ended by a signal: before it was up, or at once as the second one"""
