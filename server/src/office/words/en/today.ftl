# Today.
today-behind = { $n ->
        [one] { $n } device
       *[other] { $n } devices
    } behind
search-contacts = Search contacts
search-hint = Search names, companies, phones, notes
today-feed = From the field
today-quiet = Quiet so far
today-quiet-text = As soon as a rep's device has a network, its edits appear here, merged and with the rep's name.
today-fresh = How fresh each device is
today-all-devices = All devices
today-no-device = No device yet
today-invite = Invite a rep with { $command }.
today-all-to-decide = All { $n } to decide
today-changed = { $n } changed in 24 h
today-contacted = Contacted
today-last-24 = in the last 24 h
today-to-decide = To decide
today-conflicts = conflicts and changes set aside
today-waiting = Edits waiting in the field
today-none-known = none known
today-known-on = known on { $n ->
        [one] { $n } device
       *[other] { $n } devices
    }

# The feed.
feed-sent = { $person } sent { $edits ->
        [one] { $edits } edit
       *[other] { $edits } edits
    } on { $contacts ->
        [one] { $contacts } contact
       *[other] { $contacts } contacts
    }
feed-merged = { $n } merged
feed-aside = { $n } set aside
feed-newest = Of the newest { $n }: { $what }
feed-n-visits = { $n ->
        [one] { $n } visit
       *[other] { $n } visits
    }
feed-n-new = { $n ->
        [one] { $n } new contact
       *[other] { $n } new contacts
    }
feed-n-moved = { $n ->
        [one] { $n } deal moved
       *[other] { $n } deals moved
    }
feed-n-others = { $n ->
        [one] { $n } call or message
       *[other] { $n } calls and messages
    }
feed-a-contact = a contact
feed-removed = removed
verb-create = New contact { $name }
verb-visit = Visit at { $name }
verb-call = Call with { $name }
verb-email = Email to { $name }
verb-message = Message to { $name }
verb-meeting = Meeting with { $name }
verb-complaint = Complaint of { $name }
verb-return = Return of { $name }
verb-survey = Survey of { $name }
verb-note = Note on { $name }
verb-resolve = Conflict decided for { $name }
verb-import = Imported { $name }
verb-edited = Edited { $name }
verb-moved = Deal moved at { $name }
verb-other = { $what } of { $name }

# The history of a contact.
history-timeline = Timeline
history-n = { $n ->
        [one] { $n } interaction
       *[other] { $n } interactions
    }
history-none = Nobody has been here yet
history-none-text = A visit or a call that a rep logs appears here the moment it is merged.
history-newest = The newest { $n } are shown.
history-changes = What changed
history-no-change = No change yet.
history-claims = Times are the devices' own claims.
doing-edited = edited
doing-create = created the contact
doing-resolve = decided a conflict
doing-note = wrote in the note
doing-tags = changed the tags
doing-remove = removed
doing-restore = restored
doing-import = imported
doing-logged = logged: { $what }
