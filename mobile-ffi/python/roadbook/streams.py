"""Observers as asynchronous iterators.

    async with roadbook.watch_list(book, roadbook.ListQuery()) as pages:
        async for page in pages:
            show(page)

The present state comes at once, then every change. A slow reader is not waited for: it gets the
newest state, and of receipts and attachments all that changed meanwhile. Leaving the `async with` ends the observer.
"""

import asyncio

from . import roadbook_ffi as _ffi


class Stream:
    """An observer whose news are awaited. Use it with `async with`, within one event loop."""

    def __init__(self, start, merge):
        self._start = start
        self._merge = merge
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._waiting = []
        self._handle = None

    async def __aenter__(self):
        self._handle = self._start(self)
        return self

    async def __aexit__(self, *_):
        self.close()

    def close(self):
        """Ends the observer; the iterator stops."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.cancel()
        self._news.set()

    def __aiter__(self):
        return self

    async def __anext__(self):
        while not self._waiting:
            if self._handle is None:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        item = self._waiting.pop(0)
        if isinstance(item, Exception):
            raise item
        return item

    def _tell(self, item):
        """Called by the library on a thread of its own."""
        try:
            self._loop.call_soon_threadsafe(self._take, item)
        except RuntimeError:
            # The event loop has ended, and nobody reads any more.
            pass

    def _take(self, item):
        failed = isinstance(item, Exception)
        before = [one for one in self._waiting if isinstance(one, Exception) == failed]
        if before and not failed:
            item = self._merge(before[-1], item)
        # At most one value and one error wait.
        self._waiting = [one for one in self._waiting if isinstance(one, Exception) != failed]
        self._waiting.append(item)
        self._news.set()


def _newest(_, newer):
    return newer


def _both(older, newer):
    return older + newer


def _net(older, newer):
    """What came of two changes together: what came and went between them is not told."""
    return _ffi.AttachmentChanges(
        added=[one for one in older.added if one not in newer.removed]
        + [one for one in newer.added if one not in older.removed],
        removed=[one for one in older.removed if one not in newer.added]
        + [one for one in newer.removed if one not in older.added],
    )


def watch_list(book, query):
    """One window of a list: yields a `ContactPage`."""

    class Observer(_ffi.ListObserver):
        def __init__(self, stream):
            self.stream = stream

        def on_page(self, page):
            self.stream._tell(page)

        def on_error(self, error):
            self.stream._tell(error)

    return Stream(lambda stream: book.observe_list(query, Observer(stream)), _newest)


def watch_contact(book, contact_id):
    """One contact: yields a `Contact`, or `None` where it is not on this device (any more)."""

    class Observer(_ffi.ContactObserver):
        def __init__(self, stream):
            self.stream = stream

        def on_contact(self, contact):
            self.stream._tell(contact)

        def on_error(self, error):
            self.stream._tell(error)

    return Stream(lambda stream: book.observe_contact(contact_id, Observer(stream)), _newest)


def watch_sync(book):
    """The exchange with the server: yields a `SyncState`."""

    class Observer(_ffi.SyncObserver):
        def __init__(self, stream):
            self.stream = stream

        def on_sync(self, state):
            self.stream._tell(state)

    return Stream(lambda stream: book.observe_sync(Observer(stream)), _newest)


def watch_receipts(book):
    """Where the edits of this device are: yields a list of `OutboxEntry`, first all that are on their
    way, then those that changed."""

    class Observer(_ffi.ReceiptObserver):
        def __init__(self, stream):
            self.stream = stream

        def on_receipts(self, edits):
            self.stream._tell(edits)

    return Stream(lambda stream: book.observe_receipts(Observer(stream)), _both)


def watch_alerts(book):
    """What the user has to be told: yields a list of `Alert`."""

    class Observer(_ffi.AlertObserver):
        def __init__(self, stream):
            self.stream = stream

        def on_alerts(self, alerts):
            self.stream._tell(alerts)

    return Stream(lambda stream: book.observe_alerts(Observer(stream)), _newest)


def watch_attachments(book):
    """Which files are referred to: yields `AttachmentChanges`, first with all that there are as `added`,
    then what came and went."""

    class Observer(_ffi.AttachmentObserver):
        def __init__(self, stream):
            self.stream = stream

        def on_attachments(self, changes):
            self.stream._tell(changes)

        def on_error(self, error):
            self.stream._tell(error)

    return Stream(lambda stream: book.observe_attachments(Observer(stream)), _net)
