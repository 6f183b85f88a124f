using System.Security.Cryptography;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary>A provider's credential, decrypted when it is needed first.</summary>
/// <param name="version">The version that it belongs to.</param>
/// <param name="name">Unique within the version.</param>
/// <param name="endpoint">The only address that it is for, or null.</param>
/// <param name="secret">Encrypted.</param>
internal sealed class ListedCredential(Guid version, string name, string? endpoint, ProtectedSecret secret)
{
    private string? text;

    public string Name => name;

    public string? Endpoint => endpoint;

    /// <summary>Another one for each secret that has this name: what is known of one says nothing of the next.</summary>
    public string Id { get; } = $"{name}:{Convert.ToHexStringLower(secret.Nonce)}";

    /// <summary>Whether it can be decrypted here.</summary>
    public bool CanBeRead(ProviderSecretProtector protector)
    {
        try
        {
            Read(protector);
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    /// <summary>What the provider wants to be shown.</summary>
    /// <exception cref="CryptographicException">It was encrypted with another key.</exception>
    public string Read(ProviderSecretProtector protector) => text ??= protector.Unprotect(version, secret);
}
