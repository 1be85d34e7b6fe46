// A real server of its own for each test, and devices that are enrolled with it.

import Foundation
import RoadbookKit
import XCTest

/// Generous: machines are shared.
let patience: TimeInterval = 60

/// A running `roadbook-server serve` with one rep.
final class Server {
    let url: String
    private let data: String
    private let process: Process

    init(data: String) throws {
        self.data = data
        process = Process()
        process.executableURL = URL(fileURLWithPath: try Server.program())
        process.arguments = ["serve", "--data", data, "--plain", "--listen", "127.0.0.1:0"]
        let output = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        var said = ""
        while true {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw Trouble("the server did not become ready: \(said)") }
            said += String(decoding: more, as: UTF8.self)
            let ready = said.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                .first { $0.hasPrefix("listening on ") }
            if let ready {
                url = String(ready.dropFirst("listening on ".count))
                return
            }
        }
    }

    /// Runs a command of the office; gives the last line that it printed.
    func admin(_ arguments: String...) throws -> String {
        try office(arguments).split(separator: "\n").last.map(String.init) ?? ""
    }

    /// The same; gives all that it printed.
    func office(_ arguments: [String]) throws -> String {
        let command = Process()
        command.executableURL = URL(fileURLWithPath: try Server.program())
        command.arguments = arguments + ["--data", data]
        let (output, errors) = (Pipe(), Pipe())
        command.standardInput = FileHandle.nullDevice
        command.standardOutput = output
        command.standardError = errors
        try command.run()
        let said = output.fileHandleForReading.readDataToEndOfFile()
        let complaints = errors.fileHandleForReading.readDataToEndOfFile()
        command.waitUntilExit()
        guard command.terminationStatus == 0 else {
            throw Trouble("\(arguments): \(String(decoding: complaints, as: UTF8.self))")
        }
        return String(decoding: said, as: UTF8.self)
    }

    func signal(_ number: Int32) {
        kill(process.processIdentifier, number)
    }

    func stop() {
        if process.isRunning {
            signal(SIGKILL)
            process.waitUntilExit()
        }
    }

    private static func program() throws -> String {
        guard let program = ProcessInfo.processInfo.environment["ROADBOOK_SERVER"], !program.isEmpty else {
            throw Trouble("ROADBOOK_SERVER names no server: use mobile-ffi/swift/test")
        }
        return program
    }
}

struct Trouble: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A test with a directory, a server and devices of its own.
class Case: XCTestCase {
    private(set) var dir: URL!
    private(set) var server: Server!
    private var books: [Roadbook] = []

    override func setUpWithError() throws {
        dir = FileManager.default.temporaryDirectory.appendingPathComponent("roadbook-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: dir, withIntermediateDirectories: true)
        server = try Server(data: path("server"))
        _ = try server.admin("user", "add", "rep", "--role", "rep", "--name", "Rita Rep")
    }

    override func tearDownWithError() throws {
        for book in books { book.close() }
        books = []
        server.stop()
        server = nil
        try FileManager.default.removeItem(at: dir)
    }

    func path(_ name: String) -> String {
        dir.appendingPathComponent(name).path
    }

    func open(_ name: String = "phone") async throws -> Roadbook {
        let book = try await Roadbook.open(settings: OpenSettings(home: path(name)))
        books.append(book)
        return book
    }

    func device(_ name: String = "phone") async throws -> Roadbook {
        let book = try await open(name)
        let code = try server.admin("invite", "rep")
        _ = try await book.enrol(url: server.url, code: code, deviceName: name)
        return book
    }
}

func text(_ field: Field, _ value: String) -> Edit {
    .set(field: field, value: .text(text: value))
}

func company(_ name: String) -> [Edit] {
    [text(.company, name)]
}

/// The error that a call throws; a test fails where it throws none, or another kind.
func thrown(
    _ call: () async throws -> Void, file: StaticString = #filePath, line: UInt = #line
) async -> RoadbookError? {
    do {
        try await call()
        XCTFail("nothing was thrown", file: file, line: line)
    } catch let error as RoadbookError {
        return error
    } catch {
        XCTFail("\(error) was thrown", file: file, line: line)
    }
    return nil
}

/// That a call throws an error of a kind.
func refused(
    _ call: () async throws -> Void, file: StaticString = #filePath, line: UInt = #line,
    _ kind: (RoadbookError) -> Bool
) async {
    if let error = await thrown(call, file: file, line: line), !kind(error) {
        XCTFail("\(error) was thrown", file: file, line: line)
    }
}

/// The first of a stream's items for which `wanted` holds.
func until<Items: AsyncSequence>(
    _ items: Items, _ wanted: @escaping @Sendable (Items.Element) -> Bool
) async throws -> Items.Element where Items: Sendable, Items.Element: Sendable {
    try await within { for try await item in items where wanted(item) { return item }; throw Trouble("it ended") }
}

/// What a call gives, within the time that a test may take.
func within<Result: Sendable>(
    _ work: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask(operation: work)
        group.addTask {
            try await Task.sleep(nanoseconds: UInt64(patience * 1e9))
            throw Trouble("nothing came within \(patience) s")
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw Trouble("nothing came") }
        return first
    }
}
