"""The virtual servers (guests): images, ports, and the size of what they serve.

A guest is named after its image. Several guests of one image have a number: web1, web2.
"""

import re

IMAGES = ("web", "db")
GUESTS = IMAGES
"""The guests of a server of servers.json."""

NAME = re.compile(rf"({'|'.join(IMAGES)})([1-9]?)")
SSH_PORTS = {"web": 22022, "db": 22023}
SERVICE_PORTS = {"web": 28080, "db": 23306}
"""Ports of 127.0.0.1 on the host, forwarded to `GUEST_SERVICE_PORTS` of the guest without a number."""
PORT_STEP = 10
GUEST_SERVICE_PORTS = {"web": 80, "db": 3306}

DATABASE_ROWS = 1_000_000
DOCUMENTS = 40_000
DOCUMENT_BYTES = 16_384


def split_name(guest: str) -> tuple[str, int]:
    """Split the name of a guest into its image and its number, 0 without one.

    Examples
    --------
    >>> split_name("web3"), split_name("db")
    (('web', 3), ('db', 0))
    """
    image, number = NAME.fullmatch(guest).groups()
    return image, int(number or 0)


def get_image(guest: str) -> str:
    """Return the name of a guest's image."""
    return split_name(guest)[0]


def get_ssh_port(guest: str) -> int:
    """Return the port of 127.0.0.1 for ssh of a guest."""
    image, number = split_name(guest)
    return SSH_PORTS[image] + PORT_STEP * number


def get_service_port(guest: str) -> int:
    """Return the port of 127.0.0.1 for the service of a guest."""
    image, number = split_name(guest)
    return SERVICE_PORTS[image] + PORT_STEP * number
