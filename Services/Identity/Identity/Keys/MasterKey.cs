using System.Security.Cryptography;
using System.Text;

namespace LlmMarketplace.Identity.Keys;

/// <summary>Settings below <c>Keys</c>.</summary>
internal sealed class MasterKeyOptions
{
    /// <summary>What a missing or malformed key is answered with.</summary>
    public const string Mend = "Keys:Identity must be base64 of 32 random bytes (make one by: openssl rand -base64 32). Data encrypted with it cannot be read without it: keep a copy.";

    /// <summary>Base64 of 32 bytes.</summary>
    public string? Identity { get; set; }

    public bool IsValid()
    {
        Span<byte> bytes = stackalloc byte[33];
        return Identity is { Length: > 0 } && Convert.TryFromBase64String(Identity, bytes, out var length) && length == 32;
    }
}

/// <summary>
/// AES-256-GCM under <c>Keys:Identity</c> for everything secret that Identity stores.
/// Layout: 1 byte version (1), 12 bytes nonce, 16 bytes tag, ciphertext; bound to its purpose by associated data.
/// </summary>
internal sealed class MasterKey(IOptions<MasterKeyOptions> options)
{
    private const byte Version = 1;
    private const int NonceSize = 12;
    private const int TagSize = 16;

    private readonly byte[] key = Convert.FromBase64String(options.Value.Identity!);

    public byte[] Seal(string purpose, ReadOnlySpan<byte> plain)
    {
        var output = new byte[1 + NonceSize + TagSize + plain.Length];
        output[0] = Version;
        var nonce = output.AsSpan(1, NonceSize);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(key, TagSize);
        aes.Encrypt(nonce, plain, output.AsSpan(1 + NonceSize + TagSize), output.AsSpan(1 + NonceSize, TagSize), Encoding.UTF8.GetBytes(purpose));
        return output;
    }

    /// <exception cref="CryptographicException">It was not sealed with this key for this purpose.</exception>
    public byte[] Open(string purpose, ReadOnlySpan<byte> data)
    {
        if (data.Length < 1 + NonceSize + TagSize || data[0] != Version)
        {
            throw new CryptographicException($"What is stored for '{purpose}' has no known layout.");
        }

        var plain = new byte[data.Length - 1 - NonceSize - TagSize];
        using var aes = new AesGcm(key, TagSize);
        aes.Decrypt(data.Slice(1, NonceSize), data[(1 + NonceSize + TagSize)..], data.Slice(1 + NonceSize, TagSize), plain, Encoding.UTF8.GetBytes(purpose));
        return plain;
    }
}
