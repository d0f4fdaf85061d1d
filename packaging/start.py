"""What the packaged program runs first (app/__main__.py is that for a checkout)."""

import multiprocessing
import sys

if __name__ == "__main__":
    # First of all: inside a package, a child process is this same program started again.
    multiprocessing.freeze_support()

    from app.main import main

    sys.exit(main())
