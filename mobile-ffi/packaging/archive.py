"""Packs a directory as a zip file (a jar, an AAR are zip files): the same bytes for the same content.

    archive.py DIRECTORY FILE
"""

import os
import sys
import zipfile

# The earliest time that a zip file can name: what is packed says nothing of when.
THEN = (1980, 1, 1, 0, 0, 0)


def files(directory):
    """All files below a directory, by their path; a jar's manifest comes first."""
    found = [
        os.path.relpath(os.path.join(at, name), directory)
        for at, _, names in os.walk(directory)
        for name in names
    ]
    return sorted(found, key=lambda path: (path != os.path.join("META-INF", "MANIFEST.MF"), path))


def pack(directory, archive):
    """Packs everything below `directory`."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as pack:
        for path in files(directory):
            entry = zipfile.ZipInfo(path.replace(os.sep, "/"), THEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with open(os.path.join(directory, path), "rb") as file:
                pack.writestr(entry, file.read())


if __name__ == "__main__":
    pack(*sys.argv[1:])
