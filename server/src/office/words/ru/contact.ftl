# A contact.
contact-identity = Личность
contact-reach = Как связаться
contact-standing = Положение
contact-plan = План
contact-business = Сделки и покупки
contact-personal = Личное
contact-rights = Права
contact-do-not = не беспокоить
contact-archived = в архиве
n-conflicts = { $n ->
        [one] { $n } конфликт
        [few] { $n } конфликта
       *[many] { $n } конфликтов
    }
contact-owner = владелец: { $name }
contact-no-owner = нет владельца
contact-no-owner-choice = Без владельца
contact-merged = последняя правка объединена { $time }
contact-hide-who = Скрыть авторов
contact-who = Кто что написал
contact-both-sides = Обе стороны писали, не видя друг друга. Ничего не потеряно ни до выбора, ни после: всё остаётся в истории.
contact-empty-fields = { $n ->
        [one] { $n } пустое поле
        [few] { $n } пустых поля
       *[many] { $n } пустых полей
    }
tags = Метки
contact-remove-tag = Удалить метку { $tag }
contact-new-tag = Новая метка
contact-add-tag = Добавить метку
contact-expected = ожидается { $date }
contact-due = срок { $date }
contact-consent-for = { $state }: { $purpose }
contact-systems = В других системах
contact-log = Записать взаимодействие
contact-log-hint = Что сказали и что дальше
contact-log-it = Записать
contact-log-now = Без времени — сейчас.
contact-note-hint = Что должен знать каждый, кто встречает этот контакт
contact-save-note = Сохранить заметку
contact-add-phone = телефон
contact-add-email = почта
contact-add-address = адрес
contact-add-messenger = мессенджер
contact-add-deal = сделка
contact-add-purchase = покупка
contact-add-task = задача
contact-add-consent = согласие

# Editing a contact.
edit-not-all = Записать удалось не всё: { $reasons }.
edit-changed = Пока вы писали, кто-то изменил это на { $now }. Сохраните ещё раз, чтобы записать своё поверх.
edit-nothing = пусто
edit-quoted = «{ $text }»
edit-no-list = Форма не называет список контакта. Обновите страницу.
edit-fill-in = Заполните хотя бы одно поле.
edit-removed = Кто-то тем временем удалил это. Добавьте заново, если нужно.
edit-deal-moved = Пока вы смотрели, кто-то переместил сделку в «{ $stage }». Переместите снова, если всё ещё хотите.
edit-currency = Сумме нужна валюта, например EUR.
edit-time = Время не читается; напишите его как 2026-05-31T14:30.
edit-tag-first = Сначала напишите метку.
edit-line = Напишите в строке, о чём шла речь.
edit-note-long = В заметке было бы { $n } байт, можно { $max }; сократите её.
edit-note-old = Страница слишком стара, чтобы понять, что вы изменили. Скопируйте текст, обновите страницу и впишите его снова.
edit-decided = Кто-то уже решил это. Обновите страницу, чтобы увидеть как.
edit-side-gone = Этого значения больше нет. Обновите страницу.
edit-name-or-reach = Укажите имя, компанию или способ связи.

# The list.
contacts-silent-never = ни разу не связывались
contacts-search = Поиск
contacts-search-hint = Имена, компании, телефоны, заметки
contacts-order = Порядок
contacts-find = Найти
contacts-all-names = Все имена
contacts-try = Попробуйте { $a }, { $b }, { $c } или { $d }.
contacts-more-than = больше { $n } контактов
contacts-city = Город
contacts-latest = Последний контакт
contacts-latest-change = Последняя правка
contacts-longest = Дольше всех без контакта
contacts-next-visit = Следующий визит
contacts-next-task = Следующая задача
contacts-next = Далее
contacts-none-fit-text = Нет контакта со всем этим. Ищите меньше слов или { $link }.
contacts-see-all = покажите все
contacts-none = Контактов пока нет
contacts-none-text = Импортируйте файл командой { $command } или введите первый через «Новый контакт».
contacts-of = { $part } из { $all }
contacts-cut = ; показаны лучшие из первых { $n }, уточните запрос
contacts-new = Новый контакт
contacts-create = Создать
contacts-no-owner-yet = У него нет владельца, пока его не назначат.
contacts-phone = Телефон
contacts-email = Почта
contacts-name = Имя
contacts-company = Компания
status = Статус
