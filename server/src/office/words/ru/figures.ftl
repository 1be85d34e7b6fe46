# Whose figures, of which time.
everybody = Все
team-name = Команда { $name }
of-whom = Чьи
period = Период
n-days = { $n ->
        [one] { $n } день
        [few] { $n } дня
       *[many] { $n } дней
    }
n-months = { $n ->
        [one] { $n } месяц
        [few] { $n } месяца
       *[many] { $n } месяцев
    }
n-years = { $n ->
        [one] { $n } год
        [few] { $n } года
       *[many] { $n } лет
    }
month-year = { $month } { $year }
figures-label = Показатели
as-a-table = Таблицей
figures-as-a-table = Числа таблицей

# Activity.
visits = Визиты
calls = Звонки
activity-calls-others = { $calls ->
        [one] { $calls } звонок
        [few] { $calls } звонка
       *[many] { $calls } звонков
    }, прочих: { $others }, за { $period }
activity-hit-rate = Результативность
activity-hit-rule = визиты с покупкой или выигранной сделкой в течение { $n } дней
activity-tasks-done = Выполнено задач
activity-of-due = { $done } из { $n } со сроком за { $period }
activity-neglected = Без внимания
activity-of-cadence = из { $n } с ритмом контактов
nobody-yet = Пока никого
activity-add-reps = Добавьте представителей командой { $command }.
activity-caption = Что сделал каждый
activity-other = Прочие
new-contacts = Новые контакты
activity-overdue = Просрочено визитов
activity-narrow = { $new } новых · { $done } из { $tasks } задач · { $neglected } без внимания
of-n = из { $n }
visits-and-calls = Визиты и звонки
activity-by-week = по неделям, дни UTC
activity-by-day = по дням, дни UTC
activity-none = За этот период ничего нет
activity-none-text = Визиты и звонки отмечают представители на своих устройствах, офис — на странице контакта.
activity-bar = { $day }: { $visits ->
        [one] { $visits } визит
        [few] { $visits } визита
       *[many] { $visits } визитов
    }, { $calls ->
        [one] { $calls } звонок
        [few] { $calls } звонка
       *[many] { $calls } звонков
    }
week-from = Неделя с
day = День

# The funnel.
funnel-none = Сделок пока нет
funnel-none-text = Представители добавляют сделки на устройствах, офис — на странице контакта. Здесь они стоят по этапам.
funnel-board = Доска
funnel-drag = Перетащите сделку на другой этап или откройте на ней «Переместить».
funnel-by-stage = Сделки по этапам
no-amount = без суммы
funnel-open = Открытые сделки
funnel-expected = Ожидается
funnel-expected-rule = сумма на вероятность
funnel-won = Выиграно
funnel-in-period = за этот период
funnel-won-of-closed = Выиграно из закрытых
funnel-n-lost = { $n ->
        [one] проиграна { $n }
        [few] проиграно { $n }
       *[many] проиграно { $n }
    } за период
funnel-nothing = пусто
funnel-newest = Новейшие { $shown } из { $n }.
funnel-here = здесь { $span }
funnel-close = закрытие { $date }
funnel-move = Переместить
funnel-move-hidden = { $title }, { $name }
funnel-to-stage = На этап
funnel-reason-if-lost = Причина, если проиграна
funnel-through = Как проходят сделки
funnel-begun = начаты за { $period }
funnel-none-began = Ни одна сделка не начата
choose-longer = Выберите более долгий период.
funnel-conversion-label = Переход и время по этапам
stage = Этап
funnel-reached = Дошли
funnel-of-all = Из всех
funnel-go-on = Идут дальше
funnel-stay = Пребывание, медиана
funnel-deals-lost = { $deals ->
        [one] { $deals } сделка
        [few] { $deals } сделки
       *[many] { $deals } сделок
    }, проиграно: { $lost }.
funnel-half-won = Половина выигранных заняла до { $span }.
funnel-no-day = день не указан
funnel-outlook = Ожидаемая выручка
funnel-by-close = по ожидаемому закрытию
funnel-nothing-open = Открытого нет
funnel-nothing-open-text = Открытые сделки с суммой стоят здесь по месяцам.
funnel-by-month-label = Ожидаемая выручка по месяцам
month = Месяц
funnel-expected-note = Сумма, умноженная на вероятность от представителя; без неё — на вероятность этапа: { $stages }.
funnel-why-lost = Почему сделки проиграны
funnel-none-lost = Проигрышей нет
funnel-none-lost-text = За этот период ни одна сделка не проиграна.
funnel-no-reason = Причина не указана
deals = Сделки

