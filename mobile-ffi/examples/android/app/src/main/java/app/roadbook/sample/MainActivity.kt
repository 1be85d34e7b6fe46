package app.roadbook.sample

import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.Button
import androidx.compose.material3.ListItem
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.collectAsState
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.produceState
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import app.roadbook.Conflict
import app.roadbook.Edit
import app.roadbook.Field
import app.roadbook.OutboxEntry
import app.roadbook.Value
import kotlinx.coroutines.launch

/** Enrol, list, edit offline, show receipts, show a conflict, sync. */
class MainActivity : ComponentActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        val app = application as SampleApp
        setContent {
            MaterialTheme {
                val model by produceState<ContactsModel?>(null) { value = app.model.await() }
                model?.let { Contacts(it) } ?: Text("Opening")
            }
        }
    }
}

@Composable
fun Contacts(model: ContactsModel) {
    val screen by model.screen.collectAsState()
    var enrolled by remember { mutableStateOf(model.enrolled) }
    var opened by remember { mutableStateOf<String?>(null) }
    var filter by remember { mutableStateOf("") }
    Column {
        screen.trouble?.let { Text(it, color = MaterialTheme.colorScheme.error) }
        for (alert in screen.alerts) Text("$alert")
        val id = opened
        when {
            !enrolled -> Enrolment(model) { enrolled = model.enrolled }
            id != null -> Details(model, id) { opened = null }
            else -> {
                Text(if (screen.online) "Connected" else "No connection; ${screen.unsent} edits wait")
                OutlinedTextField(filter, { filter = it; model.watch(it.ifBlank { null }) }, label = { Text("Filter") })
                LazyColumn {
                    items(screen.rows, key = { it.id }) { row ->
                        ListItem(
                            headlineContent = { Text(row.displayName) },
                            supportingContent = { Text(row.company.orEmpty()) },
                            trailingContent = { if (row.conflicts > 0u) Text("!") },
                            modifier = Modifier.clickable { opened = row.id },
                        )
                    }
                }
            }
        }
    }
}

@Composable
fun Enrolment(model: ContactsModel, done: () -> Unit) {
    var url by remember { mutableStateOf("https://") }
    var code by remember { mutableStateOf("") }
    val scope = rememberCoroutineScope()
    OutlinedTextField(url, { url = it }, label = { Text("Server") })
    OutlinedTextField(code, { code = it }, label = { Text("Code of the office") })
    Button({
        scope.launch {
            model.enrol(url, code, android.os.Build.MODEL)
            if (model.enrolled) model.enterForeground()
            done()
        }
    }) { Text("Enrol") }
}

@Composable
fun Details(model: ContactsModel, id: String, back: () -> Unit) {
    val contact by remember(id) { model.contact(id) }.collectAsState(null)
    val conflicts by produceState(emptyList<Conflict>(), contact) { value = model.conflicts().filter { it.contactId == id } }
    val receipts by produceState(emptyList<OutboxEntry>(), contact) { value = model.receipts().filter { it.contactId == id } }
    val scope = rememberCoroutineScope()
    val shown = contact ?: return
    var company by remember(shown.company) { mutableStateOf(shown.company.orEmpty()) }
    Button(back) { Text("Back") }
    Text(shown.displayName)
    OutlinedTextField(company, { company = it }, label = { Text("Company") })
    Button({
        scope.launch { model.save(id, listOf(Edit.Set(Field.COMPANY, Value.Text(company)))) }
    }) { Text("Save") }
    for (conflict in conflicts) {
        for (side in conflict.sides) {
            Button({ scope.launch { model.decide(conflict, side) } }) { Text("${side.author.name}: ${side.value}") }
        }
    }
    for (edit in receipts) Text("${edit.command}: ${edit.receipt}")
}
