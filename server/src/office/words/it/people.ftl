# People and devices.
never-seen = mai visto
device-first-sync = prima sincronizzazione, ne restano { $n }
device-behind = { $span } indietro
device-now = adesso
device-nothing-unsent = nulla da inviare
device-known-unsent = { $edits } da inviare
device-has-all = { $unsent }, ha tutto ciò che c’è qui
device-newer = { $unsent }, { $n ->
        [one] { $n } contatto più recente
       *[other] { $n } contatti più recenti
    } qui
device-wiped = svuotato { $time }
device-recovered = { $edits } recuperate
device-wipes-itself = si svuota al prossimo contatto
device-no-end = senza scadenza
device-locked = bloccato
device-since = dal { $time }
device-until = fino al { $time }
device-readable = leggibile { $lease }
device-outdated = non aggiornato
device-needs = richiede { $app }
never = mai
device-revoke-confirm = Revocare il dispositivo { $device } di { $person }? Non riceverà altri dati e non potrà ricollegarsi con questa chiave.
device-revoke = Revoca
device-of = { $device } di { $person }
device-none-behind = nessun dispositivo è indietro
device-n-behind = { $n ->
        [one] { $n } dispositivo indietro
       *[other] { $n } dispositivi indietro
    }
device-last-seen = visto { $span } fa
device-and-more = e altri { $n }; { $link }
device-all = tutti i dispositivi
devices = Dispositivi
devices-none = Nessun dispositivo registrato
devices-none-text = { $invite } stampa un codice; sul dispositivo dell’agente lo usa { $enroll }.
devices-caption = Dispositivi e loro aggiornamento
device = Dispositivo
freshness = Aggiornamento
last-seen = Ultimo contatto
difference = Differenza
readable = Leggibile
app = App
actions = Azioni
people = Persone
person = Persona
role = Ruolo
team = Squadra
person-disabled = disabilitato
person-code-confirm = Creare un codice monouso con cui { $person } imposta una nuova password?
person-code = Codice di accesso
person-for-hidden = per { $person }
people-add-hint = Le persone si aggiungono con { $add }, i dispositivi con { $invite }.
person-code-for = Per { $person }, una volta, per { $span }. Lo comunichi al telefono o di persona; viene mostrato solo ora.
person-code-used = Si usa su { $link }. Un secondo fattore resta com’è.
people-back = Torna alle persone
wipe-enrolled = registrato
wipe-wiped = svuotato
wipe-wiping = in svuotamento
wipe-revoked = revocato
