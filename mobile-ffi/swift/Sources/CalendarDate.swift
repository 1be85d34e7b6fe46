// A date without a time: `DateComponents` with year, month and day. The generated code calls these.

import Foundation

/// The date of a text `YYYY-MM-DD`.
func calendarDate(from text: String) -> DateComponents {
    let parts = text.split(separator: "-").compactMap { Int($0) }
    guard parts.count == 3 else { return DateComponents() }
    return DateComponents(year: parts[0], month: parts[1], day: parts[2])
}

/// `YYYY-MM-DD`; what is no date is refused by the library with `Invalid`.
func isoText(of date: DateComponents) -> String {
    func digits(_ number: Int?, _ width: Int) -> String {
        let text = String(number ?? 0)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    return "\(digits(date.year, 4))-\(digits(date.month, 2))-\(digits(date.day, 2))"
}
