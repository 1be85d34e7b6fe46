# Alerts.
alerts-only-new = Only new ones
alerts-all = Seen ones too
alerts-none = Nothing unusual
alerts-none-text = Somebody who reads or exports unusually many contacts, or touches one that was planted, is told here.
alerts-operator = The operator at the shell
alert-number = Alert { $n }
alert-seen-chip = seen
alert-planted = planted contact
alert-volume = unusual volume
alert-called = It is called { $name }.
alert-times = { $n ->
        [one] { $n } time
       *[other] { $n } times
    } since { $time }.
alert-held = Held back until { $time }.
alert-device = Device: { $name }.
alert-revoke-confirm = Revoke the device { $device } of { $person }? It gets no further data and wipes itself at its next contact; its unsent edits are handed over.
alert-revoke = Revoke device
alert-sign-out-confirm = Sign { $person } out of the office on every browser?
alert-sign-out = Sign out everywhere
alert-lift-confirm = Let { $person } go on? The count begins anew.
alert-lift = Let go on
alert-seen = Seen

# The audit log.
audit-no-day = “{ $text }” is no day; give it as 2026-05-31.
audit-verify = Verify
audit-export-csv = Export CSV
audit-export-json = Export JSON
audit-what = What
audit-anybody = Anybody
audit-operator = Operator or server
audit-id = Id
audit-id-of = of a contact, device or person
audit-from = From
audit-to = To
show = Show
nothing-fits = Nothing fits
audit-nothing-text = No entry has all of this. { $link }.
see-all = See all
audit-caption = Audit log, newest first
when = When
audit-subject = To what
audit-details = Details
n-entries = { $n ->
        [one] { $n } entry
       *[other] { $n } entries
    }
newer = Newer
older = Older
audit-by-operator = operator
audit-number = no. { $n }
audit-whole = Nothing was altered and nothing taken out: { $entries }. The newest is no. { $n }, { $hash }
audit-not-whole = The log is not whole.
audit-finding = No. { $n }: { $what }.
audit-gap = No. { $n }: at a start on { $time } entries up to no. { $reached } were not there any more: an older backup was restored, or they were taken out. { $command } accepts it.

# Erasures.
erasures-none = Nobody was erased yet
erasures-none-text = { $command } erases a contact; here is then who has confirmed it.
erasures-older = { $n ->
        [one] { $n } older one
       *[other] { $n } older ones
    }: { $command }
erasure-of = Erasure of { $id }
erasure-all = confirmed by all
erasure-open = { $n ->
        [one] { $n } device to confirm
       *[other] { $n } devices to confirm
    }
erasure-files = files not emptied yet
erasure-replayed = done again by the ledger
erasure-by = { $id }, by { $who }
erasure-operator = the operator
erasure-no-device = No device held it.
state = State
erasure-mentions = Named in other contacts
erasure-mentions-text = Open each of them and take the person out, or leave it as it is. What was edited stays in the contact's history.
erasure-confirmed = confirmed
erasure-revoked = revoked
erasure-wiped-next = wiped at its next contact
erasure-not-yet = not yet
span-ago = { $span } ago
erasure-taken-out = Taken out
erasure-leave = Leave as it is
erasure-say = Say whether it was taken out or left as it is.

# Retention.
rules = Rules
retention-none = No rule yet
retention-none-text = Such as: lost leads, 24 months after the last contact. Nothing is erased by itself: a rule lists whom it reaches, and you confirm the list.
retention-caption = Retention rules
retention-rule = Rule
retention-months = Months
filter = Filter
preview = Preview
retention-remove-confirm = Remove the rule { $name }? Nobody is erased by that.
name = Name
retention-which = Which contacts
retention-months-without = Months without contact
retention-set = Set rule
retention-due = { $n ->
        [one] { $n } contact is due
       *[other] { $n } contacts are due
    }
retention-nobody = Nobody is due
retention-nobody-text = The rule reaches nobody today.
retention-reached = Contacts that the rule reaches
retention-last = Last contact or edit
and-more = and { $n } more
retention-erase-confirm = Erase { $n ->
        [one] this { $n } contact
       *[other] these { $n } contacts
    } for good, here and on every device?
retention-erase = Erase these { $n }
retention-whole-months = Give the months as a whole number.

# After a restore.
review-title = After the restore
review-none = Nothing is held back
review-none-text = Devices and pages get what their people may see.
review-held = Customer data is held back
review-why = This database was there before, and its ledger is missing. What happened after { $time } may be missing here: erasures, revoked devices, contacts that were given to somebody else.
review-unknown-time = an unknown time
review-since = Since { $time } devices deliver their edits and get nothing; only administrators see these pages. If there is a copy of the ledger, stop the server and put it back: then nothing has to be decided.
review-devices = 1. Which devices were lost or revoked since?
review-gets-data = gets data again
review-revoke-confirm = Revoke the device { $device }?
review-people = 2. Who comes in, and whose contacts are whose?
contacts = Contacts
review-nobodys = Nobody's
review-erased = 3. What was erased since?
review-again = Erase it again: { $erase }. People: { $disable }, contacts: { $assign }.
review-confirm = Are devices, people and assignments right? Customer data goes out again at once.
review-confirm-button = Confirm: send customer data again
