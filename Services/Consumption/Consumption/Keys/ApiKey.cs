using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>
/// A key as its holder knows it: <c>llm_mk_</c>, 12 characters that identify it, 36 that prove it (214 bits). The identifier may be shown and
/// logged; the rest leaves this process once, in the answer to its creation.
/// </summary>
internal readonly record struct ApiKey(string Identifier, string Text)
{
    public const string Prefix = "llm_mk_";
    private const int IdentifierLength = 12;
    private const int SecretLength = 36;
    private const int Length = 7 + IdentifierLength + SecretLength;
    private const string Characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    private static readonly SearchValues<char> Alphabet = SearchValues.Create(Characters);

    public static ApiKey Create() => WithNewSecret(RandomNumberGenerator.GetString(Characters, IdentifierLength));

    public static ApiKey WithNewSecret(string identifier) => new(identifier, Prefix + identifier + RandomNumberGenerator.GetString(Characters, SecretLength));

    public static bool TryParse([NotNullWhen(true)] string? text, out ApiKey key)
    {
        key = default;
        if (text is not { Length: Length } || !text.StartsWith(Prefix, StringComparison.Ordinal) || text.AsSpan(Prefix.Length).ContainsAnyExcept(Alphabet))
        {
            return false;
        }

        key = new ApiKey(text.Substring(Prefix.Length, IdentifierLength), text);
        return true;
    }

    public override string ToString() => $"{Prefix}{Identifier}…";
}

/// <summary>Proves keys: HMAC-SHA-256 under <c>Keys:ApiKeyHmac</c>. Whoever has the database alone can neither use nor guess a key.</summary>
internal sealed class ApiKeyHasher
{
    private readonly byte[] secret;

    public ApiKeyHasher(byte[] secret)
    {
        this.secret = secret;
        KeyId = Convert.ToHexStringLower(SHA256.HashData(secret))[..8];
    }

    /// <summary>Which secret: the first 8 hex digits of its SHA-256, kept beside every hash.</summary>
    public string KeyId { get; }

    public byte[] Hash(ApiKey key) => HMACSHA256.HashData(secret, Encoding.ASCII.GetBytes(key.Text));

    /// <summary>Whether the key has this hash, or the other one if there is another; takes as long whether it has or not.</summary>
    public bool Proves(ApiKey key, ReadOnlySpan<byte> hash, ReadOnlySpan<byte> other = default)
    {
        Span<byte> text = stackalloc byte[key.Text.Length];
        Span<byte> computed = stackalloc byte[HMACSHA256.HashSizeInBytes];
        Encoding.ASCII.GetBytes(key.Text, text);
        HMACSHA256.HashData(secret, text, computed);
        return CryptographicOperations.FixedTimeEquals(computed, hash) | CryptographicOperations.FixedTimeEquals(computed, other);
    }
}
