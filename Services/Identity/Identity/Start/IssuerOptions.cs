using System.Net;

namespace LlmMarketplace.Identity.Start;

/// <summary>Settings below <c>Identity</c>.</summary>
internal sealed class IssuerOptions
{
    /// <summary>Services whose internal scopes exist even when this installation gives them no client.</summary>
    private static readonly string[] Services = ["identity", "publishing", "discovery", "consumption", "admin", "gateway"];

    /// <summary>The public address of the marketplace, with a trailing slash; every token names it.</summary>
    public Uri? Issuer { get; set; }

    /// <summary>Secrets of the marketplace's own services, by service; their client ids are <c>svc-{service}</c>.</summary>
    public Dictionary<string, string> ServiceClients { get; } = new(StringComparer.Ordinal);

    /// <summary>The first administrator; only looked at while there is none.</summary>
    public AdministratorOptions Administrator { get; } = new();

    /// <summary>A machine client that administers the marketplace; optional.</summary>
    public BootstrapClientOptions BootstrapClient { get; } = new();

    /// <summary>Limits per address.</summary>
    public RateLimitOptions RateLimits { get; } = new();

    /// <summary>Networks whose <c>X-Forwarded-For</c> is believed, in CIDR notation: where the gateway runs. Private networks when not set.</summary>
    public List<string> TrustedProxies { get; } = [];

    public IEnumerable<string> InternalScopes => Services.Union(ServiceClients.Keys).Select(MarketplaceTokens.InternalScope);

    public static void Validate(OptionsBuilder<IssuerOptions> options) => options
        .Validate(
            o => o.Issuer is { IsAbsoluteUri: true, AbsolutePath: "/", Query: "", Fragment: "", UserInfo: "" } issuer && (issuer.Scheme == Uri.UriSchemeHttps || issuer.Scheme == Uri.UriSchemeHttp),
            "Identity:Issuer must be the public address of the marketplace, without a path, for instance https://market.example.com/.")
        .Validate(
            o => o.ServiceClients.All(client => client.Key.Length > 0 && client.Key.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-') && client.Value is { Length: >= 16 }),
            "Identity:ServiceClients:{service} must be a secret of at least 16 characters, and the service's name lower case.")
        .Validate(
            o => (o.BootstrapClient.Id is { Length: > 0 }) == (o.BootstrapClient.Secret is { Length: > 0 }),
            "Identity:BootstrapClient needs both Id and Secret, or neither.")
        .Validate(
            o => o.BootstrapClient.Id is not { Length: > 0 } id || (id.Length <= 100 && !Guid.TryParse(id, out _) && !id.StartsWith(Clients.ClientRules.ServicePrefix, StringComparison.Ordinal) && id != Tokens.MarketplaceApplications.PublicClient),
            "Identity:BootstrapClient:Id must be a name of its own, at most 100 characters, not a UUID and not beginning with 'svc-'.")
        .Validate(
            o => o.BootstrapClient.Secret is not { Length: > 0 } secret || secret.Length >= 16,
            "Identity:BootstrapClient:Secret must have at least 16 characters.")
        .Validate(
            o => o.RateLimits is { TokenRequestsPerMinute: > 0, SignInAttemptsPerMinute: > 0 },
            "Identity:RateLimits:TokenRequestsPerMinute and :SignInAttemptsPerMinute must be greater than 0.")
        .Validate(
            o => o.TrustedProxies.TrueForAll(network => IPNetwork.TryParse(network, out _)),
            "Identity:TrustedProxies must be networks in CIDR notation, for instance 10.1.0.0/16.")
        .ValidateOnStart();
}

/// <summary>Settings below <c>Identity:Administrator</c>.</summary>
internal sealed class AdministratorOptions
{
    public string? Email { get; set; }

    public string? Password { get; set; }
}

/// <summary>Settings below <c>Identity:BootstrapClient</c>.</summary>
internal sealed class BootstrapClientOptions
{
    public string? Id { get; set; }

    public string? Secret { get; set; }
}

/// <summary>Settings below <c>Identity:RateLimits</c>.</summary>
internal sealed class RateLimitOptions
{
    /// <summary>Requests to /connect/token and /connect/revoke per address and minute.</summary>
    public int TokenRequestsPerMinute { get; set; } = 600;

    /// <summary>Sign-ins per address and minute.</summary>
    public int SignInAttemptsPerMinute { get; set; } = 20;
}
