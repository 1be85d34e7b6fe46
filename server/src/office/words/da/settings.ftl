settings-group-you = Dig
settings-group-people = Personer
settings-group-law = Lov og orden
settings-account = Sprog, adgangskode, anden faktor, andre browsere.
settings-people = Hvem der arbejder her, på hvilke enheder, og hvor friske de er.
settings-retention = Efter hvor lang tid uden kontakt personer slettes.
settings-erasures = Hvem der er slettet, og hvilke enheder der har bekræftet det.
settings-audit = Hvem der gjorde hvad, og at intet er ændret.
people-title = Personer og enheder
retention-title = Opbevaring
erasures-title = Sletninger
audit-title = Revision
settings-group-work = Sådan arbejder I
settings-group-programs = Andre programmer
settings-team = Tilføj personer, skift roller og teams, tilslut enheder.
settings-look = Jeres virksomheds navn, farve og logo.
settings-sorting = Efter hvilket sprogs alfabet lister er ordnet
settings-stages = Hvor sandsynlig en salgsmulighed er i hver fase.
settings-custom = Jeres egne felter ved siden af dem, alle kontakter har.
settings-tags = Omdøb tags, læg to sammen, fjern et.
settings-keys = Hvad andre programmer må læse og skrive.
settings-hooks = Hvem der får besked, når noget sker.
what-webhook = webhook

# People and teams.
team-title = Personer og teams
team-device-code = Denne kode tilslutter én enhed for { $person }. Den vises kun nu og udløber snart.
team-sign-in-code = Med denne kode sætter { $person } en adgangskode på /welcome. Den vises kun nu og udløber snart.
team-connect = Tilslut en enhed
team-let-in = Lad komme ind igen
team-keep-out = Luk ude
team-factor-off = Slå deres anden faktor fra
team-factor-confirm = Slå { $person }s anden faktor fra? Så åbner adgangskoden alene døren.
team-none = Intet
team-add = Tilføj en person
team-add-hint = En kode til første gang følger.
team-teams = Teams
team-teams-none = Der er intet team endnu: alle på kontoret ser alt.
team-part-of = del af { $name }
n-people = { $n ->
        [one] { $n } person
       *[other] { $n } personer
    }
team-set = Nyt team, eller et der flyttes
team-within = Inden for

# The look.
look-title = Udseende
look-name = Hvad virksomheden hedder her
look-name-hint = Over navigationen og i vinduets titel.
look-colour = Farve
look-colour-hint = Den gøres mørkere eller lysere, hvor den ville være svær at læse.
look-logo = Logo
look-logo-hint = PNG, JPEG eller WebP, højst { $n } kB.
look-logo-large = Billedet er for stort: højst { $n } kB.
look-logo-kind = Det er ikke et PNG-, JPEG- eller WebP-billede på højst 2048 pixel pr. side.
look-logo-remove = Fjern logoet
look-usual = Som leveret
look-no-name = Et navn har højst { $n } tegn på én linje.
look-no-colour = Angiv farven som #rrggbb.

# By which language lists are sorted.
sorting-title = Sortering
sorting-text = Kontorets lister er sorteret efter ét alfabet for alle, der ser på dem. Enheder sorterer i den almindelige rækkefølge.
sorting-language = Sprog
sorting-general = Almindelig rækkefølge
sorting-hint = Den almindelige rækkefølge passer til engelsk, tysk, fransk, italiensk og de fleste andre sprog, i alle skriftsystemer. Dansk sætter Æ, Ø og Å efter Z; russisk sætter kyrilliske navne før latinske.
sorting-left = { $n ->
        [one] Én kontakt mangler
       *[other] { $n } kontakter mangler
    } at blive sorteret igen. Indtil da står lister i begge rækkefølger.
sorting-unknown = Vælg et af sprogene.

# Stages.
stages-title = Faser i et salg
stages-text = Hvor sælgeren ikke gav en salgsmulighed sin egen sandsynlighed, gælder fasens. Pipelinens forventede omsætning regner med den.
stages-usual = De sædvanlige
stages-no-number = Giv “{ $stage }” et helt tal fra 0 til 100.

