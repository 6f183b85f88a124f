using System.Collections.Immutable;

namespace LlmMarketplace.Gateway.Routing;

/// <summary>Who may use a route.</summary>
internal enum Audience
{
    /// <summary>Anybody: signing in, and what must be readable before that.</summary>
    Anybody,

    /// <summary>Whoever brings a valid token of the marketplace.</summary>
    Token,

    /// <summary>The same, or an API key, which the service checks.</summary>
    TokenOrKey,
}

/// <summary>A path that the outside may use, and whose it is.</summary>
/// <param name="Path">The path and everything below it.</param>
/// <param name="Service">The service that owns it.</param>
/// <param name="Audience">Who may use it.</param>
internal sealed record PublicRoute(string Path, string Service, Audience Audience);

/// <summary>The whole public surface, except what this process answers itself. What is not here is not reachable.</summary>
internal static class RouteTable
{
    /// <summary>Services that show an API document and have operations.</summary>
    public static ImmutableArray<string> Services { get; } = ["identity", "publishing", "discovery", "consumption", "admin"];

    public static ImmutableArray<PublicRoute> Routes { get; } =
    [
        new("/connect", "identity", Audience.Anybody),
        new("/.well-known", "identity", Audience.Anybody),
        new("/signin", "identity", Audience.Anybody),
        new("/signout", "identity", Audience.Anybody),
        new("/api/v1/organisations", "identity", Audience.Token),
        new("/api/v1/users", "identity", Audience.Token),
        new("/api/v1/clients", "identity", Audience.Token),
        new("/api/v1/me", "identity", Audience.Token),

        new("/api/v1/listings", "publishing", Audience.Token),
        new("/api/v1/pipeline-runs", "publishing", Audience.Token),

        new("/api/v1/services", "discovery", Audience.Token),

        new("/api/v1/approvals", "admin", Audience.Token),

        new("/api/v1/keys", "consumption", Audience.Token),
        new("/api/v1/budgets", "consumption", Audience.Token),
        new("/api/v1/end-users", "consumption", Audience.Token),
        new("/api/v1/aliases", "consumption", Audience.Token),
        new("/api/v1/response-cache", "consumption", Audience.Token),
        new("/api/v1/call-logging", "consumption", Audience.Token),
        new("/api/v1/call-logs", "consumption", Audience.Token),
        new("/api/v1/quota", "consumption", Audience.TokenOrKey),
        new("/api/v1/usage", "consumption", Audience.TokenOrKey),
        new("/api/v1/sla", "consumption", Audience.Token),
        new("/api/v1/webhooks", "consumption", Audience.Token),

        .. Services.Select(service => new PublicRoute($"/api/v1/operations/{service}", service, Audience.Token)),
    ];
}
