// Enrol, list, edit offline, show receipts, show a conflict, sync.

import RoadbookKit
import SwiftUI

struct ContactsView: View {
    @ObservedObject var shown: Shown
    let model: ContactsModel
    @State private var filter = ""

    var body: some View {
        VStack(alignment: .leading) {
            if let trouble = model.trouble { Text(trouble).foregroundColor(.red) }
            ForEach(model.alerts.indices, id: \.self) { Text("\(String(describing: model.alerts[$0]))") }
            if model.enrolled {
                Text(model.online ? "Connected" : "No connection; \(model.unsent) edits wait")
                List(model.rows, id: \.id) { row in
                    NavigationLink(destination: ContactView(shown: shown, model: model, id: row.id)) {
                        VStack(alignment: .leading) {
                            Text(row.displayName)
                            Text(row.company ?? "").font(.caption)
                        }
                        if row.conflicts > 0 { Image(systemName: "exclamationmark.triangle") }
                    }
                }
                .searchable(text: $filter)
                .onChange(of: filter) { model.watch(filter: $0.isEmpty ? nil : $0) }
                .refreshable { _ = await model.refresh(within: 20) }
            } else {
                EnrolmentView(model: model)
            }
        }
        .navigationTitle("\(model.total) contacts")
    }
}

struct EnrolmentView: View {
    let model: ContactsModel
    @State private var url = "https://"
    @State private var code = ""

    var body: some View {
        Form {
            TextField("Server", text: $url).textInputAutocapitalization(.never)
            TextField("Code of the office", text: $code)
            Button("Enrol") {
                Task {
                    await model.enrol(url: url, code: code, name: UIDevice.current.name)
                    if model.enrolled { await model.enterForeground() }
                }
            }
        }
    }
}

struct ContactView: View {
    @ObservedObject var shown: Shown
    let model: ContactsModel
    let id: String
    @State private var contact: Contact?
    @State private var company = ""
    @State private var conflicts: [Conflict] = []
    @State private var receipts: [OutboxEntry] = []

    var body: some View {
        Form {
            TextField("Company", text: $company)
            Button("Save") {
                Task {
                    await model.save(id, [.set(field: .company, value: .text(text: company))])
                    await load()
                }
            }
            ForEach(conflicts, id: \.self) { conflict in
                Section("Which one holds?") {
                    ForEach(conflict.sides, id: \.self) { side in
                        Button("\(side.author.name): \(String(describing: side.value))") {
                            Task {
                                await model.decide(conflict, side)
                                await load()
                            }
                        }
                    }
                }
            }
            Section("Edits") {
                ForEach(receipts, id: \.editId) { Text("\($0.command): \(String(describing: $0.receipt))") }
            }
        }
        .navigationTitle(contact?.displayName ?? "")
        .task { await load() }
        .onReceive(shown.objectWillChange) { _ in Task { await load() } }
    }

    private func load() async {
        let before = contact?.company
        contact = await model.contact(id)
        // What the user is typing stays.
        if company == before ?? "" { company = contact?.company ?? "" }
        conflicts = await model.conflicts().filter { $0.contactId == id }
        receipts = await model.receipts().filter { $0.contactId == id }
    }
}
