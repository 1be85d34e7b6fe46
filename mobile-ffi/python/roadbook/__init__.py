"""Roadbook: the customer book that goes on the road, for Python.

The classes come from the generated module `roadbook_ffi`, with their documentation. Beside them are
`watch_list`, `watch_contact`, `watch_sync`, `watch_receipts`, `watch_alerts` and `watch_attachments`:
observers as asynchronous iterators.
"""

from .roadbook_ffi import *  # noqa: F401,F403
from .streams import (  # noqa: F401
    Stream,
    watch_alerts,
    watch_attachments,
    watch_contact,
    watch_list,
    watch_receipts,
    watch_sync,
)
