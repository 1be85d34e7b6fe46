// The app: opens the replica, and tells it when it comes and goes.

import BackgroundTasks
import RoadbookKit
import SwiftUI

/// What asks for time in the background; named in Info.plist under BGTaskSchedulerPermittedIdentifiers.
let refreshTask = "app.roadbook.sample.refresh"

/// The model as SwiftUI watches it.
@MainActor
final class Shown: ObservableObject {
    @Published private(set) var model: ContactsModel?
    @Published private(set) var trouble: String?

    init() {
        Task {
            do {
                let model = try await ContactsModel.open(
                    home: try Shown.home(), keyStore: Keychain(), signer: EnclaveSigner())
                model.changed = { [weak self] in self?.objectWillChange.send() }
                if model.enrolled {
                    model.watch(filter: nil)
                    await model.enterForeground()
                }
                self.model = model
            } catch {
                trouble = words(error)
            }
        }
    }

    /// A directory that no backup takes.
    private static func home() throws -> URL {
        let support = try FileManager.default.url(
            for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
        var home = support.appendingPathComponent("replica", isDirectory: true)
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        var values = URLResourceValues()
        values.isExcludedFromBackup = true
        try home.setResourceValues(values)
        return home
    }
}

@main
struct SampleApp: App {
    @StateObject private var shown = Shown()
    @Environment(\.scenePhase) private var phase

    var body: some Scene {
        WindowGroup {
            NavigationView {
                if let model = shown.model {
                    ContactsView(shown: shown, model: model)
                } else {
                    Text(shown.trouble ?? "Opening")
                }
            }
        }
        .onChange(of: phase) { phase in
            guard let model = shown.model, model.enrolled else { return }
            switch phase {
            case .active: Task { await model.enterForeground() }
            case .background: background(model)
            default: break
            }
        }
        .backgroundTask(.appRefresh(refreshTask)) {
            guard let model = await shown.model, await model.enrolled else { return }
            await model.enterForeground()
            _ = await model.refresh(within: 20)
            await model.enterBackground()
        }
    }

    /// iOS ends an app that is suspended with a file lock: the time to let go of it is asked for.
    private func background(_ model: ContactsModel) {
        let application = UIApplication.shared
        var asked = UIBackgroundTaskIdentifier.invalid
        asked = application.beginBackgroundTask { application.endBackgroundTask(asked) }
        Task {
            await model.enterBackground()
            application.endBackgroundTask(asked)
        }
        let request = BGAppRefreshTaskRequest(identifier: refreshTask)
        request.earliestBeginDate = Date(timeIntervalSinceNow: 3600)
        try? BGTaskScheduler.shared.submit(request)
    }
}
