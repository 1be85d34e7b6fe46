settings-group-you = Lei
settings-group-people = Persone
settings-group-law = Norme e controlli
settings-account = Lingua, password, secondo fattore, altri browser.
settings-people = Chi lavora qui, su quali dispositivi, e quanto sono aggiornati.
settings-retention = Dopo quanto tempo senza contatti le persone vengono cancellate.
settings-erasures = Chi è stato cancellato e quali dispositivi lo hanno confermato.
settings-audit = Chi ha fatto che cosa, e che nulla è stato alterato.
people-title = Persone e dispositivi
retention-title = Conservazione
erasures-title = Cancellazioni
audit-title = Registro
settings-group-work = Come lavorate
settings-group-programs = Altri programmi
settings-team = Aggiungere persone, cambiare ruoli e squadre, collegare dispositivi.
settings-look = Nome, colore e logo della Sua azienda.
settings-sorting = Secondo l’alfabeto di quale lingua sono ordinate le liste
settings-stages = Quanto è probabile una trattativa in ogni fase.
settings-custom = Campi propri accanto a quelli che ogni contatto ha.
settings-tags = Rinominare le etichette, unirne due, toglierne una.
settings-keys = Che cosa possono leggere e scrivere altri programmi.
settings-hooks = Chi viene avvisato quando succede qualcosa.
what-webhook = webhook

# People and teams.
team-title = Persone e squadre
team-device-code = Questo codice collega un dispositivo di { $person }. Viene mostrato solo ora e scade presto.
team-sign-in-code = Con questo codice { $person } imposta una password, su /welcome. Viene mostrato solo ora e scade presto.
team-connect = Collega un dispositivo
team-let-in = Riammetti
team-keep-out = Escludi
team-factor-off = Disattiva il secondo fattore
team-factor-confirm = Disattivare il secondo fattore di { $person }? Poi basterà la password per entrare.
team-none = Nessuna
team-add = Aggiungi una persona
team-add-hint = Segue un codice per la prima volta.
team-teams = Squadre
team-teams-none = Non c’è ancora nessuna squadra: in ufficio tutti vedono tutto.
team-part-of = parte di { $name }
n-people = { $n ->
        [one] { $n } persona
       *[other] { $n } persone
    }
team-set = Squadra nuova, o da spostare
team-within = All’interno di

# The look.
look-title = Aspetto
look-name = Come si chiama qui la Sua azienda
look-name-hint = Sopra la navigazione e nel titolo della finestra.
look-colour = Colore
look-colour-hint = Viene scurito o schiarito dove sarebbe difficile da leggere.
look-logo = Logo
look-logo-hint = PNG, JPEG o WebP, al massimo { $n } kB.
look-logo-large = L’immagine è troppo grande: al massimo { $n } kB.
look-logo-kind = Non è un’immagine PNG, JPEG o WebP di al massimo 2048 pixel per lato.
look-logo-remove = Togli il logo
look-usual = Come da fabbrica
look-no-name = Un nome ha al massimo { $n } caratteri, su una riga.
look-no-colour = Indichi il colore come #rrggbb.

# By which language lists are sorted.
sorting-title = Ordinamento
sorting-text = Le liste dell’ufficio sono ordinate secondo un solo alfabeto, per tutti quelli che le guardano. I dispositivi usano l’ordine generale.
sorting-language = Lingua
sorting-general = Ordine generale
sorting-hint = L’ordine generale va bene per italiano, inglese, tedesco, francese e quasi tutte le altre lingue, in ogni scrittura. Il danese mette Æ, Ø e Å dopo la Z; il russo mette i nomi in cirillico prima di quelli latini.
sorting-left = { $n ->
        [one] Un contatto è
       *[other] { $n } contatti sono
    } ancora da riordinare. Fino ad allora le liste sono in entrambi gli ordini.
sorting-unknown = Scelga una delle lingue.

# Stages.
stages-title = Fasi di una trattativa
stages-text = Se l’agente non ha dato alla trattativa una probabilità, vale quella della fase. I ricavi attesi della pipeline la usano.
stages-usual = Quelle abituali
stages-no-number = Dia a «{ $stage }» un numero intero da 0 a 100.

