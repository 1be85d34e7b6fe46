# People and devices.
never-seen = nie gesehen
device-first-sync = erster Abgleich, noch { $n }
device-behind = { $span } zurück
device-now = aktuell
device-nothing-unsent = nichts ungesendet
device-known-unsent = { $edits } bekanntlich ungesendet
device-has-all = { $unsent }, hat alles, was hier ist
device-newer = { $unsent }, { $n ->
        [one] { $n } Kontakt
       *[other] { $n } Kontakte
    } hier neuer
device-wiped = geleert { $time }
device-recovered = { $edits } gerettet
device-wipes-itself = leert sich beim nächsten Kontakt
device-no-end = ohne Ende
device-locked = gesperrt
device-since = seit { $time }
device-until = bis { $time }
device-readable = lesbar { $lease }
device-outdated = veraltet
device-needs = benötigt { $app }
never = nie
device-revoke-confirm = Das Gerät { $device } von { $person } sperren? Es bekommt keine Daten mehr und lässt sich unter diesem Schlüssel nicht wieder verbinden.
device-revoke = Sperren
device-of = { $device } von { $person }
device-none-behind = kein Gerät ist zurück
device-n-behind = { $n ->
        [one] { $n } Gerät zurück
       *[other] { $n } Geräte zurück
    }
device-last-seen = zuletzt gesehen vor { $span }
device-and-more = und { $n } weitere; { $link }
device-all = alle Geräte
devices = Geräte
devices-none = Noch kein Gerät angemeldet
devices-none-text = { $invite } gibt einen Code aus; auf dem Gerät im Außendienst benutzt ihn { $enroll }.
devices-caption = Geräte und wie aktuell sie sind
device = Gerät
freshness = Aktualität
last-seen = Zuletzt gesehen
difference = Unterschied
readable = Lesbar
app = App
actions = Aktionen
people = Personen
person = Person
role = Rolle
team = Team
person-disabled = gesperrt
person-code-confirm = Einen Einmalcode erzeugen, mit dem { $person } ein neues Passwort setzt?
person-code = Anmeldecode
person-for-hidden = für { $person }
people-add-hint = Personen kommen mit { $add } dazu, Geräte mit { $invite }.
person-code-for = Für { $person }, einmal, für { $span }. Sagen Sie ihn am Telefon oder persönlich; er wird nur jetzt gezeigt.
person-code-used = Er wird auf { $link } benutzt. Ein zweiter Faktor bleibt, wie er ist.
people-back = Zurück zu den Personen
wipe-enrolled = angemeldet
wipe-wiped = geleert
wipe-wiping = wird geleert
wipe-revoked = gesperrt
