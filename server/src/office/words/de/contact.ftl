# A contact.
contact-identity = Identität
contact-reach = Erreichbarkeit
contact-standing = Einordnung
contact-plan = Planung
contact-business = Geschäft
contact-personal = Persönliches
contact-rights = Rechte
contact-do-not = nicht kontaktieren
contact-archived = archiviert
n-conflicts = { $n ->
        [one] { $n } Konflikt
       *[other] { $n } Konflikte
    }
contact-owner = zuständig { $name }
contact-no-owner = niemand zuständig
contact-no-owner-choice = Niemand
contact-merged = letzte Änderung zusammengeführt { $time }
contact-hide-who = Nicht zeigen, wer was schrieb
contact-who = Wer was schrieb
contact-both-sides = Beide Seiten schrieben, ohne einander zu sehen. Nichts geht verloren, bis Sie wählen, und auch danach nicht: Die Historie behält es.
contact-empty-fields = { $n ->
        [one] { $n } leeres Feld
       *[other] { $n } leere Felder
    }
tags = Schlagwörter
contact-remove-tag = Schlagwort { $tag } entfernen
contact-new-tag = Neues Schlagwort
contact-add-tag = Schlagwort hinzufügen
contact-expected = erwartet { $date }
contact-due = fällig { $date }
contact-consent-for = { $state } für { $purpose }
contact-systems = In anderen Systemen
contact-log = Kontaktaufnahme eintragen
contact-log-hint = Was besprochen wurde, was als Nächstes kommt
contact-log-it = Eintragen
contact-log-now = Ohne Zeit gilt jetzt.
contact-note-hint = Was alle wissen sollten, die diesen Kontakt treffen
contact-save-note = Notiz speichern
contact-add-phone = Telefon
contact-add-email = E-Mail
contact-add-address = Adresse
contact-add-messenger = Messenger
contact-add-deal = Deal
contact-add-purchase = Kauf
contact-add-task = Aufgabe
contact-add-consent = Einwilligung

# Editing a contact.
edit-not-all = Nicht alles konnte geschrieben werden: { $reasons }.
edit-changed = Während Sie schrieben, hat jemand das zu { $now } geändert. Speichern Sie noch einmal, um Ihres darüberzuschreiben.
edit-nothing = nichts
edit-quoted = „{ $text }“
edit-no-list = Das Formular nennt keine Liste eines Kontakts. Laden Sie die Seite neu.
edit-fill-in = Füllen Sie mindestens ein Feld aus.
edit-removed = Jemand hat das inzwischen entfernt. Fügen Sie es neu hinzu, wenn es da sein soll.
edit-deal-moved = Während Sie hinsahen, hat jemand diesen Deal nach „{ $stage }“ verschoben. Verschieben Sie ihn noch einmal, wenn Sie es weiter wollen.
edit-currency = Ein Betrag braucht seine Währung, etwa EUR.
edit-time = Die Zeit ist nicht lesbar; schreiben Sie sie als 2026-05-31T14:30.
edit-tag-first = Schreiben Sie zuerst das Schlagwort.
edit-line = Sagen Sie in einer Zeile, worum es ging.
edit-note-long = Die Notiz hätte { $n } Bytes, { $max } sind erlaubt; kürzen Sie sie.
edit-note-old = Die Seite ist zu alt, um zu sagen, was Sie geändert haben. Kopieren Sie Ihren Text, laden Sie die Seite neu, und schreiben Sie ihn wieder hinein.
edit-decided = Das hat schon jemand entschieden. Laden Sie die Seite neu, um zu sehen, wie.
edit-side-gone = Diese Seite des Konflikts gibt es nicht mehr. Laden Sie die Seite neu.
edit-name-or-reach = Geben Sie einen Namen, eine Firma oder einen Weg zum Kontakt an.

# The list.
contacts-silent-never = nie kontaktiert
contacts-search = Suche
contacts-search-hint = Namen, Firmen, Telefone, Notizen
contacts-order = Reihenfolge
contacts-find = Finden
contacts-all-names = Alle Namen
contacts-try = Versuchen Sie { $a }, { $b }, { $c } oder { $d }.
contacts-more-than = mehr als { $n } Kontakte
contacts-city = Ort
contacts-latest = Letzter Kontakt
contacts-latest-change = Letzte Änderung
contacts-longest = Am längsten ohne Kontakt
contacts-next-visit = Nächster Besuch
contacts-next-task = Nächste Aufgabe
contacts-next = Als Nächstes
contacts-none-fit-text = Kein Kontakt hat all das. Suchen Sie mit weniger Wörtern, oder { $link }.
contacts-see-all = zeigen Sie alle
contacts-none = Noch keine Kontakte
contacts-none-text = Importieren Sie eine Datei mit { $command }, oder geben Sie den ersten mit „Neuer Kontakt“ ein.
contacts-of = { $part } von { $all }
contacts-cut = ; gezeigt werden die besten der ersten { $n }, mehr Buchstaben grenzen ein
contacts-new = Neuer Kontakt
contacts-create = Anlegen
contacts-no-owner-yet = Niemand ist zuständig, bis er zugewiesen wird.
contacts-phone = Telefon
contacts-email = E-Mail
contacts-name = Name
contacts-company = Firma
status = Status
