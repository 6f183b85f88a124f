using System.Security.Cryptography;
using System.Text;

namespace LlmMarketplace.Publishing.Contracts;

/// <summary>A provider's credential as it travels in events and lies in databases: AES-256-GCM (NIST SP 800-38D), bound to its version's id.</summary>
/// <param name="KeyId">Which key: the first 8 hex digits of its SHA-256.</param>
/// <param name="Nonce">12 bytes.</param>
/// <param name="Ciphertext">As long as the UTF-8 of the credential.</param>
/// <param name="Tag">16 bytes.</param>
public sealed record ProtectedSecret(string KeyId, byte[] Nonce, byte[] Ciphertext, byte[] Tag);

/// <summary>Encrypts and decrypts provider credentials with <c>Keys:ProviderSecrets</c>. Thread-safe.</summary>
public sealed class ProviderSecretProtector
{
    private readonly byte[] key;

    /// <summary>Takes the key.</summary>
    /// <param name="key">32 bytes.</param>
    /// <exception cref="ArgumentException">The key is not 32 bytes long.</exception>
    public ProviderSecretProtector(byte[] key)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (key.Length != 32)
        {
            throw new ArgumentException("Keys:ProviderSecrets must be the base64 of 32 random bytes (openssl rand -base64 32).", nameof(key));
        }

        this.key = [.. key];
        KeyId = Convert.ToHexStringLower(SHA256.HashData(key))[..8];
    }

    /// <summary>The id of this key.</summary>
    public string KeyId { get; }

    /// <summary>Encrypts the credential of one version.</summary>
    public ProtectedSecret Protect(Guid versionId, string credential)
    {
        var plain = Encoding.UTF8.GetBytes(credential);
        var nonce = RandomNumberGenerator.GetBytes(AesGcm.NonceByteSizes.MaxSize);
        var ciphertext = new byte[plain.Length];
        var tag = new byte[AesGcm.TagByteSizes.MaxSize];
        using var aes = new AesGcm(key, tag.Length);
        aes.Encrypt(nonce, plain, ciphertext, tag, versionId.ToByteArray(bigEndian: true));
        CryptographicOperations.ZeroMemory(plain);
        return new ProtectedSecret(KeyId, nonce, ciphertext, tag);
    }

    /// <summary>Decrypts the credential of one version.</summary>
    /// <exception cref="CryptographicException">It was encrypted with another key, for another version, or was changed.</exception>
    public string Unprotect(Guid versionId, ProtectedSecret secret)
    {
        ArgumentNullException.ThrowIfNull(secret);
        if (secret.KeyId != KeyId)
        {
            throw new CryptographicException($"The credential of version {versionId} was encrypted with the key {secret.KeyId}; Keys:ProviderSecrets is {KeyId}.");
        }

        var plain = new byte[secret.Ciphertext.Length];
        using var aes = new AesGcm(key, secret.Tag.Length);
        aes.Decrypt(secret.Nonce, secret.Ciphertext, secret.Tag, plain, versionId.ToByteArray(bigEndian: true));
        return Encoding.UTF8.GetString(plain);
    }
}
