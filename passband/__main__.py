"""``python -m passband``: the command line, also under torchrun."""

from passband.jobs.cli import main

if __name__ == "__main__":
    main()
