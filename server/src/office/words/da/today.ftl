# Today.
today-behind = { $n ->
        [one] { $n } enhed
       *[other] { $n } enheder
    } bagud
search-contacts = Søg kontakter
search-hint = Søg navne, virksomheder, telefoner, noter
today-feed = Fra marken
today-quiet = Stille indtil nu
today-quiet-text = Så snart en sælgers enhed har net, vises dens ændringer her, flettet og med sælgerens navn.
today-fresh = Hvem er hvor frisk
today-all-devices = Alle enheder
today-no-device = Ingen enhed endnu
today-invite = Invitér en sælger med { $command }.
today-all-to-decide = Alle { $n } at afgøre
today-changed = { $n } ændret på 24 t.
today-contacted = Kontaktet
today-last-24 = i de seneste 24 t.
today-to-decide = At afgøre
today-conflicts = konflikter og ændringer lagt til side
today-waiting = Ændringer, der venter i marken
today-none-known = ingen kendt
today-known-on = kendt på { $n ->
        [one] { $n } enhed
       *[other] { $n } enheder
    }

# The feed.
feed-sent = { $person } sendte { $edits ->
        [one] { $edits } ændring
       *[other] { $edits } ændringer
    } til { $contacts ->
        [one] { $contacts } kontakt
       *[other] { $contacts } kontakter
    }
feed-merged = { $n } flettet
feed-aside = { $n } lagt til side
feed-newest = Af de nyeste { $n }: { $what }
feed-n-visits = { $n ->
        [one] { $n } besøg
       *[other] { $n } besøg
    }
feed-n-new = { $n ->
        [one] { $n } ny kontakt
       *[other] { $n } nye kontakter
    }
feed-n-moved = { $n ->
        [one] { $n } salg flyttet
       *[other] { $n } salg flyttet
    }
feed-n-others = { $n ->
        [one] { $n } opkald eller besked
       *[other] { $n } opkald og beskeder
    }
feed-a-contact = en kontakt
feed-removed = fjernet
verb-create = Ny kontakt { $name }
verb-visit = Besøg hos { $name }
verb-call = Opkald med { $name }
verb-email = E-mail til { $name }
verb-message = Besked til { $name }
verb-meeting = Møde med { $name }
verb-complaint = Klage fra { $name }
verb-return = Returnering fra { $name }
verb-survey = Undersøgelse hos { $name }
verb-note = Note om { $name }
verb-resolve = Konflikt afgjort for { $name }
verb-import = Importeret: { $name }
verb-edited = Ændret: { $name }
verb-moved = Salg flyttet hos { $name }
verb-other = { $what }: { $name }

# The history of a contact.
history-timeline = Tidslinje
history-n = { $n ->
        [one] { $n } interaktion
       *[other] { $n } interaktioner
    }
history-none = Ingen har været her endnu
history-none-text = Et besøg eller opkald, som en sælger registrerer, vises her, så snart det er flettet.
history-newest = De nyeste { $n } vises.
history-changes = Hvad ændrede sig
history-no-change = Ingen ændring endnu.
history-claims = Tider er enhedernes egne angivelser.
doing-edited = ændrede
doing-create = oprettede kontakten
doing-resolve = afgjorde en konflikt
doing-note = skrev i noten
doing-tags = ændrede tags
doing-remove = fjernede
doing-restore = gendannede
doing-import = importerede
doing-logged = registrerede: { $what }
