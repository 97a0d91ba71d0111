"""`python -m tools.image`."""

from __future__ import annotations

import argparse
import sys

from tools.image import __doc__ as description
from tools.image.build import ImageError, build, clean, layers


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("build", "layers", "clean"))
    parser.add_argument("--base", action="store_true", help="clean: remove the base, too")
    options = parser.parse_args()
    try:
        if options.command == "clean":
            clean(base=options.base)
        elif options.command == "build":
            build()
        else:
            for layer in layers():
                print(f"{layer.num_bytes / 1e6:8.1f} MB  {layer.made_by[:80]}")
    except ImageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
