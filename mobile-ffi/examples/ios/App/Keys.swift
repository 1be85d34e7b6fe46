// The replica's secrets in the Keychain, and the device's key in the Secure Enclave.

import CryptoKit
import Foundation
import RoadbookKit
import Security

/// Keeps the replica's secrets in the Keychain: on this device only, and after the first unlock, so that
/// an exchange in the background can read them.
final class Keychain: KeyStore {
    private func query(_ name: String) -> [CFString: Any] {
        [
            kSecClass: kSecClassGenericPassword,
            kSecAttrService: "app.roadbook",
            kSecAttrAccount: name,
        ]
    }

    func get(name: String) throws -> Data? {
        var query = query(name)
        query[kSecReturnData] = true
        var found: CFTypeRef?
        switch SecItemCopyMatching(query as CFDictionary, &found) {
        case errSecSuccess: return found as? Data
        case errSecItemNotFound: return nil
        case let status: throw failed(status)
        }
    }

    func put(name: String, secret: Data) throws {
        let change = [kSecValueData: secret] as CFDictionary
        var status = SecItemUpdate(query(name) as CFDictionary, change)
        if status == errSecItemNotFound {
            var item = query(name)
            item[kSecValueData] = secret
            item[kSecAttrAccessible] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
            status = SecItemAdd(item as CFDictionary, nil)
        }
        if status != errSecSuccess { throw failed(status) }
    }

    func delete(name: String) throws {
        let status = SecItemDelete(query(name) as CFDictionary)
        if status != errSecSuccess && status != errSecItemNotFound { throw failed(status) }
    }

    private func failed(_ status: OSStatus) -> RoadbookError {
        let words = SecCopyErrorMessageString(status, nil) as String?
        return .Keys(reason: words ?? "the keychain said \(status)")
    }
}

/// Speaks for the device with a P-256 key that never leaves the Secure Enclave.
final class EnclaveSigner: Signer {
    private let keychain = Keychain()

    func algorithm() -> SigningAlgorithm { .ecdsaP256 }

    func publicKey() throws -> Data { try key().publicKey.x963Representation }

    func sign(message: Data) throws -> Data {
        do {
            return try key().signature(for: message).derRepresentation
        } catch let error as RoadbookError {
            throw error
        } catch {
            throw RoadbookError.Keys(reason: error.localizedDescription)
        }
    }

    private func key() throws -> SecureEnclave.P256.Signing.PrivateKey {
        do {
            // What is kept is the enclave's own wrapping: it is of no use elsewhere.
            if let wrapped = try keychain.get(name: "device.enclave") {
                return try SecureEnclave.P256.Signing.PrivateKey(dataRepresentation: wrapped)
            }
            let key = try SecureEnclave.P256.Signing.PrivateKey()
            try keychain.put(name: "device.enclave", secret: key.dataRepresentation)
            return key
        } catch let error as RoadbookError {
            throw error
        } catch {
            throw RoadbookError.Keys(reason: error.localizedDescription)
        }
    }
}
