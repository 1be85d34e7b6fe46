// A real server of its own for each test, and devices that are enrolled with it.

import Foundation
import RoadbookKit
import XCTest

/// Generous: machines are shared.
let patience: TimeInterval = 60

/// A running `roadbook-server serve`.
final class Server {
    let url: String
    /// Of its certificate, where it has one.
    let fingerprint: String?
    private let data: String
    private let process: Process

    init(data: String, plain: Bool = true) throws {
        self.data = data
        process = Process()
        process.executableURL = URL(fileURLWithPath: try Server.program())
        process.arguments = ["serve", "--data", data, "--listen", "127.0.0.1:0"] + (plain ? ["--plain"] : [])
        let (output, errors) = (Pipe(), Pipe())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = plain ? FileHandle.nullDevice : errors
        try process.run()
        url = try Server.awaited(output, "listening on ")
        fingerprint = plain ? nil : try Server.awaited(errors, "fingerprint of the certificate's key: ")
    }

    /// The rest of the first whole line that begins with the mark.
    private static func awaited(_ pipe: Pipe, _ mark: String) throws -> String {
        var said = ""
        while true {
            let more = pipe.fileHandleForReading.availableData
            guard !more.isEmpty else { throw Trouble("the server did not become ready: \(said)") }
            said += String(decoding: more, as: UTF8.self)
            let line = said.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                .first { $0.hasPrefix(mark) }
            if let line { return String(line.dropFirst(mark.count)) }
        }
    }

    /// Runs a command of the office; gives the last line that it printed.
    func admin(_ arguments: String...) throws -> String {
        try office(arguments).split(separator: "\n").last.map(String.init) ?? ""
    }

    /// The same; gives all that it printed.
    func office(_ arguments: [String]) throws -> String {
        String(decoding: try played(try Server.program(), arguments + ["--data", data]), as: UTF8.self)
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

/// What a program printed, which was given something to read; its complaint is thrown where it fails.
func played(_ program: String, _ arguments: [String], reads: Data = Data()) throws -> Data {
    let command = Process()
    // By its name, unless it is a path.
    command.executableURL = URL(fileURLWithPath: program.contains("/") ? program : "/usr/bin/env")
    command.arguments = program.contains("/") ? arguments : [program] + arguments
    let (input, output, errors) = (Pipe(), Pipe(), Pipe())
    command.standardInput = input
    command.standardOutput = output
    command.standardError = errors
    try command.run()
    try input.fileHandleForWriting.write(contentsOf: reads)
    try input.fileHandleForWriting.close()
    let said = output.fileHandleForReading.readDataToEndOfFile()
    let complaints = errors.fileHandleForReading.readDataToEndOfFile()
    command.waitUntilExit()
    guard command.terminationStatus == 0 else {
        throw Trouble("\(program) \(arguments): \(String(decoding: complaints, as: UTF8.self))")
    }
    return said
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
        try serve()
    }

    override func tearDownWithError() throws {
        for book in books { book.close() }
        books = []
        server.stop()
        server = nil
        try FileManager.default.removeItem(at: dir)
    }

    /// Starts a server with one rep; one with a certificate in the place of the plain one.
    func serve(plain: Bool = true) throws {
        server?.stop()
        server = try Server(data: path(plain ? "server" : "server-tls"), plain: plain)
        _ = try server.admin("user", "add", "rep", "--role", "rep", "--name", "Rita Rep")
    }

    func path(_ name: String) -> String {
        dir.appendingPathComponent(name).path
    }

    func open(_ name: String = "phone", _ settings: OpenSettings? = nil) async throws -> Roadbook {
        let book = try await Roadbook.open(settings: settings ?? OpenSettings(home: path(name)))
        books.append(book)
        return book
    }

    func device(_ name: String = "phone", _ settings: OpenSettings? = nil) async throws -> Roadbook {
        let book = try await open(name, settings)
        let code = try server.admin("invite", "rep")
        _ = try await book.enrol(
            url: server.url, code: code, deviceName: name, fingerprint: server.fingerprint)
        return book
    }

    /// Changes a database by hand.
    func sql(_ file: String, _ statement: String) throws {
        _ = try played("sqlite3", ["-bail", file, statement])
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
