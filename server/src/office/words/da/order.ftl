# Alerts.
alerts-only-new = Kun nye
alerts-all = Også sete
alerts-none = Intet usædvanligt
alerts-none-text = Den, der læser eller eksporterer usædvanligt mange kontakter eller rører en udlagt, nævnes her.
alerts-operator = Driften ved konsollen
alert-number = Advarsel { $n }
alert-seen-chip = set
alert-planted = udlagt kontakt
alert-volume = usædvanlig mængde
alert-called = Den hedder { $name }.
alert-times = { $n ->
        [one] { $n } gang
       *[other] { $n } gange
    } siden { $time }.
alert-held = Holdt tilbage til { $time }.
alert-device = Enhed: { $name }.
alert-revoke-confirm = Spær enheden { $device }, der tilhører { $person }? Den får ingen data mere og sletter sig selv ved næste kontakt; dens usendte ændringer afleveres.
alert-revoke = Spær enhed
alert-sign-out-confirm = Log { $person } ud i alle browsere?
alert-sign-out = Log ud overalt
alert-lift-confirm = Lad { $person } fortsætte? Tællingen begynder forfra.
alert-lift = Lad fortsætte
alert-seen = Set

# The audit log.
audit-no-day = “{ $text }” er ingen dag; skriv den som 2026-05-31.
audit-verify = Kontrollér
audit-export-csv = Eksportér CSV
audit-export-json = Eksportér JSON
audit-what = Hvad
audit-anybody = Alle
audit-operator = Drift eller server
audit-id = Id
audit-id-of = på en kontakt, enhed eller person
audit-from = Fra
audit-to = Til
show = Vis
nothing-fits = Intet passer
audit-nothing-text = Ingen post har alt dette. { $link }.
see-all = Se alle
audit-caption = Revisionslog, nyeste først
when = Hvornår
audit-subject = Hvad det gjaldt
audit-details = Detaljer
n-entries = { $n ->
        [one] { $n } post
       *[other] { $n } poster
    }
newer = Nyere
older = Ældre
audit-by-operator = drift
audit-number = nr. { $n }
audit-whole = Intet er ændret, og intet er fjernet: { $entries }. Den nyeste er nr. { $n }, { $hash }
audit-not-whole = Loggen er ikke hel.
audit-finding = Nr. { $n }: { $what }.
audit-gap = Nr. { $n }: ved en start den { $time } var poster til og med nr. { $reached } der ikke mere: en ældre sikkerhedskopi blev gendannet, eller de blev fjernet. { $command } accepterer det.

# Erasures.
erasures-none = Ingen er slettet endnu
erasures-none-text = { $command } sletter en kontakt; her står så, hvem der har bekræftet det.
erasures-older = { $n ->
        [one] { $n } ældre
       *[other] { $n } ældre
    }: { $command }
erasure-of = Sletning af { $id }
erasure-all = bekræftet af alle
erasure-open = { $n ->
        [one] { $n } enhed mangler at bekræfte
       *[other] { $n } enheder mangler at bekræfte
    }
erasure-files = filer endnu ikke tømt
erasure-replayed = gentaget af registret
erasure-by = { $id }, af { $who }
erasure-operator = driften
erasure-no-device = Ingen enhed havde den.
state = Tilstand
erasure-mentions = Nævnt i andre kontakter
erasure-mentions-text = Åbn hver af dem og tag personen ud, eller lad det være. Det ændrede bliver i kontaktens historik.
erasure-confirmed = bekræftet
erasure-revoked = spærret
erasure-wiped-next = slettes ved næste kontakt
erasure-not-yet = ikke endnu
span-ago = for { $span } siden
erasure-taken-out = Taget ud
erasure-leave = Lad være
erasure-say = Sig, om det blev taget ud eller ladt være.

# Retention.
rules = Regler
retention-none = Ingen regel endnu
retention-none-text = For eksempel: tabte leads, 24 måneder efter sidste kontakt. Intet slettes af sig selv: en regel viser, hvem den rammer, og du bekræfter listen.
retention-caption = Opbevaringsregler
retention-rule = Regel
retention-months = Måneder
filter = Filter
preview = Forhåndsvisning
retention-remove-confirm = Fjern reglen { $name }? Ingen slettes af det.
name = Navn
retention-which = Hvilke kontakter
retention-months-without = Måneder uden kontakt
retention-set = Gem regel
retention-due = { $n ->
        [one] { $n } kontakt er moden til sletning
       *[other] { $n } kontakter er modne til sletning
    }
retention-nobody = Ingen er omfattet
retention-nobody-text = Reglen rammer ingen i dag.
retention-reached = Kontakter, som reglen rammer
retention-last = Seneste kontakt eller ændring
and-more = og { $n } mere
retention-erase-confirm = Slet { $n ->
        [one] denne { $n } kontakt
       *[other] disse { $n } kontakter
    } for altid, her og på hver enhed?
retention-erase = Slet disse { $n }
retention-whole-months = Angiv månederne som et helt tal.

# After a restore.
review-title = Efter gendannelsen
review-none = Intet holdes tilbage
review-none-text = Enheder og sider får, hvad deres personer må se.
review-held = Kundedata holdes tilbage
review-why = Denne database fandtes før, og dens register mangler. Det, der skete efter { $time }, kan mangle her: sletninger, spærrede enheder, kontakter givet til andre.
review-unknown-time = et ukendt tidspunkt
review-since = Siden { $time } afleverer enheder deres ændringer og får intet; kun administratorer ser disse sider. Findes der en kopi af registret, så stop serveren og læg den tilbage: så er der intet at afgøre.
review-devices = 1. Hvilke enheder er siden tabt eller spærret?
review-gets-data = får data igen
review-revoke-confirm = Spær enheden { $device }?
review-people = 2. Hvem kommer ind, og hvis kontakter er hvis?
contacts = Kontakter
review-nobodys = Ingens
review-erased = 3. Hvad er slettet siden?
review-again = Slet det igen: { $erase }. Personer: { $disable }, kontakter: { $assign }.
review-confirm = Er enheder, personer og tildelinger rigtige? Kundedata sendes ud igen med det samme.
review-confirm-button = Bekræft: send kundedata igen
