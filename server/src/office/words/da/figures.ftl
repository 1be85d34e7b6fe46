# Whose figures, of which time.
everybody = Alle
team-name = Team { $name }
of-whom = Fra
period = Periode
n-days = { $n ->
        [one] { $n } dag
       *[other] { $n } dage
    }
n-months = { $n ->
        [one] { $n } måned
       *[other] { $n } måneder
    }
n-years = { $n ->
        [one] { $n } år
       *[other] { $n } år
    }
month-year = { $month } { $year }
figures-label = Nøgletal
as-a-table = Som tabel
figures-as-a-table = Tallene som tabel

# Activity.
visits = Besøg
calls = Opkald
activity-calls-others = { $calls ->
        [one] { $calls } opkald
       *[other] { $calls } opkald
    }, { $others } andre, i { $period }
activity-hit-rate = Træfprocent
activity-hit-rule = besøg med køb eller vundet salg inden for { $n } dage
activity-tasks-done = Opgaver udført
activity-of-due = { $done } af { $n } med frist i { $period }
activity-neglected = Forsømte
activity-of-cadence = af { $n } med kontaktrytme
nobody-yet = Ingen endnu
activity-add-reps = Tilføj sælgere med { $command }.
activity-caption = Hvad hver person har gjort
activity-other = Andre
new-contacts = Nye kontakter
activity-overdue = Besøg forfaldne
activity-narrow = { $new } nye · { $done } af { $tasks } opgaver · { $neglected } forsømte
of-n = af { $n }
visits-and-calls = Besøg og opkald
activity-by-week = pr. uge, dage i UTC
activity-by-day = pr. dag, dage i UTC
activity-none = Intet i denne periode
activity-none-text = Sælgerne noterer besøg og opkald på deres enheder, kontoret på kontaktens side.
activity-bar = { $day }: { $visits ->
        [one] { $visits } besøg
       *[other] { $visits } besøg
    }, { $calls ->
        [one] { $calls } opkald
       *[other] { $calls } opkald
    }
week-from = Uge fra
day = Dag

# The funnel.
funnel-none = Ingen salgsmuligheder endnu
funnel-none-text = Sælgere opretter salgsmuligheder på deres enheder, kontoret på en kontakts side. Her står de efter fase.
funnel-board = Tavle
funnel-drag = Træk en salgsmulighed til en anden fase, eller åbn “Flyt” på den.
funnel-by-stage = Salgsmuligheder efter fase
no-amount = intet beløb
funnel-open = Åbne salgsmuligheder
funnel-expected = Forventet
funnel-expected-rule = beløb gange sandsynlighed
funnel-won = Vundet
funnel-in-period = i denne periode
funnel-won-of-closed = Vundet af afsluttede
funnel-n-lost = { $n ->
        [one] { $n } tabt
       *[other] { $n } tabt
    } i denne periode
funnel-nothing = intet her
funnel-newest = De nyeste { $shown } af { $n }.
funnel-here = { $span } her
funnel-close = afslutning { $date }
funnel-move = Flyt
funnel-move-hidden = { $title }, { $name }
funnel-to-stage = Til fase
funnel-reason-if-lost = Årsag, hvis tabt
funnel-through = Hvordan salg kommer igennem
funnel-begun = begyndt i { $period }
funnel-none-began = Ingen salgsmulighed begyndte
choose-longer = Vælg en længere periode.
funnel-conversion-label = Konvertering og tid pr. fase
stage = Fase
funnel-reached = Nåede
funnel-of-all = Af alle
funnel-go-on = Går videre
funnel-stay = Ophold, median
funnel-deals-lost = { $deals ->
        [one] { $deals } salgsmulighed
       *[other] { $deals } salgsmuligheder
    }, { $lost } tabt.
funnel-half-won = Halvdelen af de vundne tog op til { $span }.
funnel-no-day = ingen dag angivet
funnel-outlook = Forventet omsætning
funnel-by-close = efter forventet afslutning
funnel-nothing-open = Intet er åbent
funnel-nothing-open-text = Åbne salgsmuligheder med beløb står her efter måned.
funnel-by-month-label = Forventet omsætning pr. måned
month = Måned
funnel-expected-note = Beløb gange den sandsynlighed, sælgeren angav; ellers fasens: { $stages }.
funnel-why-lost = Hvorfor salg gik tabt
funnel-none-lost = Intet gik tabt
funnel-none-lost-text = I denne periode gik ingen salgsmulighed tabt.
funnel-no-reason = Ingen årsag angivet
deals = Salgsmuligheder

