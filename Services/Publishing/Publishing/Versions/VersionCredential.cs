using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>A credential beside the one that came with the declaration.</summary>
/// <param name="Name">Unique within the version.</param>
/// <param name="Endpoint">The only address that it is for, or null.</param>
/// <param name="Secret">Encrypted.</param>
/// <param name="ChangedAt">When it was given.</param>
internal sealed record VersionCredential(string Name, string? Endpoint, ProtectedSecret Secret, DateTimeOffset ChangedAt);

/// <summary>A credential without its secret.</summary>
/// <param name="Name">Unique within the version.</param>
/// <param name="Endpoint">The only address that it is for, or null.</param>
internal sealed record NamedCredential(string Name, string? Endpoint)
{
    /// <summary>The addresses that none of the credentials may be sent to.</summary>
    public static IEnumerable<string> Uncovered(IEnumerable<string> addresses, IReadOnlyCollection<NamedCredential> credentials) =>
        addresses.Where(address => PublishedCredential.For(address, credentials, one => one.Endpoint).Count == 0);
}
