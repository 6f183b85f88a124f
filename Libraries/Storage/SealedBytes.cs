using System.Security.Cryptography;

namespace LlmMarketplace.Storage;

/// <summary>
/// Secrets as they lie in a database: AES-256-GCM (NIST SP 800-38D). Laid out: nonce (12 bytes, random), tag (16), ciphertext (as long as what is sealed). What they belong to is bound to
/// them: elsewhere they do not open.
/// </summary>
public static class SealedBytes
{
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const int Overhead = NonceBytes + TagBytes;

    /// <summary>Seals.</summary>
    /// <param name="key">32 bytes.</param>
    /// <param name="plain">What is sealed.</param>
    /// <param name="belongsTo">What it belongs to; the same is needed to open it.</param>
    public static byte[] Seal(ReadOnlySpan<byte> key, ReadOnlySpan<byte> plain, ReadOnlySpan<byte> belongsTo)
    {
        var whole = new byte[Overhead + plain.Length];
        var nonce = whole.AsSpan(0, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(key, TagBytes);
        aes.Encrypt(nonce, plain, whole.AsSpan(Overhead), whole.AsSpan(NonceBytes, TagBytes), belongsTo);
        return whole;
    }

    /// <summary>Opens what <see cref="Seal"/> sealed.</summary>
    /// <exception cref="CryptographicException">It was sealed with another key, belongs to something else, or was changed.</exception>
    public static byte[] Open(ReadOnlySpan<byte> key, ReadOnlySpan<byte> whole, ReadOnlySpan<byte> belongsTo)
    {
        if (whole.Length < Overhead)
        {
            throw new CryptographicException("It is too short to have been sealed.");
        }

        var plain = new byte[whole.Length - Overhead];
        using var aes = new AesGcm(key, TagBytes);
        aes.Decrypt(whole[..NonceBytes], whole[Overhead..], whole[NonceBytes..Overhead], plain, belongsTo);
        return plain;
    }
}
