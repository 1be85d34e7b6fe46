# Alerts.
alerts-only-new = Nur neue
alerts-all = Auch gesehene
alerts-none = Nichts Ungewöhnliches
alerts-none-text = Wer ungewöhnlich viele Kontakte liest oder exportiert oder einen ausgelegten anfasst, steht hier.
alerts-operator = Der Betrieb an der Konsole
alert-number = Warnung { $n }
alert-seen-chip = gesehen
alert-planted = ausgelegter Kontakt
alert-volume = ungewöhnliche Menge
alert-called = Er heißt { $name }.
alert-times = { $n ->
        [one] { $n }-mal
       *[other] { $n }-mal
    } seit { $time }.
alert-held = Zurückgehalten bis { $time }.
alert-device = Gerät: { $name }.
alert-revoke-confirm = Das Gerät { $device } von { $person } sperren? Es bekommt keine Daten mehr und leert sich beim nächsten Kontakt; seine ungesendeten Änderungen werden übergeben.
alert-revoke = Gerät sperren
alert-sign-out-confirm = { $person } in jedem Browser abmelden?
alert-sign-out = Überall abmelden
alert-lift-confirm = { $person } weiterarbeiten lassen? Die Zählung beginnt neu.
alert-lift = Weiter lassen
alert-seen = Gesehen

# The audit log.
audit-no-day = „{ $text }“ ist kein Tag; schreiben Sie ihn als 2026-05-31.
audit-verify = Prüfen
audit-export-csv = CSV exportieren
audit-export-json = JSON exportieren
audit-what = Was
audit-anybody = Alle
audit-operator = Betrieb oder Server
audit-id = Id
audit-id-of = eines Kontakts, Geräts oder einer Person
audit-from = Von
audit-to = Bis
show = Zeigen
nothing-fits = Nichts passt
audit-nothing-text = Kein Eintrag hat all das. { $link }.
see-all = Alle zeigen
audit-caption = Protokoll, das Neueste zuerst
when = Wann
audit-subject = Woran
audit-details = Einzelheiten
n-entries = { $n ->
        [one] { $n } Eintrag
       *[other] { $n } Einträge
    }
newer = Neuere
older = Ältere
audit-by-operator = Betrieb
audit-number = Nr. { $n }
audit-whole = Nichts wurde verändert und nichts entfernt: { $entries }. Der neueste ist Nr. { $n }, { $hash }
audit-not-whole = Das Protokoll ist nicht unversehrt.
audit-finding = Nr. { $n }: { $what }.
audit-gap = Nr. { $n }: Bei einem Start am { $time } fehlten Einträge bis Nr. { $reached }: Ein älteres Backup wurde eingespielt, oder sie wurden entfernt. { $command } nimmt das an.

# Erasures.
erasures-none = Noch niemand wurde gelöscht
erasures-none-text = { $command } löscht einen Kontakt; hier steht dann, wer es bestätigt hat.
erasures-older = { $n ->
        [one] { $n } ältere
       *[other] { $n } ältere
    }: { $command }
erasure-of = Löschung von { $id }
erasure-all = von allen bestätigt
erasure-open = { $n ->
        [one] { $n } Gerät muss bestätigen
       *[other] { $n } Geräte müssen bestätigen
    }
erasure-files = Dateien noch nicht geleert
erasure-replayed = vom Register wiederholt
erasure-by = { $id }, von { $who }
erasure-operator = dem Betrieb
erasure-no-device = Kein Gerät hatte ihn.
state = Stand
erasure-mentions = In anderen Kontakten genannt
erasure-mentions-text = Öffnen Sie jeden davon und nehmen Sie die Person heraus, oder lassen Sie es, wie es ist. Was geändert wurde, bleibt in der Historie des Kontakts.
erasure-confirmed = bestätigt
erasure-revoked = gesperrt
erasure-wiped-next = wird beim nächsten Kontakt geleert
erasure-not-yet = noch nicht
span-ago = vor { $span }
erasure-taken-out = Herausgenommen
erasure-leave = So lassen
erasure-say = Sagen Sie, ob es herausgenommen oder so gelassen wurde.

# Retention.
rules = Regeln
retention-none = Noch keine Regel
retention-none-text = Zum Beispiel: verlorene Leads, 24 Monate nach dem letzten Kontakt. Nichts wird von selbst gelöscht: Eine Regel listet, wen sie erreicht, und Sie bestätigen die Liste.
retention-caption = Aufbewahrungsregeln
retention-rule = Regel
retention-months = Monate
filter = Filter
preview = Vorschau
retention-remove-confirm = Die Regel { $name } entfernen? Dadurch wird niemand gelöscht.
name = Name
retention-which = Welche Kontakte
retention-months-without = Monate ohne Kontakt
retention-set = Regel setzen
retention-due = { $n ->
        [one] { $n } Kontakt ist fällig
       *[other] { $n } Kontakte sind fällig
    }
retention-nobody = Niemand ist fällig
retention-nobody-text = Die Regel erreicht heute niemanden.
retention-reached = Kontakte, die die Regel erreicht
retention-last = Letzter Kontakt oder letzte Änderung
and-more = und { $n } weitere
retention-erase-confirm = { $n ->
        [one] Diesen { $n } Kontakt
       *[other] Diese { $n } Kontakte
    } endgültig löschen, hier und auf jedem Gerät?
retention-erase = Diese { $n } löschen
retention-whole-months = Geben Sie die Monate als ganze Zahl an.

# After a restore.
review-title = Nach der Wiederherstellung
review-none = Nichts wird zurückgehalten
review-none-text = Geräte und Seiten bekommen, was ihre Personen sehen dürfen.
review-held = Kundendaten werden zurückgehalten
review-why = Diese Datenbank gab es schon, und ihr Register fehlt. Was nach { $time } geschah, kann hier fehlen: Löschungen, gesperrte Geräte, Kontakte, die jemand anderes bekam.
review-unknown-time = unbekannter Zeit
review-since = Seit { $time } liefern Geräte ihre Änderungen ab und bekommen nichts; nur die Administration sieht diese Seiten. Gibt es eine Kopie des Registers, halten Sie den Server an und legen Sie sie zurück: Dann ist nichts zu entscheiden.
review-devices = 1. Welche Geräte gingen seither verloren oder wurden gesperrt?
review-gets-data = bekommt wieder Daten
review-revoke-confirm = Das Gerät { $device } sperren?
review-people = 2. Wer kommt herein, und wem gehören welche Kontakte?
contacts = Kontakte
review-nobodys = Von niemandem
review-erased = 3. Was wurde seither gelöscht?
review-again = Löschen Sie es wieder: { $erase }. Personen: { $disable }, Kontakte: { $assign }.
review-confirm = Stimmen Geräte, Personen und Zuordnungen? Kundendaten gehen sofort wieder hinaus.
review-confirm-button = Bestätigen: Kundendaten wieder senden
