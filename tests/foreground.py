"""Programs as a person starts them at a terminal, wherever the tests themselves were started.

``nohup make test`` ignores SIGHUP, and a script's ``make test &`` ignores SIGINT; both are
inherited, and a shell cannot undo what was ignored on its entry (POSIX, ``trap``).
"""

from __future__ import annotations

#: What a command is put behind.
FOREGROUND = ("env", "--default-signal=HUP,INT,TERM")
