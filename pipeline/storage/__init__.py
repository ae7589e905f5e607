"""Raw runs and tables on object storage: ``s3://bucket/raw``, ``gs://…``, and what else fsspec has a driver for.

The rest of the package reads and writes folders. A URL has a mirror, a folder of this machine that holds what was
needed of it: a run's files are fetched when its logs are read, its tables when they are loaded, and tables are stored
at the URL when they are written (docs/decisions). A folder is recognized as a mirror by a file in it, so that functions
take a folder, whether it is a mirror or not.

:mod:`mirror`    a URL and its folder
:mod:`locations` what another machine is given instead of a folder
:mod:`texts`     errors

Short, because it only imports what the other packages use.
"""

from pipeline.storage.locations import is_url, local_folder, location_digest, location_of
from pipeline.storage.mirror import Mirror, StorageError, mirror_of, open_mirror

__all__ = [
    "Mirror",
    "StorageError",
    "is_url",
    "local_folder",
    "location_digest",
    "location_of",
    "mirror_of",
    "open_mirror",
]
