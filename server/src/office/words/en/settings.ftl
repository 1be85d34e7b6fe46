settings-group-you = You
settings-group-people = People
settings-group-law = Law and order
settings-account = Language, password, second factor, other browsers.
settings-people = Who works here, on which devices, and how fresh those are.
settings-retention = After how long without contact people are erased.
settings-erasures = Who was erased, and which devices have confirmed it.
settings-audit = Who did what, and that nothing of it was altered.
people-title = People and devices
retention-title = Retention
erasures-title = Erasures
audit-title = Audit
settings-group-work = How you work
settings-group-programs = Other programs
settings-team = Add people, change roles and teams, connect devices.
settings-look = Name, colour and logo of your company.
settings-sorting = By which language’s alphabet lists stand in order
settings-stages = How probable a deal in each stage is.
settings-custom = Fields of your own beside those that every contact has.
settings-tags = Rename tags, make one of two, take one away.
settings-keys = What other programs may read and write.
settings-hooks = Who is told when something happens.
what-webhook = webhook

# People and teams.
team-title = People and teams
team-device-code = This code connects one device of { $person }. It is shown only now and ends soon.
team-sign-in-code = With this code { $person } sets a password, at /welcome. It is shown only now and ends soon.
team-connect = Connect a device
team-let-in = Let in again
team-keep-out = Keep out
team-factor-off = Turn their second factor off
team-factor-confirm = Turn the second factor of { $person } off? Their password alone opens the door then.
team-none = None
team-add = Add somebody
team-add-hint = A code for the first time follows.
team-teams = Teams
team-teams-none = There is no team yet: everybody in the office sees everything.
team-part-of = part of { $name }
n-people = { $n ->
        [one] { $n } person
       *[other] { $n } people
    }
team-set = New team, or one to move
team-within = Within

# The look.
look-title = Look
look-name = What your company is called here
look-name-hint = Above the navigation and in the title of the window.
look-colour = Colour
look-colour-hint = It is darkened or lightened where it would be hard to read.
look-logo = Logo
look-logo-hint = PNG, JPEG or WebP, { $n } kB at most.
look-logo-large = This picture is too large: { $n } kB at most.
look-logo-kind = This is no PNG, JPEG or WebP picture of at most 2048 pixels a side.
look-logo-remove = Take the logo away
look-usual = As it was made
look-no-name = A name has { $n } characters at most, in one line.
look-no-colour = Give the colour as #rrggbb.

# By which language lists are sorted.
sorting-title = Sorting
sorting-text = The lists of the office are sorted by one alphabet, for everybody who looks at them. Devices sort by the general order.
sorting-language = Language
sorting-general = General order
sorting-hint = The general order fits English, French, Italian, Dutch and most other languages, in every script. Danish puts Æ, Ø and Å behind Z; Russian puts Cyrillic names before Latin ones.
sorting-left = { $n ->
        [one] One contact is
       *[other] { $n } contacts are
    } still to be sorted anew. Until then lists are in both orders.
sorting-unknown = Choose one of the languages.

# Stages.
stages-title = Stages of a deal
stages-text = Where the rep gave a deal no probability of its own, its stage says it. The expected revenue of the funnel counts with it.
stages-usual = The usual ones
stages-no-number = Give “{ $stage }” a whole number from 0 to 100.

# Keys of programs.
keys-title = API keys
keys-made = This is the key “{ $name }”. Keep it where only the program reads it: it is not shown again.
keys-none = No key yet
keys-none-text = A program that reads or writes over the HTTP API needs one: an ERP, a shop, a script.
keys-rights-of = With the rights of
keys-scopes = What for
keys-last-used = Last used
keys-rate = { $n } a minute
keys-rate-label = Requests a minute
keys-revoked = revoked
keys-revoke-confirm = Revoke the key { $name }? From now on it opens nothing.
keys-new = New key
keys-make = Make the key
keys-hint = A key never does more than its person may.
keys-no-scope = Say what the key is for: tick one at least.
keys-no-rate = Give the requests a minute as a whole number from 1 to 60000.

# Webhooks.
hooks-title = Webhooks
hooks-made = Events go to { $url } from now on. This is the secret of their signatures; it is not shown again.
hooks-none = No webhook yet
hooks-none-text = A webhook tells another program what happens, the moment it does.
hooks-address = Address
hooks-events = Events
hooks-event = Event
hooks-given-up = Given up
hooks-n-given-up = { $n ->
        [one] { $n } event given up
       *[other] { $n } events given up
    }
hooks-failing = { $n ->
        [one] { $n } attempt failed
       *[other] { $n } attempts failed
    }
hooks-again-in = again in { $span }
hooks-fine = delivers
hooks-last = last { $time }
hooks-nothing-yet = nothing sent yet
hooks-since = since { $time }
hooks-remove-confirm = Send nothing more to { $url }? What was given up is dropped with it.
hooks-new = New webhook
hooks-reach-of = Sees what is seen by
hooks-hint = Signed, retried with growing pauses, kept on a list when all failed.
hooks-no-event = Tick one event at least.
hooks-dead-none = Nothing was given up
hooks-dead-none-text = What could not be delivered after all attempts stands here. { $link }
hooks-retry-all = Send all again
hooks-retry = Send again

# Tags.
tags-title = Tags
tags-text = Another name for a tag, or the name of one that is there: then two become one. It is shown before it is done, stands in each contact's history, and can be taken back.
tags-more = Only the first { $n } tags are shown.
tags-none = There are no tags yet.
tags-none-text = They come with contacts that are imported, with edits in the office and from devices.
tags-alike = written in several ways
tags-new-name = New name for { $tag }
tags-rename = Rename …
tags-remove = Take away …
tags-in-parts = { $n } contacts at a time; do it again for the rest.
tags-same = It is called so already; give it another name.
tags-gone = No contact has this tag any more.

# Custom fields.
custom-title = Custom fields
custom-text = They stand on every contact's page and come to all devices, in this order. Filters find them as custom."NAME". What contacts have already stays as it is, whatever is changed here.
custom-none = No custom fields are defined yet.
custom-none-text = Values that came with an import are kept all the same; define a field of the same name to give them a kind.
custom-name = Name
custom-kind = What it takes
custom-add = Add a custom field
custom-name-hint = The name stays: contacts have their values under it.
custom-choices = Values of a choice, one a line
custom-kind-text = Text
custom-kind-number = Number
custom-kind-date = Date
custom-kind-choice = Choice
custom-kind-yes-no = Yes or no
custom-earlier = Earlier
custom-earlier-one = { $name } one place earlier
custom-remove-confirm = Remove the field { $name }? The values that contacts have stay.
