# Today.
today-behind = { $n ->
        [one] { $n } Gerät
       *[other] { $n } Geräte
    } zurück
search-contacts = Kontakte suchen
search-hint = Namen, Firmen, Telefone, Notizen suchen
today-feed = Aus dem Außendienst
today-quiet = Bisher ruhig
today-quiet-text = Sobald ein Gerät aus dem Außendienst ein Netz hat, erscheinen seine Änderungen hier, zusammengeführt und mit Namen.
today-fresh = Wer wie aktuell ist
today-all-devices = Alle Geräte
today-no-device = Noch kein Gerät
today-invite = Laden Sie jemanden mit { $command } ein.
today-all-to-decide = Alle { $n } zu entscheiden
today-changed = { $n } in 24 Std. geändert
today-contacted = Kontaktiert
today-last-24 = in den letzten 24 Std.
today-to-decide = Zu entscheiden
today-conflicts = Konflikte und zurückgestellte Änderungen
today-waiting = Änderungen, die draußen warten
today-none-known = keine bekannt
today-known-on = bekannt auf { $n ->
        [one] { $n } Gerät
       *[other] { $n } Geräten
    }

# The feed.
feed-sent = { $person } hat { $edits ->
        [one] { $edits } Änderung
       *[other] { $edits } Änderungen
    } an { $contacts ->
        [one] { $contacts } Kontakt
       *[other] { $contacts } Kontakten
    } gesendet
feed-merged = { $n } zusammengeführt
feed-aside = { $n } zurückgestellt
feed-newest = Von den neuesten { $n }: { $what }
feed-n-visits = { $n ->
        [one] { $n } Besuch
       *[other] { $n } Besuche
    }
feed-n-new = { $n ->
        [one] { $n } neuer Kontakt
       *[other] { $n } neue Kontakte
    }
feed-n-moved = { $n ->
        [one] { $n } Deal in neuer Phase
       *[other] { $n } Deals in neuer Phase
    }
feed-n-others = { $n ->
        [one] { $n } Anruf oder Nachricht
       *[other] { $n } Anrufe und Nachrichten
    }
feed-a-contact = ein Kontakt
feed-removed = entfernt
verb-create = Neuer Kontakt { $name }
verb-visit = Besuch bei { $name }
verb-call = Anruf mit { $name }
verb-email = E-Mail an { $name }
verb-message = Nachricht an { $name }
verb-meeting = Treffen mit { $name }
verb-complaint = Reklamation von { $name }
verb-return = Rückgabe von { $name }
verb-survey = Umfrage bei { $name }
verb-note = Notiz zu { $name }
verb-resolve = Konflikt entschieden bei { $name }
verb-import = Importiert: { $name }
verb-edited = Geändert: { $name }
verb-moved = Deal in neuer Phase bei { $name }
verb-other = { $what }: { $name }

# The history of a contact.
history-timeline = Verlauf
history-n = { $n ->
        [one] { $n } Kontaktaufnahme
       *[other] { $n } Kontaktaufnahmen
    }
history-none = Hier war noch niemand
history-none-text = Ein Besuch oder Anruf, den der Außendienst einträgt, erscheint hier, sobald er zusammengeführt ist.
history-newest = Die neuesten { $n } werden gezeigt.
history-changes = Was sich änderte
history-no-change = Noch keine Änderung.
history-claims = Zeiten sind die eigenen Angaben der Geräte.
doing-edited = geändert
doing-create = hat den Kontakt angelegt
doing-resolve = hat einen Konflikt entschieden
doing-note = hat in die Notiz geschrieben
doing-tags = hat die Schlagwörter geändert
doing-remove = hat entfernt
doing-restore = hat wiederhergestellt
doing-import = importiert
doing-logged = eingetragen: { $what }
