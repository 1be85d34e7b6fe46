# Numbers, days, spans.
months-short = янв. февр. марта апр. мая июня июля авг. сент. окт. нояб. дек.
date = { $day } { $month } { $year } г.
date-without-year = { $day } { $month }
date-time = { $date }, { $time }
time-utc = { $time } UTC
time-unknown = неизвестно
span-under-a-minute = меньше минуты
span-minutes = { $n } мин
span-hours = { $n } ч
span-days = { $n } дн.
as-of = на { $time }
money = { $amount } { $currency }

# Counts of many pages.
n-contacts = { $n ->
        [one] { $n } контакт
        [few] { $n } контакта
       *[many] { $n } контактов
    }
n-devices = { $n ->
        [one] { $n } устройство
        [few] { $n } устройства
       *[many] { $n } устройств
    }
n-edits = { $n ->
        [one] { $n } правка
        [few] { $n } правки
       *[many] { $n } правок
    }
n-minutes = { $n ->
        [one] { $n } минуту
        [few] { $n } минуты
       *[many] { $n } минут
    }

# The frame.
skip-to-content = Перейти к содержанию
nav-main = Главное меню
nav-today = Сегодня
nav-contacts = Контакты
nav-segments = Сегменты
nav-funnel = Воронка
nav-activity = Активность
nav-value = Ценность
nav-decide = Решения
nav-people = Люди
nav-alerts = Тревоги
nav-settings = Настройки
n-to-decide-hidden = { $n ->
        [one] ждёт решения
        [few] ждут решения
       *[many] ждут решения
    }
n-new-hidden = { $n ->
        [one] новое
        [few] новых
       *[many] новых
    }
role-rep = представитель
role-manager = менеджер
role-admin = администратор
role-read-only = только чтение
held-back = Данные клиентов придержаны.
held-back-why = Сервер восстановлен без своего журнала. { $link }.
held-back-link = Посмотреть, что нужно решить
sign-out = Выйти
not-live = не в реальном времени
receipt-quarantined = сохранено на устройстве, записано на сервере, в карантине
receipt-merged = сохранено на устройстве, записано на сервере, объединено
receipt-stored = сохранено на устройстве, записано на сервере

# Texts of the script.
js-changed = Кто-то изменил это, пока вы писали.
js-take-theirs = Отбросить моё, показать чужое
js-live = в реальном времени
js-not-live = нет связи
js-reconnecting = переподключение
js-saved = Сохранено.
js-unreachable = Сервер недоступен.
js-unsaved = Ответа от сервера нет. Написанное осталось здесь; отправьте ещё раз — дважды это не произойдёт.
js-answered = Сервер ответил { $status }.

# What went wrong.
error-not-allowed = Нет доступа
error-not-here = Здесь этого нет
error-not-taken = Не принято
error-changed = За это время изменено
error-not-now = Не сейчас
error-enough = Пока достаточно
error-slow-down = Помедленнее
error-failed = Не получилось
error-no-such-page = В этом рабочем пространстве нет такой страницы. Возможно, её удалили или ссылка неполная.
error-no-such = В этом рабочем пространстве этого нет ({ $what }). Возможно, это удалили или ссылка неполная.
error-too-many = Слишком много попыток. Попробуйте через { $minutes }.
error-failed-text = Сервер не смог это сделать. Ничего не изменено. Попробуйте ещё раз; если не поможет, сообщите администратору: причина записана в его журнале.
error-go-to-today = Перейти на «Сегодня»
error-number = Ошибка { $n }
what-page = страница
what-thing = объект
what-contact = контакт
what-device = устройство
what-person = человек
what-segment = сегмент
what-proposal = предложение
what-alert = тревога
what-deal = сделка
what-cell = ячейка
forbidden-role = Ваша роль этого не позволяет. Это может сделать администратор — или дать вам другую роль.
forbidden-read-only = Ваша роль позволяет только читать. Администратор может дать вам другую.
forbidden-review = Сервер восстановлен, и администратор должен сначала подтвердить, кому что видно. Ваши устройства продолжают принимать правки.
forbidden-session = Форма относится к другому сеансу. Обновите страницу и отправьте ещё раз.
forbidden-site = Эта форма пришла с другого сайта. Откройте страницу здесь и отправьте ещё раз.
form-unreadable = Не удалось прочитать форму: { $error }.
forbidden-beside = Вы работаете с этим контактом рядом с владельцем из другой команды. Обратитесь к его менеджеру или администратору.
