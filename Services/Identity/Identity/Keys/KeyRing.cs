using System.Security.Cryptography;
using Microsoft.Extensions.Primitives;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Server;

namespace LlmMarketplace.Identity.Keys;

/// <summary>
/// The keys in memory, and how they reach OpenIddict without a restart: its options are built again whenever the ring says that they changed.
/// The first key of a use is the one that is used; the others still verify and decrypt, and all signing keys are published.
/// </summary>
internal sealed class KeyRing(TimeProvider time) : IConfigureOptions<OpenIddictServerOptions>, IOptionsChangeTokenSource<OpenIddictServerOptions>, IDisposable
{
    private volatile IReadOnlyList<RingKey> keys = [];
    private CancellationTokenSource changed = new();

    public string? Name => Options.DefaultName;

    /// <summary>The keys, each use's active one first.</summary>
    public IReadOnlyList<RingKey> Keys => keys;

    /// <summary>Takes the keys as they stand now; OpenIddict learns of it when that makes a difference.</summary>
    /// <returns>Whether it did.</returns>
    public bool Replace(IEnumerable<RingKey> present)
    {
        var now = time.GetUtcNow();
        IReadOnlyList<RingKey> ordered = [.. present
            .Where(key => key.ExpiresAt is null || key.ExpiresAt > now)
            .OrderBy(key => key.ActiveFrom > now) // Known ahead of its time: published, not yet used.
            .ThenByDescending(key => key.ActiveFrom)];
        if (ordered.Select(key => key.Id).SequenceEqual(keys.Select(key => key.Id)))
        {
            return false;
        }

        keys = ordered;
        Interlocked.Exchange(ref changed, new CancellationTokenSource()).Cancel(); // Not disposed of: somebody may be asking it for its token.
        return true;
    }

    public void Configure(OpenIddictServerOptions options)
    {
        foreach (var key in keys)
        {
            switch (key.Key)
            {
                case RsaSecurityKey signing:
                    options.SigningCredentials.Add(new SigningCredentials(signing, SecurityAlgorithms.RsaSha256));
                    break;
                default:
                    options.EncryptionCredentials.Add(new EncryptingCredentials(key.Key, SecurityAlgorithms.Aes256KW, SecurityAlgorithms.Aes256CbcHmacSha512));
                    break;
            }
        }
    }

    public void Dispose() => changed.Dispose();

    public IChangeToken GetChangeToken() => new CancellationChangeToken(Volatile.Read(ref changed).Token);
}

/// <summary>A key, opened.</summary>
internal sealed record RingKey(string Id, KeyUse Use, SecurityKey Key, DateTimeOffset ActiveFrom, DateTimeOffset? ExpiresAt)
{
    /// <exception cref="CryptographicException">The master key is not the one that it was sealed with.</exception>
    public static RingKey Open(StoredKey stored, MasterKey master)
    {
        var plain = master.Open(stored.Id, stored.Sealed);
        return new(stored.Id, stored.Use, stored.Use is KeyUse.Signing ? Rsa(plain, stored.Id) : new SymmetricSecurityKey(plain) { KeyId = stored.Id }, stored.ActiveFrom, stored.ExpiresAt);
    }

    private static RsaSecurityKey Rsa(byte[] pkcs8, string id)
    {
        using var rsa = RSA.Create();
        rsa.ImportPkcs8PrivateKey(pkcs8, out _);
        return new(rsa.ExportParameters(includePrivateParameters: true)) { KeyId = id };
    }
}
