"""What a call through the border costs, from Python: `mobile-ffi/overhead` runs it beside the same calls in
Rust, on one replica."""

import asyncio
import statistics
import sys
import time

from roadbook import Edit, Field, ListQuery, OpenSettings, Roadbook, Value


def measure(name, count, call):
    for n in range(min(count, 20)):
        call(n)
    took = []
    for n in range(count):
        began = time.perf_counter()
        call(n)
        took.append((time.perf_counter() - began) * 1e6)
    took.sort()
    print(f"python  {name:<28} {statistics.median(took):>9.0f} us {took[len(took) * 95 // 100]:>9.0f} us")


async def main(home):
    book = await Roadbook.open(OpenSettings(home=home))
    ids = book.ids()
    print(f"python  {'call':<28} {'median':>12} {'95th':>12}")
    measure("empty (lease)", 2_000, lambda _: book.lease())
    measure("contact", 1_000, lambda n: book.contact(ids[n % 100]))
    measure("list window, 50 of 10,000", 200, lambda n: book.list(ListQuery(offset=n * 40, limit=50)))
    measure("edit", 200, lambda n: book.edit(ids[n % 100], [Edit.SET(Field.TITLE, Value.TEXT(f"T{n}-{time.time()}"))]))
    book.close()


asyncio.run(main(sys.argv[1]))
