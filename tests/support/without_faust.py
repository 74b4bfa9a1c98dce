"""An interpreter that finds neither Faust nor mode nor aiokafka: `python -m tests.support.without_faust store`.

In: an import of this module, or a command of `alliance`. Out: ModuleNotFoundError at every import of the three.
Never: imported by the test run itself, which needs all three.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MISSING = frozenset({"faust", "mode", "aiokafka"})
#: What was asked for all the same, also by code that can do without it.
wanted: list[str] = []


class Missing(MetaPathFinder):
    """Is asked for each module before Python's own finders, and says that the three are not there."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in MISSING:
            wanted.append(fullname)
            raise ModuleNotFoundError(f"{fullname} is not installed", name=fullname)
        return None


assert MISSING.isdisjoint(sys.modules)
sys.meta_path.insert(0, Missing())

if __name__ == "__main__":
    from alliance.cli import main

    main()
