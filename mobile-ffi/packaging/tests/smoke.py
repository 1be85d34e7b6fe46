"""What the installed wheel has to do: open, enrol, create, list, sync. `test_packages.py` runs it in an
environment that has nothing else.

    smoke.py URL CODE HOME
"""

import asyncio
import sys
from datetime import timedelta

import roadbook
from roadbook import Edit, Field, ListQuery, OpenSettings, Receipt, Roadbook, Value


async def main(url, code, home):
    assert roadbook.__file__.startswith(sys.prefix), roadbook.__file__
    book = await Roadbook.open(OpenSettings(home=home, app="smoke/1.0"))
    await book.enrol(url, code, "wheel")
    assert book.status().encrypted
    saved = book.create([Edit.SET(Field.COMPANY, Value.TEXT("Nordsø Fisk"))])
    assert [row.display_name for row in book.list(ListQuery()).rows] == ["Nordsø Fisk"]
    async with roadbook.watch_list(book, ListQuery()) as pages:
        assert (await anext(pages)).total == 1
    await book.sync_once(timedelta(minutes=1))
    assert book.receipt(saved.edit_id) == Receipt.MERGED
    book.close()
    print("held")


asyncio.run(main(*sys.argv[1:]))
