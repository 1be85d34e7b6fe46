"""A real server of its own for each test, and devices that are enrolled with it."""

import asyncio
import logging
import os
import sqlite3
import subprocess
import tempfile
import unittest
from datetime import timedelta
from pathlib import Path

import roadbook
from roadbook import Edit, Field, ListQuery, OpenSettings, Roadbook, Value

# Tests of asyncio run in its debug mode, which remarks on every call that takes a tenth of a second.
logging.getLogger("asyncio").setLevel(logging.ERROR)

SERVER = os.environ["ROADBOOK_SERVER"]
# Generous: machines are shared.
WAIT = timedelta(seconds=60)
WAIT_SECONDS = WAIT.total_seconds()


class Server:
    """A running `roadbook-server serve` with one rep."""

    def __init__(self, data, plain=True):
        self.data = str(data)
        command = [SERVER, "serve", "--data", self.data, "--listen", "127.0.0.1:0"] + ["--plain"] * plain
        errors = subprocess.DEVNULL if plain else subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        self.url = self._awaited(self.process.stdout, "listening on ")
        # Of its certificate, where it has one.
        self.fingerprint = None
        if not plain:
            self.fingerprint = self._awaited(self.process.stderr, "fingerprint of the certificate's key: ")

    @staticmethod
    def _awaited(lines, mark):
        for line in lines:
            if line.startswith(mark):
                return line.removeprefix(mark).strip()
        raise RuntimeError("the server did not become ready")

    def office(self, *arguments):
        """Runs a command of the office; gives what it printed."""
        command = [SERVER, *arguments, "--data", self.data]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{command}: {done.stderr}")
        return done.stdout

    def admin(self, *arguments):
        """The same; gives the last line."""
        return (self.office(*arguments).splitlines() or [""])[-1]

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        if self.process.stderr:
            self.process.stderr.close()


class Case(unittest.IsolatedAsyncioTestCase):
    """A test with a directory, a server and devices of its own."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = Path(directory.name)

    def serve(self, plain=True):
        self.server = Server(self.dir / "server", plain)
        self.addCleanup(self.server.stop)
        self.server.admin("user", "add", "rep", "--role", "rep", "--name", "Rita Rep")
        return self.server

    async def open(self, name="phone", settings=None):
        book = await Roadbook.open(settings or OpenSettings(home=str(self.dir / name)))
        self.addCleanup(book.close)
        return book

    async def device(self, name="phone", settings=None):
        book = await self.open(name, settings)
        code = self.server.admin("invite", "rep")
        await book.enrol(self.server.url, code, name, self.server.fingerprint)
        return book

    def sql(self, file, statement):
        """Changes a database by hand."""
        connection = sqlite3.connect(file)
        try:
            with connection:
                connection.execute(statement)
        finally:
            connection.close()


async def until(stream, wanted):
    """The first of a stream's items for which `wanted` holds."""

    async def look():
        async for item in stream:
            if wanted(item):
                return item

    return await asyncio.wait_for(look(), WAIT_SECONDS)


def text(field, value):
    return Edit.SET(field, Value.TEXT(value))


def company(name):
    return [text(Field.COMPANY, name)]


def everything(**more):
    return ListQuery(**more)


__all__ = ["Case", "Server", "WAIT", "WAIT_SECONDS", "company", "everything", "roadbook", "text", "until"]
