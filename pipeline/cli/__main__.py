"""``python -m pipeline.cli`` is ``queuevisor``."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