# Keys of programs.
keys-title = Chiavi API
keys-made = Questa è la chiave «{ $name }». La conservi dove solo il programma la legge: non viene più mostrata.
keys-none = Ancora nessuna chiave
keys-none-text = Serve a un programma che legge o scrive tramite l’API HTTP: un ERP, un negozio, uno script.
keys-rights-of = Con i diritti di
keys-scopes = Per che cosa
keys-last-used = Ultimo uso
keys-rate = { $n } al minuto
keys-rate-label = Richieste al minuto
keys-revoked = revocata
keys-revoke-confirm = Revocare la chiave { $name }? Da ora non aprirà più nulla.
keys-new = Nuova chiave
keys-make = Crea la chiave
keys-hint = Una chiave non può mai più della sua persona.
keys-no-scope = Dica a che cosa serve la chiave: ne spunti almeno una.
keys-no-rate = Indichi le richieste al minuto come numero intero da 1 a 60000.

# Webhooks.
hooks-title = Webhook
hooks-made = Da ora gli eventi vanno a { $url }. Questo è il segreto delle firme; non viene più mostrato.
hooks-none = Ancora nessun webhook
hooks-none-text = Un webhook dice a un altro programma che cosa succede, appena succede.
hooks-address = Indirizzo
hooks-events = Eventi
hooks-event = Evento
hooks-given-up = Rinunciati
hooks-n-given-up = { $n ->
        [one] { $n } evento rinunciato
       *[other] { $n } eventi rinunciati
    }
hooks-failing = { $n ->
        [one] { $n } tentativo fallito
       *[other] { $n } tentativi falliti
    }
hooks-again-in = di nuovo tra { $span }
hooks-fine = consegna
hooks-last = ultima { $time }
hooks-nothing-yet = ancora nulla inviato
hooks-since = dal { $time }
hooks-remove-confirm = Non inviare più nulla a { $url }? Si perde anche ciò a cui si è rinunciato.
hooks-new = Nuovo webhook
hooks-reach-of = Vede ciò che vede
hooks-hint = Firmati, ritentati con pause crescenti, tenuti in un elenco se tutto fallisce.
hooks-no-event = Spunti almeno un evento.
hooks-dead-none = Nessuna rinuncia
hooks-dead-none-text = Qui sta ciò che non è stato consegnato dopo tutti i tentativi. { $link }
hooks-retry-all = Rinvia tutti
hooks-retry = Rinvia

# Tags.
tags-title = Etichette
tags-text = Un altro nome per un'etichetta, o quello di una che c'è già: allora due diventano una. Viene mostrato prima, sta nella cronologia di ogni contatto e si può annullare.
tags-more = Sono mostrate solo le prime { $n } etichette.
tags-none = Non ci sono ancora etichette.
tags-none-text = Arrivano con i contatti importati, con le modifiche in ufficio e dai dispositivi.
tags-alike = scritta in più modi
tags-new-name = Nuovo nome per { $tag }
tags-rename = Rinominare …
tags-remove = Togliere …
tags-in-parts = { $n } contatti alla volta; ripetere per gli altri.
tags-same = Si chiama già così; dia un altro nome.
tags-gone = Nessun contatto ha più questa etichetta.

# Custom fields.
custom-title = Campi personalizzati
custom-text = Stanno sulla pagina di ogni contatto e arrivano su tutti i dispositivi, in quest'ordine. I filtri li trovano come custom."NOME". Ciò che i contatti hanno già resta com'è, qualunque cosa si cambi qui.
custom-none = Non sono ancora definiti campi personalizzati.
custom-none-text = I valori arrivati con un'importazione restano comunque; definisca un campo con lo stesso nome per dare loro un tipo.
custom-name = Nome
custom-kind = Che cosa contiene
custom-add = Aggiungere un campo
custom-name-hint = Il nome resta: sotto di esso i contatti hanno i loro valori.
custom-choices = Valori di una scelta, uno per riga
custom-kind-text = Testo
custom-kind-number = Numero
custom-kind-date = Data
custom-kind-choice = Scelta
custom-kind-yes-no = Sì o no
custom-earlier = Prima
custom-earlier-one = { $name } un posto prima
custom-remove-confirm = Togliere il campo { $name }? I valori dei contatti restano.
