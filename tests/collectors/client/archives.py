"""Members of an archive that a recorded machine sends."""

import tarfile


def member(name, data=b"", kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    return info, data


LOG = b"#T 1 1 0 b\ncpu 1 2 3\n#END SIGTERM\n"
