"""A little contact app: enrol, list, edit offline, show receipts, show a conflict, sync.

`run` starts a server for it. It ends with 0 only if everything held.
"""

import asyncio
import sys
from datetime import date, timedelta

import roadbook
from roadbook import (
    Edit,
    Field,
    InteractionKind,
    ListQuery,
    NewInteraction,
    NewTask,
    OpenSettings,
    Receipt,
    Roadbook,
    Standing,
    Value,
)

MINUTE = timedelta(minutes=1)


def show(title, lines):
    print(f"\n{title}")
    for line in lines:
        print(f"  {line}")


def expect(held, what):
    if not held:
        sys.exit(f"this did not hold: {what}")


async def device(home, url, code):
    """Opens the replica of one device, and enrols it."""
    book = await Roadbook.open(OpenSettings(home=home, app="example/1.0"))
    who = await book.enrol(url, code, "example device")
    print(f"{who.user.name} of {who.workspace_name} is enrolled")
    return book


async def main(url, phone_code, tablet_code, homes):
    phone = await device(f"{homes}/phone", url, phone_code)
    tablet = await device(f"{homes}/tablet", url, tablet_code)

    # Offline: nothing here needs a network.
    saved = phone.create(
        [
            Edit.SET(Field.GIVEN_NAME, Value.TEXT("Åse")),
            Edit.SET(Field.FAMILY_NAME, Value.TEXT("Østergård")),
            Edit.SET(Field.COMPANY, Value.TEXT("Nordsø Fisk")),
            Edit.SET(Field.STATUS, Value.STATUS(Standing.PROSPECT)),
            Edit.ADD_TASK(NewTask(text="Send the offer", due=date(2026, 12, 1))),
        ]
    )
    phone.edit(
        saved.contact_id,
        [Edit.ADD_INTERACTION(NewInteraction(kind=InteractionKind.VISIT, summary="Looked at the shelves"))],
    )
    page = phone.list(ListQuery(filter="status:prospect"))
    show("Prospects", [f"{row.display_name}, {row.company}, {row.open_tasks} open task" for row in page.rows])
    expect(page.total == 1, "the new contact is in the list")
    outbox = phone.outbox()
    show("Edits that are on their way", [f"{entry.command}: {entry.receipt.name}" for entry in outbox])
    expect({entry.receipt for entry in outbox} == {Receipt.SAVED}, "both edits are safe on this device")

    # Online.
    async with roadbook.watch_receipts(phone) as receipts:
        report = await phone.sync_once(MINUTE)
        print(f"\nsent {report.sent} changes, {report.unsent} are left")
        merged = set()
        while len(merged) < len(outbox):
            for entry in await anext(receipts):
                print(f"  {entry.command}: {entry.receipt.name}")
                if entry.receipt == Receipt.MERGED:
                    merged.add(entry.edit_id)
    await tablet.sync_once(MINUTE)
    expect(tablet.contact(saved.contact_id).company == "Nordsø Fisk", "the tablet has it too")

    # The same field on both devices, neither knowing of the other.
    phone.edit(saved.contact_id, [Edit.SET(Field.JOB_TITLE, Value.TEXT("Owner"))])
    tablet.edit(saved.contact_id, [Edit.SET(Field.JOB_TITLE, Value.TEXT("Head of purchasing"))])
    for book in (phone, tablet, phone):
        await book.sync_once(MINUTE)
    conflicts = phone.conflicts(saved.contact_id)
    for conflict in conflicts:
        show(
            f"A conflict in {conflict.field.field.name}",
            [f"{side.value.text}, by {side.author.name} at {side.at:%H:%M:%S}" for side in conflict.sides],
        )
    expect(len(conflicts) == 1, "there is one conflict")
    phone.resolve(saved.contact_id, conflicts[0].field, Value.TEXT("Owner"))
    await phone.sync_once(MINUTE)
    await tablet.sync_once(MINUTE)
    expect(tablet.contact(saved.contact_id).job_title == "Owner", "the decision holds on both devices")
    expect(not tablet.conflicts(), "no conflict is left")
    print("\nall of it held")
    phone.close()
    tablet.close()


asyncio.run(main(*sys.argv[1:]))
