"""What the packaging scripts make: it is installed and used where this machine can, and looked at where
it can't. `mobile-ffi/packaging/test` runs them."""

import os
import plistlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGING = HERE.parent
PACKAGES = Path(os.environ["ROADBOOK_TARGET"]) / "packages"
SERVER = os.environ["ROADBOOK_SERVER"]
KOTLIN = {name: os.environ[f"ROADBOOK_{name}"] for name in ("KOTLIN_LIB", "JNA", "JNA_NATIVE")}
ANDROID = {"arm64-v8a": 183, "armeabi-v7a": 40, "x86_64": 62}
SLICES = {
    "ios-arm64": ("ios", None, ["arm64"]),
    "ios-arm64_x86_64-simulator": ("ios", "simulator", ["arm64", "x86_64"]),
    "macos-arm64_x86_64": ("macos", None, ["arm64", "x86_64"]),
}


def run(*command, **more):
    """Runs a command that has to end well; gives what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def script(name, **environment):
    """Runs a packaging script; gives its exit code and what it said."""
    done = subprocess.run(
        [str(PACKAGING / name), "--dev"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout + done.stderr


def exported(library):
    """The names that a library offers to others."""
    return run("nm", "--dynamic", "--defined-only", str(library))


class Case(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = Path(directory.name)

    def device(self):
        """A server of its own, and a code for a device."""
        data = str(self.dir / "server")
        process = subprocess.Popen(
            [SERVER, "serve", "--data", data, "--plain", "--listen", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        url = next(line.split()[-1] for line in process.stdout if line.startswith("listening on "))
        run(SERVER, "user", "add", "rita", "--role", "rep", "--data", data)
        return url, run(SERVER, "invite", "rita", "--data", data).splitlines()[-1]

    def tools_without(self, *names):
        """A PATH with every tool of this machine but these."""
        tools = self.dir / f"without-{'-'.join(names)}"
        tools.mkdir()
        for directory in os.environ["PATH"].split(os.pathsep):
            for tool in Path(directory).iterdir() if Path(directory).is_dir() else ():
                if tool.name not in names and not (tools / tool.name).is_symlink():
                    (tools / tool.name).symlink_to(tool)
        return str(tools)


class Wheel(Case):
    def test_the_wheel_is_installed_alone_and_works(self):
        code, said = script("wheel")
        self.assertEqual(code, 0, said)
        [wheel] = PACKAGES.glob("wheel/*")
        self.assertRegex(wheel.name, r"^roadbook-[\d.]+-py3-none-(manylinux_2_\d+|macosx_\d+_\d+)_\w+\.whl$")
        names = zipfile.ZipFile(wheel).namelist()
        self.assertEqual(sum("libroadbook_ffi" in name for name in names), 1)
        self.assertEqual(sum("LICENSE" in name for name in names), 2)
        run(sys.executable, "-m", "venv", str(self.dir / "venv"))
        python = str(self.dir / "venv" / "bin" / "python")
        # Nothing is fetched: it needs nothing but Python.
        run(python, "-m", "pip", "install", "--quiet", "--no-index", str(wheel))
        run(python, "-m", "pip", "check")
        alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        smoke = [python, str(HERE / "smoke.py"), *self.device(), str(self.dir / "replica")]
        self.assertIn("held", run(*smoke, cwd=self.dir, env=alone))


class Jar(Case):
    def test_the_jar_brings_its_library_and_works(self):
        code, said = script("jar")
        self.assertEqual(code, 0, said)
        [jar] = [path for path in PACKAGES.glob("jar/*.jar") if "sources" not in path.name]
        names = zipfile.ZipFile(jar).namelist()
        self.assertEqual(names[0], "META-INF/MANIFEST.MF")
        for wanted in ("app/roadbook/Roadbook.class", "app/roadbook/FlowsKt.class"):
            self.assertIn(wanted, names)
        self.assertEqual(len([name for name in names if "libroadbook_ffi" in name]), 1)
        [sources] = PACKAGES.glob("jar/*-sources.jar")
        self.assertIn("app/roadbook/roadbook_ffi.kt", zipfile.ZipFile(sources).namelist())
        self.check_pom(PACKAGES / "jar", "jar")

        lib, jna = Path(KOTLIN["KOTLIN_LIB"]), KOTLIN["JNA"]
        classes = [str(jar), jna, str(lib / "kotlinx-coroutines-core-jvm.jar"), str(lib / "kotlin-stdlib.jar")]
        preloader = ["-cp", str(lib / "kotlin-preloader.jar"), "org.jetbrains.kotlin.preloading.Preloader"]
        compiler = ["-cp", str(lib / "kotlin-compiler.jar"), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
        what = ["-no-reflect", "-no-stdlib", "-nowarn", "-cp", os.pathsep.join(classes)]
        smoke = str(self.dir / "smoke.jar")
        run("java", "-Xmx2g", *preloader, *compiler, *what, "-d", smoke, str(HERE / "Smoke.kt"))
        # No `jna.library.path`: the library comes out of the jar.
        native = f"-Djava.library.path={KOTLIN['JNA_NATIVE']}"
        classes = os.pathsep.join([smoke, *classes])
        said = run(
            "java", native, "-cp", classes, "SmokeKt", *self.device(), str(self.dir / "replica"), cwd=self.dir
        )
        self.assertIn("held", said)

    def check_pom(self, directory, kind):
        [file] = directory.glob("*.pom")
        self.assertNotIn("@", file.read_text())
        pom = xml.parse(file).getroot()
        space = {"pom": "http://maven.apache.org/POM/4.0.0"}
        self.assertEqual(pom.findtext("pom:packaging", namespaces=space), kind)
        wanted = {dependency.text for dependency in pom.iterfind(".//pom:dependency/pom:artifactId", space)}
        self.assertEqual(wanted, {"jna", "kotlin-stdlib", "kotlinx-coroutines-core-jvm"})


class Aar(Jar):
    test_the_jar_brings_its_library_and_works = None

    def test_the_archive_for_android_is_made_or_the_missing_tool_is_named(self):
        code, said = script("aar")
        packed = list(PACKAGES.glob("aar/*.aar"))
        if code == 0:
            self.check_archive(packed)
        else:
            self.assertRegex(said, r"aar: .* is missing: ")
            self.assertIn("nothing was packed", said)
            self.assertEqual(packed, [])
        layout = PACKAGES / "aar" / "layout"
        manifest = xml.parse(layout / "AndroidManifest.xml").getroot()
        android = "{http://schemas.android.com/apk/res/android}"
        self.assertEqual(manifest.get("package"), "app.roadbook")
        self.assertEqual(manifest.find("uses-sdk").get(android + "minSdkVersion"), "26")
        classes = zipfile.ZipFile(layout / "classes.jar").namelist()
        self.assertIn("app/roadbook/Roadbook.class", classes)
        self.assertIn("app/roadbook/FlowsKt.class", classes)
        self.assertFalse([name for name in classes if ".so" in name])
        self.assertIn("com.sun.jna", (layout / "proguard.txt").read_text())
        self.assertEqual((layout / "R.txt").read_text(), "")
        gradle = layout / "META-INF/com/android/build/gradle/aar-metadata.properties"
        self.assertIn("aarFormatVersion=1.0", gradle.read_text())
        self.check_pom(PACKAGES / "aar", "aar")

    def check_archive(self, packed):
        [archive] = packed
        names = zipfile.ZipFile(archive).namelist()
        for processor in ANDROID:
            self.assertIn(f"jni/{processor}/libroadbook_ffi.so", names)
        for wanted in ("AndroidManifest.xml", "classes.jar", "R.txt", "proguard.txt"):
            self.assertIn(wanted, names)

    def stand_ins(self, machine):
        """Programs in the place of Android's, which link nothing: what they leave says it is for what
        `machine` gives for a processor."""
        tools = self.dir / "stand-ins"
        library = next(path for path in Path(os.environ["ROADBOOK_TARGET"]).glob("debug/libroadbook_ffi.*"))
        whole = library.read_bytes()[:64]
        (tools / "ndk").mkdir(parents=True)
        for processor, number in machine.items():
            stub = whole[:18] + number.to_bytes(2, "little") + whole[20:40] + bytes(8) + whole[48:]
            # Neither sections nor segments are there.
            (tools / processor).write_bytes(stub[:32] + bytes(8) + stub[40:54] + bytes(10))
        programs = {
            "cargo-ndk": f"""
                while [ "$1" != --target ]; do shift; done; processor=$2
                while [ "$1" != --output-dir ]; do shift; done
                mkdir -p "$2/$processor"; cp "{tools}/$processor" "$2/$processor/libroadbook_ffi.so"
                case " $* " in *" --features roadbook-ffi/sqlcipher"*) ;; *) exit 9 ;; esac""",
            "rustup": "printf '%s\\n' aarch64-linux-android armv7-linux-androideabi x86_64-linux-android",
            "ndk/llvm-strip": 'cp "$4" "$3"',
        }
        for name, text in programs.items():
            (tools / name).write_text(f"#!/bin/sh\nset -e\n{text}\n")
            (tools / name).chmod(0o755)
        return {
            "PATH": f"{tools}{os.pathsep}{self.tools_without('rustup', 'cargo-ndk')}",
            "ANDROID_NDK_HOME": str(tools / "ndk"),
        }

    @unittest.skipUnless(sys.platform == "linux", "the stand-ins are ELF files")
    def test_what_was_linked_for_another_processor_is_refused(self):
        code, said = script("aar", **self.stand_ins({processor: 62 for processor in ANDROID}))
        self.assertEqual(code, 1, said)
        self.assertIn("what was linked is for Advanced Micro Devices X86-64", said)
        self.assertEqual(list(PACKAGES.glob("aar/*.aar")), [])

    @unittest.skipUnless(sys.platform == "linux", "the stand-ins are ELF files")
    def test_with_every_tool_the_archive_has_a_library_for_each_processor(self):
        self.addCleanup(shutil.rmtree, PACKAGES / "aar")  # nothing of it was linked
        code, said = script("aar", **self.stand_ins(ANDROID))
        self.assertEqual(code, 0, said)
        self.check_archive(list(PACKAGES.glob("aar/*.aar")))


class XCFramework(Case):
    def test_the_swift_package_is_made_or_the_missing_tool_is_named(self):
        code, said = script("xcframework")
        package = PACKAGES / "xcframework" / "Roadbook"
        framework = package / "RoadbookFFI.xcframework"
        packed = list(PACKAGES.glob("xcframework/*.zip"))
        if code == 0:
            self.assertEqual(len(packed), 1)
        else:
            self.assertRegex(said, r"xcframework: .* is missing: ")
            self.assertIn("nothing was packed", said)
            self.assertEqual(packed, [])
        plist = plistlib.loads((framework / "Info.plist").read_bytes())
        self.assertEqual(plist["CFBundlePackageType"], "XFWK")
        listed = {
            entry["LibraryIdentifier"]: (
                entry["SupportedPlatform"],
                entry.get("SupportedPlatformVariant"),
                entry["SupportedArchitectures"],
            )
            for entry in plist["AvailableLibraries"]
        }
        self.assertEqual(listed, SLICES)
        for entry in plist["AvailableLibraries"]:
            slice = framework / entry["LibraryIdentifier"]
            self.assertEqual((slice / entry["LibraryPath"]).exists(), code == 0)
            headers = slice / entry["HeadersPath"]
            self.assertIn("module RoadbookFFI", (headers / "module.modulemap").read_text())
            self.assertNotIn("link", (headers / "module.modulemap").read_text())
            self.assertIn("roadbook_ffi", (headers / "RoadbookFFI.h").read_text())
        self.assertIn("RoadbookFFI.xcframework", (package / "Package.swift").read_text())
        for source in ("RoadbookKit.swift", "Streams.swift", "CalendarDate.swift"):
            self.assertTrue((package / "Sources" / "RoadbookKit" / source).exists())

    def test_the_header_names_what_the_library_exports(self):
        script("xcframework")
        header = (PACKAGES / "xcframework/Roadbook/RoadbookFFI/RoadbookFFI.h").read_text()
        named = set(re.findall(r"\b((?:uniffi|ffi)_roadbook_ffi_\w+)\(", header))
        self.assertGreater(len(named), 100)
        [library] = Path(os.environ["ROADBOOK_TARGET"]).glob("ship/debug/libroadbook_ffi.so")
        offered = set(re.findall(r"\b\w+$", exported(library), re.MULTILINE))
        self.assertEqual(named - offered, set())


class Sizes(Case):
    def test_a_library_over_its_budget_is_refused_and_what_takes_the_space_is_named(self):
        target = Path(os.environ["ROADBOOK_TARGET"])
        [library] = target.glob("debug/libroadbook_ffi.so")
        stripped = self.dir / "stripped"
        run("strip", "--strip-unneeded", "-o", str(stripped), str(library))
        sizes = [sys.executable, str(PACKAGING / "sizes.py"), str(library), str(stripped), str(target / "debug/build")]
        over = subprocess.run([*sizes, "1"], capture_output=True, text=True, check=False)
        self.assertEqual(over.returncode, 1, over.stderr)
        self.assertIn("OVER THE BUDGET", over.stdout)
        within = run(*sizes, "1000")
        for part in ("within the budget", ".text", "automerge", "libsqlite3-sys (C)", "roadbook_client_core"):
            self.assertIn(part, within)


class Missing(Case):
    """Each script runs until the first missing tool, names it, and calls nothing a package."""

    def check(self, name, tool):
        code, said = script(name, PATH=self.tools_without(tool))
        self.assertEqual(code, 1, said)
        self.assertIn(f"mobile-ffi/packaging/{name}: {tool} is missing", said)
        if tool == "cargo":
            return  # it does not know where an earlier run left its own
        for kind in ("whl", "aar", "zip"):
            self.assertEqual(list(PACKAGES.glob(f"{name}/*.{kind}")), [])
        jars = [path for path in PACKAGES.glob(f"{name}/*.jar") if "sources" not in path.name]
        self.assertEqual(jars, [])

    def test_without_cargo(self):
        for name in ("wheel", "jar", "aar", "xcframework"):
            self.check(name, "cargo")
            shutil.rmtree(self.dir / "without-cargo")

    def test_without_a_c_compiler(self):
        self.check("wheel", "cc")

    def test_without_perl(self):
        self.check("wheel", "perl")

    def test_without_strip(self):
        self.check("wheel", "strip")

    def test_without_npm_there_are_the_sources(self):
        self.check("jar", "npm")
        self.assertEqual(len(list(PACKAGES.glob("jar/*-sources.jar"))), 1)

    def test_without_a_mac(self):
        self.check("xcframework", "xcrun")


if __name__ == "__main__":
    unittest.main()
