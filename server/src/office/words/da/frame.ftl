# Numbers, days, spans.
months-short = jan. feb. mar. apr. maj jun. jul. aug. sep. okt. nov. dec.
date = { $day }. { $month } { $year }
date-without-year = { $day }. { $month }
date-time = { $date } kl. { $time }
time-utc = { $time } UTC
time-unknown = ukendt
span-under-a-minute = under et minut
span-minutes = { $n } min.
span-hours = { $n } t.
span-days = { $n ->
        [one] { $n } dag
       *[other] { $n } dage
    }
as-of = pr. { $time }
money = { $amount } { $currency }

# Counts of many pages.
n-contacts = { $n ->
        [one] { $n } kontakt
       *[other] { $n } kontakter
    }
n-devices = { $n ->
        [one] { $n } enhed
       *[other] { $n } enheder
    }
n-edits = { $n ->
        [one] { $n } ændring
       *[other] { $n } ændringer
    }
n-minutes = { $n ->
        [one] { $n } minut
       *[other] { $n } minutter
    }

# The frame.
skip-to-content = Gå til indholdet
nav-main = Hovednavigation
nav-today = I dag
nav-contacts = Kontakter
nav-segments = Segmenter
nav-funnel = Pipeline
nav-activity = Aktivitet
nav-value = Værdi
nav-decide = Afgør
nav-people = Personer
nav-alerts = Advarsler
nav-settings = Indstillinger
n-to-decide-hidden = { $n ->
        [one] at afgøre
       *[other] at afgøre
    }
n-new-hidden = { $n ->
        [one] ny
       *[other] nye
    }
role-rep = sælger
role-manager = leder
role-admin = administrator
role-read-only = kun læsning
held-back = Kundedata holdes tilbage.
held-back-why = Serveren blev gendannet uden sit register. { $link }.
held-back-link = Se, hvad der skal afgøres
sign-out = Log ud
not-live = ikke live
receipt-quarantined = gemt på enheden, lagret på serveren, i karantæne
receipt-merged = gemt på enheden, lagret på serveren, flettet
receipt-stored = gemt på enheden, lagret på serveren

# Texts of the script.
js-changed = Ændret af en anden, mens du skrev.
js-take-theirs = Kassér mit, vis det andet
js-live = live
js-not-live = ikke live
js-reconnecting = forbinder igen
js-saved = Gemt.
js-unreachable = Serveren kan ikke nås.
js-unsaved = Der kom intet svar fra serveren. Det, du skrev, står her stadig; send det igen, det sker ikke to gange.
js-answered = Serveren svarede { $status }.

# What went wrong.
error-not-allowed = Ikke tilladt
error-not-here = Ikke her
error-not-taken = Ikke taget imod
error-changed = Ændret i mellemtiden
error-not-now = Ikke nu
error-enough = Nok for nu
error-slow-down = Lidt langsommere
error-failed = Det gik ikke
error-no-such-page = Der er ingen sådan side i dette arbejdsområde. Den kan være slettet, eller linket er ufuldstændigt.
error-no-such = Det findes ikke i dette arbejdsområde ({ $what }). Det kan være slettet, eller linket er ufuldstændigt.
error-too-many = For mange forsøg. Prøv igen om { $minutes }.
error-failed-text = Serveren kunne ikke gøre det. Intet blev ændret. Prøv igen; bliver det ved, så sig det til administratoren, hvis log har årsagen.
error-go-to-today = Gå til I dag
error-number = Fejl { $n }
what-page = side
what-thing = element
what-contact = kontakt
what-device = enhed
what-person = person
what-segment = segment
what-proposal = forslag
what-alert = advarsel
what-deal = salgsmulighed
what-cell = celle
forbidden-role = Din rolle må ikke gøre dette. En administrator kan, eller kan give dig en anden rolle.
forbidden-read-only = Din rolle må læse her og ikke ændre noget. En administrator kan give dig en anden.
forbidden-review = Serveren er gendannet, og en administrator skal først bekræfte, hvem der må se hvad. Dine enheder tager fortsat imod ændringer.
forbidden-session = Formularen hører til en anden session. Genindlæs siden og send den igen.
forbidden-site = Formularen kom fra et andet websted. Åbn siden her og send den igen.
form-unreadable = Formularen kunne ikke læses: { $error }.
forbidden-beside = Du arbejder på denne kontakt ved siden af en ejer fra et andet team. Spørg deres leder eller en administrator.
