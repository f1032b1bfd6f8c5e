"""``python -m beaker_mongo_soajs``, and the script ``beaker-mongo``."""

import importlib
import sys
from importlib.util import find_spec

_USAGE_ERROR = 2


def main() -> None:
    """Run the command line, or print what to install for it."""
    missing = [name for name in ("click", "rich") if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"beaker-mongo needs {' and '.join(missing)}: "
            'run pip install "beaker_mongo_soajs[cli]".\n'
        )
        sys.exit(_USAGE_ERROR)
    importlib.import_module("beaker_mongo_soajs.cli.app").main()


if __name__ == "__main__":
    main()
