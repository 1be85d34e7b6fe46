package app.roadbook.sample

import android.content.Context
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import android.util.AtomicFile
import app.roadbook.KeyStore
import app.roadbook.RoadbookException
import app.roadbook.Signer
import app.roadbook.SigningAlgorithm
import java.io.File
import java.io.FileNotFoundException
import java.security.KeyPairGenerator
import java.security.Signature
import java.security.interfaces.ECPublicKey
import java.security.spec.ECGenParameterSpec
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

private const val PROVIDER = "AndroidKeyStore"
private const val NONCE_BYTES = 12
private const val TAG_BITS = 128

/** Keeps the replica's secrets in files that only a key of this phone's hardware opens. */
class PhoneKeyStore(context: Context) : KeyStore {
    private val directory = File(context.noBackupFilesDir, "secrets").apply { mkdirs() }

    override fun get(name: String): ByteArray? = keys {
        val sealed = try {
            file(name).readFully()
        } catch (_: FileNotFoundException) {
            return@keys null
        }
        val cipher = Cipher.getInstance("AES/GCM/NoPadding")
        cipher.init(Cipher.DECRYPT_MODE, key(), GCMParameterSpec(TAG_BITS, sealed, 0, NONCE_BYTES))
        cipher.updateAAD(name.toByteArray())
        cipher.doFinal(sealed, NONCE_BYTES, sealed.size - NONCE_BYTES)
    }

    override fun put(name: String, secret: ByteArray) = keys {
        val cipher = Cipher.getInstance("AES/GCM/NoPadding")
        cipher.init(Cipher.ENCRYPT_MODE, key())
        cipher.updateAAD(name.toByteArray())
        val file = file(name)
        val stream = file.startWrite()
        try {
            stream.write(cipher.iv + cipher.doFinal(secret))
            file.finishWrite(stream) // durable from here on
        } catch (error: Exception) {
            file.failWrite(stream)
            throw error
        }
    }

    override fun delete(name: String) = keys { file(name).delete() }

    private fun file(name: String) = AtomicFile(File(directory, name))

    private fun key(): SecretKey {
        val store = java.security.KeyStore.getInstance(PROVIDER).apply { load(null) }
        (store.getKey("roadbook", null) as SecretKey?)?.let { return it }
        val spec = KeyGenParameterSpec.Builder(
            "roadbook",
            KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT,
        ).setBlockModes(KeyProperties.BLOCK_MODE_GCM)
            .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
            .build()
        return KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, PROVIDER).apply { init(spec) }.generateKey()
    }
}

/** Speaks for the device with a P-256 key that never leaves the phone's hardware. */
class PhoneSigner : Signer {
    private val store = java.security.KeyStore.getInstance(PROVIDER).apply { load(null) }

    override fun algorithm() = SigningAlgorithm.ECDSA_P256

    override fun publicKey(): ByteArray = keys {
        if (!store.containsAlias("roadbook-device")) {
            val spec = KeyGenParameterSpec.Builder("roadbook-device", KeyProperties.PURPOSE_SIGN)
                .setAlgorithmParameterSpec(ECGenParameterSpec("secp256r1"))
                .setDigests(KeyProperties.DIGEST_SHA256)
                .build()
            KeyPairGenerator.getInstance(KeyProperties.KEY_ALGORITHM_EC, PROVIDER).apply { initialize(spec) }.generateKeyPair()
        }
        val point = (store.getCertificate("roadbook-device").publicKey as ECPublicKey).w
        // Uncompressed: 4, then both coordinates of 32 bytes.
        byteArrayOf(4) + listOf(point.affineX, point.affineY).flatMap { coordinate ->
            val digits = coordinate.toByteArray().dropWhile { it == 0.toByte() }
            List(32 - digits.size) { 0.toByte() } + digits
        }
    }

    override fun sign(message: ByteArray): ByteArray = keys {
        val key = store.getKey("roadbook-device", null) as java.security.PrivateKey
        Signature.getInstance("SHA256withECDSA").run { initSign(key); update(message); sign() }
    }
}

/** What the phone's key store throws, as the library's own error. */
private fun <T> keys(work: () -> T): T =
    try {
        work()
    } catch (error: Exception) {
        throw RoadbookException.Keys(error.message ?: error.toString())
    }
