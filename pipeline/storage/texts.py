"""Errors of object storage; short, because each of them is one sentence."""

NO_FSSPEC = "needs fsspec, which is not installed: pip install 'queuevisor[cluster]'"
DRIVERS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "az": "adlfs",
}
"""Protocol → package of its driver."""


def no_driver(url: str, reason: object) -> str:
    """Error: the package that reads a protocol is missing."""
    protocol = url.partition("://")[0]
    package = DRIVERS.get(protocol)
    advice = f"pip install {package}" if package else "see the protocols of fsspec"
    return f"{url}: no driver for {protocol}:// is installed ({reason}): {advice}"


def no_fsspec(url: str) -> str:
    """Error: fsspec is missing."""
    return f"{url}: {NO_FSSPEC}"


def not_reached(url: str, error: BaseException) -> str:
    """Error: the storage refuses, or does not answer."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"{url}: {reason}"


def no_cache(folder: object, error: OSError) -> str:
    """Error: the folder of the mirrors cannot be written."""
    return f"{folder}: cannot be written ({error.strerror or error}); give another folder with QUEUEVISOR_CACHE"
