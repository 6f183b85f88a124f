namespace LlmMarketplace.Publishing.Contracts;

/// <summary>One of the credentials that a provider gave for a version.</summary>
/// <param name="Name">Unique within the version: lower-case letters, digits and hyphens. Stands in the attempts of usage records.</param>
/// <param name="Endpoint">The only address (<see cref="ServiceEndpoint.AddressNames"/>) that it is sent to; null: every address that has none of its own.</param>
/// <param name="Secret">The credential, encrypted.</param>
public sealed record PublishedCredential(string Name, string? Endpoint, ProtectedSecret Secret)
{
    /// <summary>The name of the one that comes with the declaration, as <c>endpoint.secret</c>.</summary>
    public const string Default = "default";

    /// <summary>The credentials that an address may be sent: those that name it, else those that name no address.</summary>
    /// <param name="address">The address's name.</param>
    /// <param name="all">Of one version.</param>
    /// <param name="endpointOf">The address that a credential names, or null.</param>
    /// <typeparam name="T">What stands for a credential.</typeparam>
    public static IReadOnlyList<T> For<T>(string address, IReadOnlyCollection<T> all, Func<T, string?> endpointOf)
    {
        ArgumentNullException.ThrowIfNull(all);
        var own = all.Where(one => endpointOf(one) == address).ToArray();
        return own.Length > 0 ? own : [.. all.Where(one => endpointOf(one) is null)];
    }
}
