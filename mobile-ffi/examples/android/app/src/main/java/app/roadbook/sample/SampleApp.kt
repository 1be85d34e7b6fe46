package app.roadbook.sample

import android.app.Application
import android.content.Context
import androidx.lifecycle.DefaultLifecycleObserver
import androidx.lifecycle.LifecycleOwner
import androidx.lifecycle.ProcessLifecycleOwner
import androidx.work.Constraints
import androidx.work.CoroutineWorker
import androidx.work.ExistingPeriodicWorkPolicy
import androidx.work.NetworkType
import androidx.work.PeriodicWorkRequestBuilder
import androidx.work.WorkManager
import androidx.work.WorkerParameters
import app.roadbook.OpenSettings
import app.roadbook.Roadbook
import java.time.Duration
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.launch

/** Holds the one replica of the app, for its screens and for what runs in the background. */
class SampleApp : Application(), DefaultLifecycleObserver {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Main.immediate)

    /** The model, once the replica is open. */
    val model: Deferred<ContactsModel> = scope.async {
        val home = noBackupFilesDir.resolve("replica").path
        val book = Roadbook.open(
            OpenSettings(home, app = "sample/1.0", keyStore = PhoneKeyStore(this@SampleApp), signer = PhoneSigner()),
        )
        ContactsModel(book, scope).also { if (it.enrolled) it.watch(null) }
    }

    override fun onCreate() {
        super<Application>.onCreate()
        ProcessLifecycleOwner.get().lifecycle.addObserver(this)
        val work = PeriodicWorkRequestBuilder<SyncWorker>(Duration.ofHours(1))
            .setConstraints(Constraints.Builder().setRequiredNetworkType(NetworkType.CONNECTED).build())
            .build()
        WorkManager.getInstance(this).enqueueUniquePeriodicWork("sync", ExistingPeriodicWorkPolicy.KEEP, work)
    }

    // Going to the background needs no `enterBackground`: Android ends no app for the locks it holds, and
    // SyncWorker uses the same replica.
    override fun onStart(owner: LifecycleOwner) {
        scope.launch { model.await().takeIf { it.enrolled }?.enterForeground() }
    }
}

/** Exchanges what is there in the background. Android gives it ten minutes; nine are asked for. */
class SyncWorker(context: Context, parameters: WorkerParameters) : CoroutineWorker(context, parameters) {
    override suspend fun doWork(): Result {
        val model = (applicationContext as SampleApp).model.await()
        return if (!model.enrolled || model.refresh(Duration.ofMinutes(9))) Result.success() else Result.retry()
    }
}
