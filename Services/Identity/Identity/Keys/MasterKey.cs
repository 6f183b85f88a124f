using System.Security.Cryptography;
using System.Text;
using LlmMarketplace.Storage;

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
/// Seals everything secret that Identity stores, under <c>Keys:Identity</c>, bound to its purpose.
/// Layout: 1 byte version (1), then <see cref="SealedBytes"/>.
/// </summary>
internal sealed class MasterKey(IOptions<MasterKeyOptions> options)
{
    private const byte Version = 1;

    private readonly byte[] key = Convert.FromBase64String(options.Value.Identity!);

    public byte[] Seal(string purpose, ReadOnlySpan<byte> plain) => [Version, .. SealedBytes.Seal(key, plain, Encoding.UTF8.GetBytes(purpose))];

    /// <exception cref="CryptographicException">It was not sealed with this key for this purpose.</exception>
    public byte[] Open(string purpose, ReadOnlySpan<byte> data) => data is [Version, .. var whole]
        ? SealedBytes.Open(key, whole, Encoding.UTF8.GetBytes(purpose))
        : throw new CryptographicException($"What is stored for '{purpose}' has no known layout.");
}
