# Segments.
segments-ready = Færdige
segments-saved = Gemte
segments-saved-none = Byg et segment, og gem det under et navn.
segments-yours-shared = dit, delt
segments-yours = dit
segments-shared = delt
segments-remove-confirm = Fjern segmentet { $name }? Kontakterne bliver.
segments-remove-label = Fjern segmentet { $name }
segments-build = Byg et segment
segments-others = Hvad skete der, hvor, hvis
segments-fields = Kontaktens felter
segments-how = Hvordan
segments-value = Værdi
segments-join = Gælder
segments-and = også
segments-or = eller i stedet for den sidste
segments-add = Tilføj betingelse
segments-by-hand = Som filter; egne felter hedder custom.NAVN
segments-all = Alle kontakter. Vælg et segment, eller tilføj betingelser: alle skal gælde.
segments-take-out = Tag { $condition } ud
segments-take-out-filter = Tag filteret ud
segments-clear = Ryd
segments-count = { $n ->
        [one] { $n } kontakt
       *[other] { $n } kontakter
    } i dette segment
segments-everybody-sees = Alle på kontoret ser det
segments-to = Til
segments-see-move = Se, hvad der ville flytte
segments-whom = Hvem
segments-everybody = alle i det
segments-consent-email = med samtykke til e-mail
segments-consent-phone = med samtykke til telefon
segments-consent-post = med samtykke til post
segments-consent-sms = med samtykke til sms
segments-export-csv = Eksportér som CSV
segments-in-audit = Hver eksport står i revisionsloggen.
segments-mails = Med en kanal udelades den, der ikke har givet samtykke eller ikke må kontaktes.
segments-whole-base = Kun den, der ser hele basen, må eksportere.
segments-assign-title = Tildel et segment
segments-went = { $n ->
        [one] { $n } kontakt
       *[other] { $n } kontakter
    } gik til { $whom }; { $unchanged ->
        [one] { $unchanged } var
       *[other] { $unchanged } var
    } der allerede.
segments-would-go = { $n ->
        [one] { $n } kontakt
       *[other] { $n } kontakter
    } ville gå til { $whom }; { $unchanged ->
        [one] { $unchanged } er
       *[other] { $unchanged } er
    } der allerede.
segments-back = Tilbage til segmentet
segments-assign-hint = Kontakterne fjernes fra de nuværende ansvarliges enheder ved næste forbindelse og kommer til den nyes.
segments-assign-n = Tildel { $n ->
        [one] { $n } kontakt
       *[other] { $n } kontakter
    }
lists-hand = Udlever som liste
lists-name = Listens navn
lists-to = Til hvem
lists-each-owner = Alle, der er ansvarlige for en kontakt i det
lists-see = Se, hvem der får hvad
lists-title = Udlever et segment som liste
lists-would-go = Listen “{ $name }” ville komme frem på disse personers enheder. Hver får de kontakter, som de har.
lists-replaces = Den træder i stedet for den liste, der har navnet nu.
lists-empty = Ingen af dem har en kontakt i segmentet. Tildel kontakterne først.
lists-nobody = { $n ->
        [one] { $n } kontakt findes
       *[other] { $n } kontakter findes
    } hos ingen af dem og kommer ikke med på listen.
lists-hint = Listen beholder det, som segmentet finder nu. Kontakter, der skifter hænder eller slettes, forlader den af sig selv; andre kommer med, når den udleveres igen.
lists-hand-n = Udlever til { $n ->
        [one] { $n } person
       *[other] { $n } personer
    }
lists-went = Listen “{ $name }” er udleveret. Tilsluttede enheder har den nu, de andre ved næste forbindelse.
lists-handed = Udleveret
lists-none = Ingen liste er udleveret.
lists-to-whom = til { $to }
lists-by = af { $by }, { $time }
lists-back = Tag tilbage
lists-back-label = Tag listen { $name } tilbage
lists-back-confirm = Tag listen { $name } tilbage? Den forsvinder fra enhederne; kontakterne bliver.
lists-no-name = Giv listen et navn på højst 80 tegn med bogstaver eller cifre i.
lists-nobody-chosen = Vælg, hvem listen går til.
assign = Tildel
segments-no-name = Giv segmentet et navn på højst 80 tegn.
segments-no-field = Der er intet felt “{ $field }” at vælge.
segments-no-value = Skriv, hvad der skal sammenlignes med.
segments-one-word = “indeholder” tager ét ord.
segments-no-days = Skriv et antal dage.
segments-no-how = Vælg, hvordan der sammenlignes.
seg-group-bases = Grundlag
seg-group-care = Pleje
seg-group-loyalty = Loyalitet
seg-potential = Potentielle
seg-potential-what = aldrig købt
seg-new = Nye
seg-new-what = købt én gang inden for et år
seg-active = Aktive
seg-active-what = købt igen inden for et år
seg-dormant = Sovende
seg-dormant-what = købt, derefter tavs i et år
seg-key-accounts = Nøglekunder
seg-key-accounts-what = klasse A eller markeret
seg-no-contact-for-60-days = Ingen kontakt i 60 dage
seg-no-contact-for-60-days-what = kunder
seg-beyond-their-cadence = Ud over deres rytme
seg-beyond-their-cadence-what = kontakt er forfalden
seg-truly-loyal = Virkelig loyale
seg-truly-loyal-what = tilfredse og købende
seg-accessible = Tilgængelige
seg-accessible-what = tilfredse, men køber ikke
seg-trapped = Bundne
seg-trapped-what = utilfredse, men købende
seg-high-risk = Høj risiko
seg-high-risk-what = ingen af delene
by-tag = Tag
by-city = By
by-postal-code = Postnummer
by-region = Region
by-country = Land
by-owner = Ansvarlig (brugernavn)
by-contacted = Seneste kontakt
by-touched = Seneste ændring
by-visits = Besøg
by-calls = Opkald
by-interactions = Interaktioner
by-complaints = Klager
by-bought = Seneste køb
by-purchases = Køb
by-revenue = Omsætning
by-deal = Åbne salgsmuligheder
by-stage = Fase i et salg
by-tasks = Åbne opgaver
by-consent = Samtykke til kanal
by-recency = Aktualitetsklasse
by-frequency = Hyppighedsklasse
by-monetary = Beløbsklasse
by-abc = ABC-klasse
by-nps = Seneste svar (NPS)
op-is = er
op-not = er ikke
op-contains = indeholder
op-min = er mindst
op-max = er højst
op-older = er længere siden end (dage)
op-within = er inden for de seneste (dage)
op-there = findes
op-missing = findes ikke
segments-from = Fra