# Value.
value-no-day = «{ $text }» — не день; напишите его как 2026-03-31.
value-no-limits = «{ $text }» — не границы для «{ $name }»; напишите четыре числа по возрастанию, например 30, 90, 180, 365.
value-name-recency = давность
value-name-frequency = частота
value-name-monetary = сумма
value-none = Пока ничего не куплено
value-none-text = Покупки загружают командой { $command } или вводят на странице контакта.
value-incomplete = { $n ->
        [one] { $n } покупка
        [few] { $n } покупки
       *[many] { $n } покупок
    } без даты или суммы: в расчётах их нет.
as-of-label = На дату
value-currency = Валюта
value-purchases-of = Покупки за
value-all-time = всё время
value-classes-by = Классы по
value-quintiles = квинтилям
value-limits = заданным границам
value-limit-recency = Дней с последней, классы 5–2
value-limit-frequency = Покупок, классы 2–5
value-limit-monetary = Выручка, классы 2–5
value-totals-label = Итоги по валютам
value-revenue-in = Выручка в { $currency }
value-total-of = { $purchases ->
        [one] { $purchases } покупка
        [few] { $purchases } покупки
       *[many] { $purchases } покупок
    } от { $customers ->
        [one] { $customers } клиента
        [few] { $customers } клиентов
       *[many] { $customers } клиентов
    } по { $date }
n-customers = { $n ->
        [one] { $n } клиент
        [few] { $n } клиента
       *[many] { $n } клиентов
    }
value-rf = Давность и частота
value-customers-in = клиенты, { $currency }
value-rf-note = R 5 — купили позже всех, F 5 — чаще всех. Каждый класс — пятая часть клиентов; равные клиенты в одном классе.
value-rf-note-limits = R 5 — купили позже всех, F 5 — чаще всех, по границам выше; равные клиенты в одном классе.
value-rf-label = Клиенты по давности и частоте
value-recency = Давность
value-cell = { $customers }, давность { $r }, частота { $f }: { $amount }
class = Класс
customers = Клиенты
revenue = Выручка
value-each = На клиента
value-mean-m = Среднее M
value-moved = Кто переместился
value-moved-against = против 3 месяцев назад
value-moves-label = Переходы между группами
value-group = Группа
value-now = Сейчас
value-came = Пришли
value-first = Впервые
value-left = Ушли
value-moves-note = Пришли из другой группы, купили впервые, ушли в другую группу.
value-no-customer = не клиент
value-from-to = Откуда, куда
value-abc = Кто приносит выручку
value-no-revenue = Выручки нет
value-no-revenue-text = За это время ничего не заработано.
value-curve-label = Доля выручки крупнейших клиентов
value-curve-note = По горизонтали — клиенты от крупнейших. По вертикали — их доля выручки.
value-abc-label = Классы ABC
share = Доля
value-a = первые 80 %
value-b = следующие 15 %
value-c = последние 5 %
value-seasons = Месяцы и сезоны
value-months-label = Выручка каждого из последних 24 месяцев
purchases = Покупки
value-season = Сезон: 100 — средний месяц
value-season-label = Индекс каждого месяца за полные годы
value-index = Индекс
value-season-none = Сезоны появятся, когда будет полный год покупок.
value-silent = Замолчали, стоит вернуть
value-choose-all = Выберите «всё время»
value-choose-all-text = Молчание оценивается по всем покупкам клиента.
value-silent-none = Никто не замолчал
value-silent-none-text = Все купили в пределах двойного обычного срока.
value-silent-caption = Замолчавшие клиенты, крупнейшие сначала
customer = Клиент
owner = Владелец
value-silent-for = Молчит
value-usual = Обычно
nobody = никто
value-every = каждые { $span }
value-once = однажды
value-silent-note = Молчат дольше двойного обычного промежутка и дольше { $days } дней; купившие один раз — дольше { $once }.
value-nps = Порекомендуют ли нас
value-nps-what = индекс NPS, 12 месяцев
value-nps-none = Ответов пока нет
value-nps-none-text = Представители записывают опрос с ответом от 0 до 10 на устройствах, офис — на странице контакта.
value-nps-answers = { $n ->
        [one] { $n } ответ
        [few] { $n } ответа
       *[many] { $n } ответов
    }: сторонников { $promoters } (9–10), нейтральных { $passives } (7–8), критиков { $detractors } (0–6)
value-nps-no-answer = нет ответа
value-nps-label = Индекс каждого месяца
value-score = Индекс
value-no-comment = Никто не прокомментировал ответ.
group-champions = Чемпионы
group-loyal = Лояльные
group-promising = Перспективные
group-new = Новые
group-need-attention = Требуют внимания
group-fading = Угасающие
group-at-risk = Под угрозой
group-dormant = Спящие