# Keys of programs.
keys-title = API-nøgler
keys-made = Dette er nøglen “{ $name }”. Gem den, hvor kun programmet læser den: den vises ikke igen.
keys-none = Ingen nøgle endnu
keys-none-text = Et program, der læser eller skriver over HTTP-API’et, skal bruge en: et ERP, en butik, et script.
keys-rights-of = Med rettigheder fra
keys-scopes = Til hvad
keys-last-used = Sidst brugt
keys-rate = { $n } pr. minut
keys-rate-label = Forespørgsler pr. minut
keys-revoked = spærret
keys-revoke-confirm = Spær nøglen { $name }? Den åbner derefter intet.
keys-new = Ny nøgle
keys-make = Lav nøglen
keys-hint = En nøgle må aldrig mere end sin person.
keys-no-scope = Sig, hvad nøglen er til: sæt mindst ét kryds.
keys-no-rate = Angiv forespørgsler pr. minut som et helt tal fra 1 til 60000.

# Webhooks.
hooks-title = Webhooks
hooks-made = Fra nu af sendes hændelser til { $url }. Dette er hemmeligheden bag deres signaturer; den vises ikke igen.
hooks-none = Ingen webhook endnu
hooks-none-text = En webhook fortæller et andet program, hvad der sker, når det sker.
hooks-address = Adresse
hooks-events = Hændelser
hooks-event = Hændelse
hooks-given-up = Opgivet
hooks-n-given-up = { $n ->
        [one] { $n } hændelse opgivet
       *[other] { $n } hændelser opgivet
    }
hooks-failing = { $n ->
        [one] { $n } forsøg mislykkedes
       *[other] { $n } forsøg mislykkedes
    }
hooks-again-in = igen om { $span }
hooks-fine = leverer
hooks-last = senest { $time }
hooks-nothing-yet = intet sendt endnu
hooks-since = siden { $time }
hooks-remove-confirm = Send ikke mere til { $url }? Det opgivne fjernes også.
hooks-new = Ny webhook
hooks-reach-of = Ser det, som ses af
hooks-hint = Signeret, gentaget med voksende pauser, gemt på en liste, når alt fejlede.
hooks-no-event = Sæt kryds ved mindst én hændelse.
hooks-dead-none = Intet er opgivet
hooks-dead-none-text = Her står det, der ikke kunne leveres efter alle forsøg. { $link }
hooks-retry-all = Send alle igen
hooks-retry = Send igen

# Tags.
tags-title = Tags
tags-text = Et andet navn til et tag, eller navnet på et, der findes: så bliver to til ét. Det vises, før det sker, står i hver kontakts historik og kan tages tilbage.
tags-more = Kun de første { $n } tags vises.
tags-none = Der er ingen tags endnu.
tags-none-text = De kommer med importerede kontakter, med ændringer på kontoret og fra enheder.
tags-alike = skrevet på flere måder
tags-new-name = Nyt navn til { $tag }
tags-rename = Omdøb …
tags-remove = Fjern …
tags-in-parts = { $n } kontakter ad gangen; gentag for resten.
tags-same = Det hedder det allerede; giv det et andet navn.
tags-gone = Ingen kontakt har dette tag længere.

# Custom fields.
custom-title = Egne felter
custom-text = De står på hver kontakts side og kommer til alle enheder i denne rækkefølge. Filtre finder dem som custom."NAVN". Det, kontakter har i forvejen, bliver, uanset hvad der ændres her.
custom-none = Der er endnu ikke defineret egne felter.
custom-none-text = Værdier fra en import bevares alligevel; definér et felt med samme navn for at give dem en art.
custom-name = Navn
custom-kind = Hvad det tager
custom-add = Tilføj et eget felt
custom-name-hint = Navnet bliver: kontakterne har deres værdier under det.
custom-choices = Værdier i et valg, én pr. linje
custom-kind-text = Tekst
custom-kind-number = Tal
custom-kind-date = Dato
custom-kind-choice = Valg
custom-kind-yes-no = Ja eller nej
custom-earlier = Tidligere
custom-earlier-one = { $name } én plads tidligere
custom-remove-confirm = Fjern feltet { $name }? Kontakternes værdier bliver.
