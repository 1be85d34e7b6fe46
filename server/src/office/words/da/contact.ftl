# A contact.
contact-identity = Identitet
contact-reach = Kontaktveje
contact-standing = Status
contact-plan = Plan
contact-business = Forretning
contact-personal = Personligt
contact-rights = Rettigheder
contact-do-not = må ikke kontaktes
contact-archived = arkiveret
n-conflicts = { $n ->
        [one] { $n } konflikt
       *[other] { $n } konflikter
    }
contact-owner = ansvarlig { $name }
contact-no-owner = ingen ansvarlig
contact-no-owner-choice = Ingen ansvarlig
contact-merged = seneste ændring flettet { $time }
contact-hide-who = Skjul, hvem der skrev hvad
contact-who = Hvem skrev hvad
contact-both-sides = Begge sider skrev uden at se hinanden. Intet går tabt, før du vælger, og heller ikke bagefter: historikken beholder det.
contact-empty-fields = { $n ->
        [one] { $n } tomt felt
       *[other] { $n } tomme felter
    }
tags = Tags
contact-remove-tag = Fjern tagget { $tag }
contact-new-tag = Nyt tag
contact-add-tag = Tilføj et tag
contact-expected = forventet { $date }
contact-due = frist { $date }
contact-consent-for = { $state } til { $purpose }
contact-systems = I andre systemer
contact-log = Registrér en interaktion
contact-log-hint = Hvad der blev sagt, og hvad der sker nu
contact-log-it = Registrér
contact-log-now = Uden tidspunkt er det nu.
contact-note-hint = Hvad alle, der møder denne kontakt, bør vide
contact-save-note = Gem noten
contact-add-phone = telefon
contact-add-email = e-mail
contact-add-address = adresse
contact-add-messenger = messenger
contact-add-deal = salgsmulighed
contact-add-purchase = køb
contact-add-task = opgave
contact-add-consent = samtykke

# Editing a contact.
edit-not-all = Ikke det hele kunne skrives: { $reasons }.
edit-changed = Nogen ændrede dette til { $now }, mens du skrev. Gem igen for at skrive dit henover.
edit-nothing = ingenting
edit-quoted = “{ $text }”
edit-no-list = Formularen nævner ingen liste på en kontakt. Genindlæs siden.
edit-fill-in = Udfyld mindst ét felt.
edit-removed = Nogen fjernede dette i mellemtiden. Tilføj det igen, hvis det skal være der.
edit-deal-moved = Nogen flyttede salget til “{ $stage }”, mens du så på det. Flyt det igen, hvis du stadig vil.
edit-currency = Et beløb skal have sin valuta, f.eks. EUR.
edit-time = Tidspunktet kan ikke læses; skriv det som 2026-05-31T14:30.
edit-tag-first = Skriv tagget først.
edit-line = Sig på én linje, hvad det handlede om.
edit-note-long = Noten ville fylde { $n } byte, { $max } er tilladt; gør den kortere.
edit-note-old = Siden er for gammel til at se, hvad du ændrede. Kopiér din tekst, genindlæs siden, og skriv den ind igen.
edit-decided = Nogen har allerede afgjort dette. Genindlæs siden for at se hvordan.
edit-side-gone = Denne side af konflikten er der ikke mere. Genindlæs siden.
edit-name-or-reach = Angiv et navn, en virksomhed eller en kontaktvej.

# The list.
contacts-silent-never = aldrig kontaktet
contacts-search = Søg
contacts-search-hint = Navne, virksomheder, telefoner, noter
contacts-order = Rækkefølge
contacts-find = Find
contacts-all-names = Alle navne
contacts-try = Prøv { $a }, { $b }, { $c } eller { $d }.
contacts-more-than = mere end { $n } kontakter
contacts-city = By
contacts-latest = Seneste kontakt
contacts-latest-change = Seneste ændring
contacts-longest = Længst uden kontakt
contacts-next-visit = Næste besøg
contacts-next-task = Næste opgave
contacts-next = Næste
contacts-none-fit-text = Ingen kontakt har alt dette. Søg på færre ord, eller { $link }.
contacts-see-all = se alle
contacts-none = Ingen kontakter endnu
contacts-none-text = Importér en fil med { $command }, eller indtast den første med “Ny kontakt”.
contacts-of = { $part } af { $all }
contacts-cut = ; de bedste af de første { $n } vises, skriv mere for at indsnævre
contacts-new = Ny kontakt
contacts-create = Opret
contacts-no-owner-yet = Den har ingen ansvarlig, før den tildeles.
contacts-phone = Telefon
contacts-email = E-mail
contacts-name = Navn
contacts-company = Virksomhed
status = Status
