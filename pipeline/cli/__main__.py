"""``python -m pipeline.cli`` is ``queuevisor``; short, because Python runs the module of this name."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
