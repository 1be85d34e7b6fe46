# People and devices.
never-seen = never seen
device-first-sync = first sync, { $n } to go
device-behind = { $span } behind
device-now = now
device-nothing-unsent = nothing unsent
device-known-unsent = { $edits } known unsent
device-has-all = { $unsent }, has all that is here
device-newer = { $unsent }, { $n ->
        [one] { $n } contact
       *[other] { $n } contacts
    } newer here
device-wiped = wiped { $time }
device-recovered = { $edits } recovered
device-wipes-itself = wipes itself at its next contact
device-no-end = without an end
device-locked = locked
device-since = since { $time }
device-until = until { $time }
device-readable = readable { $lease }
device-outdated = outdated
device-needs = needs { $app }
never = never
device-revoke-confirm = Revoke the device { $device } of { $person }? It gets no further data and can't be connected again under this key.
device-revoke = Revoke
device-of = { $device } of { $person }
device-none-behind = no device is behind
device-n-behind = { $n ->
        [one] { $n } device behind
       *[other] { $n } devices behind
    }
device-last-seen = last seen { $span } ago
device-and-more = and { $n } more; { $link }
device-all = all devices
devices = Devices
devices-none = No device is enrolled yet
devices-none-text = { $invite } prints a code; on the rep's device { $enroll } uses it.
devices-caption = Devices and how fresh they are
device = Device
freshness = Freshness
last-seen = Last seen
difference = Difference
readable = Readable
app = App
actions = Actions
people = People
person = Person
role = Role
team = Team
person-disabled = disabled
person-code-confirm = Make a one-time code with which { $person } sets a new password?
person-code = Sign-in code
person-for-hidden = for { $person }
people-add-hint = People are added with { $add }, devices with { $invite }.
person-code-for = For { $person }, once, for { $span }. Tell it by telephone or in person; it is shown only now.
person-code-used = It is used at { $link }. A second factor stays as it is.
people-back = Back to people
wipe-enrolled = enrolled
wipe-wiped = wiped
wipe-wiping = wiping
wipe-revoked = revoked
