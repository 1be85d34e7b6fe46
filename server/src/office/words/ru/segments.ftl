# Segments.
segments-ready = Готовые
segments-saved = Сохранённые
segments-saved-none = Соберите сегмент и сохраните под названием.
segments-yours-shared = ваш, общий
segments-yours = ваш
segments-shared = общий
segments-remove-confirm = Удалить сегмент { $name }? Контакты останутся.
segments-remove-label = Удалить сегмент { $name }
segments-build = Собрать сегмент
segments-others = Что, где, чьё
segments-fields = Поля контакта
segments-how = Как
segments-value = Значение
segments-join = Действует
segments-and = вместе с остальными
segments-or = или вместо последнего
segments-add = Добавить условие
segments-by-hand = Как фильтр; свои поля — custom.ИМЯ
segments-all = Все контакты. Выберите сегмент или добавьте условия: должны выполняться все.
segments-take-out = Убрать { $condition }
segments-take-out-filter = Убрать фильтр
segments-clear = Очистить
segments-count = { $n ->
        [one] { $n } контакт
        [few] { $n } контакта
       *[many] { $n } контактов
    } в этом сегменте
segments-everybody-sees = Его видят все в офисе
segments-to = Кому
segments-see-move = Посмотреть, что перейдёт
segments-whom = Кого
segments-everybody = всех
segments-consent-email = с согласием на письма
segments-consent-phone = с согласием на звонки
segments-consent-post = с согласием на почту
segments-consent-sms = с согласием на SMS
segments-export-csv = Выгрузить в CSV
segments-in-audit = Каждая выгрузка попадает в журнал.
segments-mails = При выборе канала исключаются те, кто не дал согласия или кого нельзя беспокоить.
segments-whole-base = Выгружать может только тот, кто видит всю базу.
segments-assign-title = Назначить сегмент
segments-went = { $n ->
        [one] { $n } контакт передан
        [few] { $n } контакта переданы
       *[many] { $n } контактов передано
    }: { $whom }; уже там: { $unchanged }.
segments-would-go = { $n ->
        [one] Перейдёт { $n } контакт
        [few] Перейдут { $n } контакта
       *[many] Перейдут { $n } контактов
    }: { $whom }; уже там: { $unchanged }.
segments-back = Назад к сегменту
segments-assign-hint = Контакты уйдут с устройств нынешних владельцев при следующей связи и придут новому.
segments-assign-n = Назначить { $n ->
        [one] { $n } контакт
        [few] { $n } контакта
       *[many] { $n } контактов
    }
lists-hand = Выдать списком
lists-name = Название списка
lists-to = Кому
lists-each-owner = Всем, у кого есть контакт из сегмента
lists-see = Посмотреть, кто что получит
lists-title = Выдать сегмент списком
lists-would-go = Список «{ $name }» появится на устройствах этих людей. Каждый получит те контакты, которые у него есть.
lists-replaces = Он заменит список, который сейчас так называется.
lists-empty = Ни у кого из них нет контактов этого сегмента. Сначала назначьте контакты.
lists-nobody = { $n ->
        [one] { $n } контакта нет
        [few] { $n } контактов нет
       *[other] { $n } контактов нет
    } ни у кого из них: в список это не войдёт.
lists-hint = Список хранит то, что сегмент находит сейчас. Контакты, которые передали другому или стёрли, выходят из него сами; новые войдут, когда список выдадут снова.
lists-hand-n = Выдать { $n ->
        [one] { $n } человеку
        [few] { $n } людям
       *[other] { $n } людям
    }
lists-went = Список «{ $name }» выдан. На подключённых устройствах он уже есть, на остальных появится при следующей связи.
lists-handed = Выданные
lists-none = Ни один список не выдан.
lists-to-whom = кому: { $to }
lists-by = выдал(а) { $by }, { $time }
lists-back = Отозвать
lists-back-label = Отозвать список { $name }
lists-back-confirm = Отозвать список { $name }? Он исчезнет с устройств, контакты останутся.
lists-no-name = Дайте списку название до 80 знаков, с буквами или цифрами.
lists-nobody-chosen = Выберите, кому выдать список.
assign = Назначить
segments-no-name = Дайте сегменту название до 80 знаков.
segments-no-field = Поля «{ $field }» нет.
segments-no-value = Напишите, с чем сравнивать.
segments-one-word = «содержит» берёт одно слово.
segments-no-days = Напишите число дней.
segments-no-how = Выберите, как сравнивать.
seg-group-bases = Основные
seg-group-care = Забота
seg-group-loyalty = Лояльность
seg-potential = Потенциальные
seg-potential-what = ни разу не покупали
seg-new = Новые
seg-new-what = купили раз, в течение года
seg-active = Активные
seg-active-what = купили снова, в течение года
seg-dormant = Спящие
seg-dormant-what = купили, потом год молчания
seg-key-accounts = Ключевые клиенты
seg-key-accounts-what = класс A или отмеченные
seg-no-contact-for-60-days = Без контакта 60 дней
seg-no-contact-for-60-days-what = клиенты
seg-beyond-their-cadence = Сверх своего ритма
seg-beyond-their-cadence-what = контакт просрочен
seg-truly-loyal = Истинно лояльные
seg-truly-loyal-what = довольны и покупают
seg-accessible = Доступные
seg-accessible-what = довольны, но не покупают
seg-trapped = Связанные
seg-trapped-what = недовольны, но покупают
seg-high-risk = Высокий риск
seg-high-risk-what = ни то ни другое
by-tag = Метка
by-city = Город
by-postal-code = Почтовый индекс
by-region = Регион
by-country = Страна
by-owner = Владелец (логин)
by-contacted = Последний контакт
by-touched = Последняя правка
by-visits = Визиты
by-calls = Звонки
by-interactions = Взаимодействия
by-complaints = Жалобы
by-bought = Последняя покупка
by-purchases = Покупки
by-revenue = Выручка
by-deal = Открытые сделки
by-stage = Этап сделки
by-tasks = Открытые задачи
by-consent = Согласие на канал
by-recency = Класс давности
by-frequency = Класс частоты
by-monetary = Класс суммы
by-abc = Класс ABC
by-nps = Последний ответ (NPS)
op-is = равно
op-not = не равно
op-contains = содержит
op-min = не меньше
op-max = не больше
op-older = раньше чем (дней назад)
op-within = за последние (дней)
op-there = есть
op-missing = нет
segments-from = От кого
