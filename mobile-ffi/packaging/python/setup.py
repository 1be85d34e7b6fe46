"""The wheel's tag: it holds a library, so it is for one system and processor, but for any Python."""

import pathlib
import re
import sysconfig

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel


def platform():
    """What the library needs, as pip names it: on Linux, the version of the C library."""
    plain = re.sub(r"[-.]", "_", sysconfig.get_platform())
    [library] = pathlib.Path("roadbook").glob("libroadbook_ffi.*")
    needs = [int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)\b", library.read_bytes())]
    if not plain.startswith("linux") or not needs:
        return plain
    return plain.replace("linux", f"manylinux_2_{max(needs)}", 1)


class Wheel(bdist_wheel):
    """A wheel with a library that is not an extension of Python."""

    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        return "py3", "none", platform()


setup(cmdclass={"bdist_wheel": Wheel})
