# Signing in.
sign-in = Accedi
sign-in-workspace = Area di lavoro
sign-in-login = Nome utente
sign-in-password = Password
sign-in-or = oppure
sign-in-with = Accedi con { $name }
sign-in-first-time = È la prima volta? { $link }.
sign-in-use-code = Usi il Suo codice monouso
sign-in-wrong = Nome utente e password non corrispondono.
sign-in-rep = Queste pagine sono per responsabili e amministratori. Come agente Lei lavora nell’app Roadbook: chieda al responsabile un codice di registrazione e colleghi con esso il Suo dispositivo.
sign-in-second-title = Secondo fattore
sign-in-one-more-step = Ancora un passo
sign-in-six-digits = Inserisca le sei cifre che la Sua app di autenticazione mostra adesso, o uno dei codici di recupero.
sign-in-code = Codice
sign-in-neither = Non ha né l’una né l’altro? Un amministratore può disattivare il Suo secondo fattore.
sign-in-took-too-long = È passato troppo tempo, o troppi codici erano sbagliati. Ricominci.
sign-in-code-wrong = Questo codice non è valido. I codici cambiano ogni mezzo minuto e ognuno vale una volta.
welcome = Benvenuto
welcome-text = Il Suo codice monouso apre la porta una volta. Scelga la password che l’aprirà da allora in poi.
welcome-code = Codice monouso
password-new = Nuova password
password-rule = { $n } caratteri o più; alcune parole si ricordano facilmente.
password-again = La stessa di nuovo
welcome-set = Imposta la password e accedi
welcome-have-one = Ha già una password? { $link }.
password-differ = Le due password sono diverse.
code-unknown = Questo codice non è noto qui (errore di battitura, o di un altro server); ne chieda uno nuovo all’amministratore.
password-short = Una password deve avere almeno { $n } caratteri; alcune parole si ricordano facilmente.
password-long = Una password può avere al massimo { $n } byte.
password-easy = Questa password è troppo facile da indovinare; ne scelga una che non sia il nome utente o un solo carattere ripetuto.

# One's own account.
account-title = Il Suo account
account-change-password = Cambia password
account-others-out = Gli altri browser vengono disconnessi.
account-others = Altri browser
account-others-text = Chiude tutte le Sue sessioni tranne questa.
account-others-end = Esci altrove
account-language = Lingua
account-language-browser = Come preferisce il browser
account-language-text = Di queste pagine, in ogni browser con cui accede.
save = Salva
account-your-password = La Sua password
account-recovery-codes = Codici di recupero
account-recovery-text = Ognuno apre la porta una volta quando l’app non è a portata di mano. Li conservi lontano dal telefono. Vengono mostrati solo ora.
account-scan = Inquadri l’immagine con un’app di autenticazione e inserisca le sei cifre che mostra.
account-type-secret = Oppure digiti questo nell’app: { $secret }
account-six-digits = Sei cifre
account-turn-on = Attiva
account-factor-on = attivo
account-factor-since = { $chip } dal { $time }, { $n ->
        [one] resta { $n } codice
       *[other] restano { $n } codici
    } di recupero
account-new-codes = Nuovi codici di recupero
account-old-end = I vecchi non valgono più.
account-off-confirm = Disattivare il secondo fattore? Poi basterà la password per entrare.
account-turn-off = Disattiva
account-factor-why = Con esso la sola password non apre nulla: un’app sul telefono mostra un codice che cambia ogni mezzo minuto.
account-set-up = Configura
account-picture = Il segreto come immagine per l’app
account-wrong-password = Questa non è la Sua password.
account-factor-done = Il secondo fattore è attivo: verrà chiesto al prossimo accesso.
account-digits-wrong = Queste non sono le cifre attuali. L’orologio del telefono è giusto? Provi le prossime.

# The company's own way in.
oidc-unreachable = { $name } non è raggiungibile al momento. Acceda con la password, o riprovi tra qualche minuto.
oidc-not-let-in = { $name } non Le ha permesso di entrare: { $reason }.
oidc-not-believed = La risposta di { $name } non è credibile: { $reason }. Ricominci; se il problema rimane, avvisi l’amministratore: il suo registro dice di più.
oidc-too-long = Questo accesso ha richiesto troppo tempo, è già stato usato o è iniziato in un altro browser. Ricominci.
oidc-workspace = Questo server ha più aree di lavoro, o non quella indicata; un amministratore deve nominarla nell’impostazione oidc_workspace.
oidc-nobody = { $name } La conosce come “{ $who }”, e nessuno con quel nome utente può entrare qui. Un amministratore può aggiungerLa o cambiare il Suo nome utente.
