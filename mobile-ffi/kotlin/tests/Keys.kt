/** Secrets and signatures that the app keeps for the replica. */

import app.roadbook.*
import java.io.File
import java.math.BigInteger
import java.security.KeyPairGenerator
import java.security.Signature
import java.security.interfaces.ECPublicKey
import java.security.spec.ECGenParameterSpec
import java.util.concurrent.ConcurrentHashMap

/** A platform's keystore, in memory. */
private class Keychain : KeyStore {
    val secrets = ConcurrentHashMap<String, ByteArray>()
    @Volatile var trouble: Exception? = null

    private fun check() {
        trouble?.let { throw it }
    }

    override fun get(name: String): ByteArray? {
        check()
        return secrets[name]
    }

    override fun put(name: String, secret: ByteArray) {
        check()
        secrets[name] = secret
    }

    override fun delete(name: String) {
        check()
        secrets.remove(name)
    }
}

/** A phone's secure hardware: the key never leaves it. */
private class Enclave : Signer {
    private val pair = KeyPairGenerator.getInstance("EC")
        .apply { initialize(ECGenParameterSpec("secp256r1")) }
        .generateKeyPair()
    @Volatile var locked = false
    @Volatile var signed = 0

    override fun algorithm() = SigningAlgorithm.ECDSA_P256

    override fun publicKey(): ByteArray {
        val point = (pair.public as ECPublicKey).w
        return byteArrayOf(4) + coordinate(point.affineX) + coordinate(point.affineY)
    }

    override fun sign(message: ByteArray): ByteArray {
        if (locked) throw RoadbookException.Keys("unlock the phone first")
        signed += 1
        return Signature.getInstance("SHA256withECDSA").run {
            initSign(pair.private)
            update(message)
            sign()
        }
    }

    /** 32 bytes, the most significant first. */
    private fun coordinate(number: BigInteger): ByteArray {
        val bytes = number.toByteArray().dropWhile { it == 0.toByte() }.toByteArray()
        return ByteArray(32 - bytes.size) + bytes
    }
}

val keys = subject("keys") {
    test("secrets are kept by the app, and what its store throws is an error") {
        serve()
        val keychain = Keychain()
        val book = device("phone", OpenSettings(home("phone"), app = "suite/1.0", keyStore = keychain))
        book.create(company("Kept"))
        book.syncOnce(WAIT)
        holds(keychain.secrets.containsKey("device.key"))
        holds(!File(home("phone"), "device.key").exists())
        for (trouble in listOf(RoadbookException.Keys("the phone is locked"), RuntimeException("the phone is locked"))) {
            keychain.trouble = trouble
            val error = fails<RoadbookException.Keys> { book.syncOnce(WAIT) }
            holds("the phone is locked" in error.reason) { error.reason }
        }
        keychain.trouble = null
        book.syncOnce(WAIT)
        book.wipe(false)
        equal(keychain.secrets.keys.toSet(), setOf())
    }

    test("a key of the phone's hardware speaks for the device, and no other one does") {
        serve()
        val enclave = Enclave()
        val settings = OpenSettings(home("phone"), keyStore = Keychain(), signer = enclave)
        val book = device("phone", settings)
        book.create(company("Signed"))
        book.syncOnce(WAIT)
        holds(enclave.signed > 0) { "it was asked for a signature" }
        enclave.locked = true
        val error = fails<RoadbookException.Keys> { book.syncOnce(WAIT) }
        holds("unlock the phone" in error.reason) { error.reason }
        enclave.locked = false
        book.syncOnce(WAIT)
        book.shutDown()
        val other = open("phone", settings.copy(signer = Enclave()))
        fails<RoadbookException.Keys> { other.syncOnce(WAIT) }
        other.shutDown()
        open("phone", settings).syncOnce(WAIT)
    }
}
