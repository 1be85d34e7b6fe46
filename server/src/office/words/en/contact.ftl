# A contact.
contact-identity = Identity
contact-reach = Reach
contact-standing = Standing
contact-plan = Plan
contact-business = Business
contact-personal = Personal
contact-rights = Rights
contact-do-not = do not contact
contact-archived = archived
n-conflicts = { $n ->
        [one] { $n } conflict
       *[other] { $n } conflicts
    }
contact-owner = owner { $name }
contact-no-owner = no owner
contact-no-owner-choice = No owner
contact-merged = latest change merged { $time }
contact-hide-who = Hide who wrote what
contact-who = Who wrote what
contact-both-sides = Both sides wrote while they could not see each other. Nothing is lost until you choose, nor afterwards: the history keeps it.
contact-empty-fields = { $n ->
        [one] { $n } empty field
       *[other] { $n } empty fields
    }
tags = Tags
contact-remove-tag = Remove tag { $tag }
contact-new-tag = New tag
contact-add-tag = Add a tag
contact-expected = expected { $date }
contact-due = due { $date }
contact-consent-for = { $state } for { $purpose }
contact-systems = In other systems
contact-log = Log an interaction
contact-log-hint = What was said, what comes next
contact-log-it = Log it
contact-log-now = Without a time it is now.
contact-note-hint = What everybody who meets this contact should know
contact-save-note = Save the note
contact-add-phone = phone
contact-add-email = email
contact-add-address = address
contact-add-messenger = messenger
contact-add-deal = deal
contact-add-purchase = purchase
contact-add-task = task
contact-add-consent = consent

# Editing a contact.
edit-not-all = Not all of it could be written: { $reasons }.
edit-changed = Somebody changed this to { $now } while you were writing. Save again to write yours over it.
edit-nothing = nothing
edit-quoted = “{ $text }”
edit-no-list = The form names no list of a contact. Reload the page.
edit-fill-in = Fill in at least one field.
edit-removed = Somebody removed this meanwhile. Add it anew if it should be there.
edit-deal-moved = Somebody moved this deal to “{ $stage }” while you were looking. Move it again if you still want to.
edit-currency = An amount needs its currency, such as EUR.
edit-time = The time can't be read; give it as 2026-05-31T14:30.
edit-tag-first = Write the tag first.
edit-line = Say in a line what it was about.
edit-note-long = The note would have { $n } bytes, { $max } are allowed; shorten it.
edit-note-old = The page is too old to tell what you changed. Copy your text, reload the page, and write it in again.
edit-decided = Somebody has decided this already. Reload the page to see how.
edit-side-gone = This side is not there any more. Reload the page.
edit-name-or-reach = Give a name, a company or a way to reach the contact.

# The list.
contacts-silent-never = never contacted
contacts-search = Search
contacts-search-hint = Names, companies, phones, notes
contacts-order = Order
contacts-find = Find
contacts-all-names = All names
contacts-try = Try { $a }, { $b }, { $c } or { $d }.
contacts-more-than = more than { $n } contacts
contacts-city = City
contacts-latest = Latest contact
contacts-latest-change = Latest change
contacts-longest = Longest without contact
contacts-next-visit = Next visit
contacts-next-task = Next task
contacts-next = Next
contacts-none-fit-text = No contact has all of this. Look for fewer words, or { $link }.
contacts-see-all = see all
contacts-none = No contacts yet
contacts-none-text = Import a file with { $command }, or enter the first one with “New contact”.
contacts-of = { $part } of { $all }
contacts-cut = ; the best of the first { $n } are shown, type more to narrow them
contacts-new = New contact
contacts-create = Create
contacts-no-owner-yet = It has no owner until it is assigned.
contacts-phone = Phone
contacts-email = Email
contacts-name = Name
contacts-company = Company
status = Status