# Value.
value-no-day = “{ $text }” er ingen dag; skriv den som 2026-03-31.
value-no-limits = “{ $text }” er ingen grænser for { $name }; skriv fire tal fra lille til stort, f.eks. 30, 90, 180, 365.
value-name-recency = aktualitet
value-name-frequency = hyppighed
value-name-monetary = beløb
value-none = Intet er købt endnu
value-none-text = Køb kommer med { $command } eller indtastes på en kontakts side.
value-incomplete = { $n ->
        [one] { $n } køb har
       *[other] { $n } køb har
    } ingen dato eller intet beløb og indgår ikke i tallene.
as-of-label = Pr.
value-currency = Valuta
value-purchases-of = Køb fra
value-all-time = al tid
value-classes-by = Klasser efter
value-quintiles = femtedele
value-limits = valgte grænser
value-limit-recency = Dage siden det sidste, klasse 5 til 2
value-limit-frequency = Køb, klasse 2 til 5
value-limit-monetary = Omsætning, klasse 2 til 5
value-totals-label = Totaler pr. valuta
value-revenue-in = Omsætning i { $currency }
value-total-of = { $purchases ->
        [one] { $purchases } køb
       *[other] { $purchases } køb
    } fra { $customers ->
        [one] { $customers } kunde
       *[other] { $customers } kunder
    } til og med { $date }
n-customers = { $n ->
        [one] { $n } kunde
       *[other] { $n } kunder
    }
value-rf = Aktualitet og hyppighed
value-customers-in = kunder, { $currency }
value-rf-note = R 5 købte senest, F 5 oftest. Hver klasse er en femtedel af alle kunder; ens kunder er i samme klasse.
value-rf-note-limits = R 5 købte senest, F 5 oftest, efter grænserne ovenfor; ens kunder er i samme klasse.
value-rf-label = Kunder efter aktualitet og hyppighed
value-recency = Aktualitet
value-cell = { $customers } med aktualitet { $r } og hyppighed { $f }: { $amount }
class = Klasse
customers = Kunder
revenue = Omsætning
value-each = Pr. kunde
value-mean-m = Gennemsnitlig M
value-moved = Hvem har flyttet sig
value-moved-against = mod 3 måneder før
value-moves-label = Flytninger mellem grupper
value-group = Gruppe
value-now = Nu
value-came = Kom til
value-first = Første gang
value-left = Gik fra
value-moves-note = Kom fra en anden gruppe, købte for første gang, gik til en anden gruppe.
value-no-customer = ikke kunde
value-from-to = Fra, til
value-abc = Hvem skaber omsætningen
value-no-revenue = Ingen omsætning
value-no-revenue-text = Intet blev tjent i denne tid.
value-curve-label = Andel af omsætningen, som de største kunder skaber
value-curve-note = Vandret: kunder, de største først. Lodret: deres andel af omsætningen.
value-abc-label = ABC-klasser
share = Andel
value-a = første 80 %
value-b = næste 15 %
value-c = sidste 5 %
value-seasons = Måneder og sæson
value-months-label = Omsætning for hver af de sidste 24 måneder
purchases = Køb
value-season = Sæson: 100 er en gennemsnitlig måned
value-season-label = Indeks for hver kalendermåned over hele år
value-index = Indeks
value-season-none = Sæsoner vises, så snart der er et helt år med køb.
value-silent = Blevet tavse, værd at vække
value-choose-all = Vælg al tid
value-choose-all-text = Tavshed måles på alle kundens køb.
value-silent-none = Ingen er blevet tavse
value-silent-none-text = Alle købte inden for det dobbelte af deres sædvanlige tid.
value-silent-caption = Kunder, der er blevet tavse, de største først
customer = Kunde
owner = Ansvarlig
value-silent-for = Tavs i
value-usual = Sædvanligt
nobody = ingen
value-every = hver { $span }
value-once = én gang
value-silent-note = Tavse i mere end det dobbelte af den sædvanlige tid mellem køb og mere end { $days } dage; efter ét køb i mere end { $once }.
value-nps = Ville de anbefale os
value-nps-what = Net Promoter Score, 12 måneder
value-nps-none = Intet svar endnu
value-nps-none-text = Sælgere registrerer en undersøgelse med svar fra 0 til 10 på deres enheder, kontoret på en kontakts side.
value-nps-answers = { $n ->
        [one] { $n } svar
       *[other] { $n } svar
    }: { $promoters } ambassadører (9–10), { $passives } passive (7–8), { $detractors } kritikere (0–6)
value-nps-no-answer = intet svar
value-nps-label = Score for hver måned
value-score = Score
value-no-comment = Ingen sagde noget til deres svar.
group-champions = Mestre
group-loyal = Loyale
group-promising = Lovende
group-new = Nye
group-need-attention = Kræver opmærksomhed
group-fading = Falmende
group-at-risk = I fare
group-dormant = Sovende
