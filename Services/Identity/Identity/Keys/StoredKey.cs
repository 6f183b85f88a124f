namespace LlmMarketplace.Identity.Keys;

/// <summary>A signing or encryption key, encrypted under the master key.</summary>
internal sealed class StoredKey
{
    /// <summary>The <c>kid</c>; also what the ciphertext is bound to.</summary>
    public required string Id { get; init; }

    public required KeyUse Use { get; init; }

    /// <summary>RSA private key (PKCS #8) or 32 random bytes, sealed by <see cref="MasterKey"/>.</summary>
    public required byte[] Sealed { get; init; }

    /// <summary>Every instance knows it by then: it is used from then on, until a newer one is.</summary>
    public required DateTimeOffset ActiveFrom { get; init; }

    /// <summary>Set when a newer one takes over: nothing that it signed lives longer.</summary>
    public DateTimeOffset? ExpiresAt { get; set; }
}

/// <summary>What a key is for.</summary>
internal enum KeyUse
{
    /// <summary>Signs all tokens; RSA, published.</summary>
    Signing,

    /// <summary>Encrypts authorization codes and refresh tokens, which only Identity reads; symmetric.</summary>
    Encryption,
}
