# One thing done to many contacts.
bulk-title = Ændr mange
bulk-picked = Valgt: { $n }
bulk-all = { $n ->
        [one] Den { $n } kontakt
       *[other] Alle { $n } kontakter
    } på listen
bulk-all-more = Alle kontakter på listen, flere end { $n }
bulk-or-pick = Eller vælg kontakter på listen.
bulk-what = Hvad skal ske
bulk-assign = Giv til nogen
bulk-tag = Tilføj et tag
bulk-untag = Fjern et tag
bulk-status = Sæt status
bulk-the-tag = Tag
bulk-no-status-choice = ingen status
bulk-spare = Udelad dem, der ikke må kontaktes
bulk-see = Se, hvad der ville ændres
bulk-earlier = Samlede ændringer
bulk-title-assign = Giv til { $name }
bulk-title-unassign = Tag fra ejerne
bulk-title-tag = Tilføj tagget “{ $tag }”
bulk-title-untag = Fjern tagget “{ $tag }”
bulk-title-retag = Omdøb tagget “{ $tag }” til “{ $to }”
bulk-title-status = Sæt status til { $status }
bulk-title-no-status = Fjern status
bulk-no-status = Vælg en af statusserne.
bulk-no-what = Vælg, hvad der skal ske.
bulk-none-chosen = Vælg kontakter på listen, eller alle, den finder.
bulk-too-many = Det er flere end { $n } kontakter. Gør filteret snævrere, og tag det i dele.
bulk-would = ville ændres
bulk-same = er det allerede
bulk-refused = udelades
bulk-means = Hvad det betyder
bulk-means-assign = Hver kontakt overdrages: Den kommer til den nye ejers enheder og forlader den nuværende ejers ved deres næste forbindelse. Det, de har ændret og ikke sendt, venter på en afgørelse.
bulk-means-tag = Det er en ændring som enhver anden, i Deres navn: Den står i hver kontakts historik og kommer til enhederne ved deres næste forbindelse.
bulk-means-status = Det er en ændring som enhver anden, i Deres navn: Den står i hver kontakts historik og kommer til enhederne ved deres næste forbindelse. Sætter nogen en anden status i samme øjeblik, bliver De spurgt.
bulk-refused-why = Udeladt, fordi
bulk-left-why = Ladt som det er, fordi
bulk-why = Hvorfor
bulk-why-rights = ejeren hører til et andet team
bulk-why-gone = ikke her, eller ikke synlig for Dem
bulk-why-erased = blev slettet
bulk-why-mute = må ikke kontaktes
bulk-why-receiver = personen må ikke få kontakter
bulk-why-changed = nogen har ændret det siden
bulk-why-nothing = der er intet at tage tilbage
bulk-why-failed = det kunne ikke skrives
bulk-erased = { $n ->
        [one] { $n } kontakt blev
       *[other] { $n } kontakter blev
    } slettet imens.
bulk-do = Ændr { $n ->
        [one] { $n } kontakt
       *[other] { $n } kontakter
    }
bulk-can-undo = Det hele kan tages tilbage bagefter, i 90 dage.
bulk-nothing = Der er intet at ændre.
bulk-listing = Listen blev ikke skrevet færdig. Vælg kontakterne igen.
bulk-back = Tilbage til listen
bulk-doing = { $n } af { $all } gjort.
bulk-undoing = { $n } af { $all } taget tilbage.
bulk-cut-off = Det blev afbrudt efter { $n } af { $all }. Det, der er gjort, bliver; fortsæt med resten.
bulk-progress = Fremskridt
bulk-look-again = Se igen
bulk-may-leave = De kan forlade siden; det fortsætter.
bulk-go-on = Fortsæt med { $n ->
        [one] { $n } kontakt
       *[other] { $n } kontakter
    }
bulk-done = { $n ->
        [one] { $n } kontakt blev
       *[other] { $n } kontakter blev
    } ændret.
bulk-was-same = { $n ->
        [one] { $n } var
       *[other] { $n } var
    } det allerede.
bulk-undone = { $n ->
        [one] { $n } kontakt er
       *[other] { $n } kontakter er
    } som før.
bulk-left = { $n ->
        [one] { $n } kontakt blev
       *[other] { $n } kontakter blev
    } ladt i fred.
bulk-left-title = Ladt som de er
bulk-by = { $who }, { $time }
bulk-undo = Tag { $n ->
        [one] { $n } ændring
       *[other] { $n } ændringer
    } tilbage
bulk-undo-hint = Det, nogen har ændret siden, bliver, som det er, og nævnes. En handling kan tages tilbage i 90 dage.
bulk-too-old = Den er ældre end 90 dage og kan ikke tages tilbage mere.
bulk-unseen = ikke synlig for Dem
bulk-not-yours = Kun den, der begyndte, kan fortsætte.
bulk-none = Intet er ændret samlet endnu
bulk-none-text = Vælg kontakter på listen, og hvad der skal ske med dem.
bulk-who = Hvem
bulk-stage-done = gjort
bulk-stage-undone = taget tilbage
bulk-stage-open = i gang
bulk-choose = Vælg { $name }
bulk-choose-all = Vælg alle på denne side
