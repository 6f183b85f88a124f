using System.Globalization;
using StackExchange.Redis.Configuration;

namespace LlmMarketplace.AllInOne;

/// <summary>What each service is told: the same keys as under Aspire.</summary>
internal sealed class ServiceSettings(RunOptions options, KeyRing keys, BackingServers servers, IReadOnlyDictionary<string, Uri> addresses)
{
    public const string AdministratorEmail = "admin@llm-marketplace.local";
    public const string BootstrapClientId = "bootstrap";

    /// <summary>Sections of our own environment that services get to see: what the operator adds to a started marketplace.</summary>
    private static readonly string[] OperatorSections = ["Providers", "Logging", "Calls"];

    /// <summary>The way to Redis.</summary>
    public Tunnel RedisTunnel => servers.RedisTunnel;

    public IEnumerable<KeyValuePair<string, string?>> For(ServiceDefinition service) =>
    [
        new("Calls:DrainFor", "00:00:01"), // Who stops all of it by Ctrl-C does not want to wait for a stream's end.
        .. FromEnvironment(),
        .. Shared(service.Name),
        .. Databases(service).SelectMany(servers.ConnectionStrings),
        .. Own(service.Name),
    ];

    private static IEnumerable<KeyValuePair<string, string?>> FromEnvironment()
    {
        var environment = new ConfigurationBuilder().AddEnvironmentVariables().Build();
        return OperatorSections.SelectMany(section => environment.GetSection(section).AsEnumerable()).Where(pair => pair.Value is not null);
    }

    private IEnumerable<KeyValuePair<string, string?>> Shared(string service)
    {
        yield return new("Messaging:Transport", "Feed");
        yield return new("Telemetry:Shared", "true");
        yield return new("Identity:Issuer", options.PublicUrl.AbsoluteUri);
        yield return new("Identity:Client:Id", $"svc-{service}");
        yield return new("Identity:Client:Secret", keys.ServiceClient(service));
        yield return new("ConnectionStrings:redis", servers.RedisConnectionString);
        foreach (var (name, address) in addresses)
        {
            yield return new($"services:{name}:http:0", address.AbsoluteUri.TrimEnd('/'));
        }

        if (addresses.TryGetValue(LocalModel.Name, out var provider))
        {
            yield return new($"Providers:Local:{LocalModel.Name}:Address", provider.AbsoluteUri.TrimEnd('/'));
            yield return new($"Providers:Local:{LocalModel.Name}:Organisation", LocalModel.Organisation);
        }
    }

    // The gateway answers /v1 itself, from Consumption's data.
    private static IEnumerable<string> Databases(ServiceDefinition service) =>
        service.Name == Services.Gateway ? ["consumption"] : service.Database is { } database ? [database] : [];

    private IEnumerable<KeyValuePair<string, string?>> Own(string service)
    {
        if (service is "publishing" or "consumption" or Services.Gateway)
        {
            yield return new("Keys:ProviderSecrets", keys.ProviderSecrets);
        }

        if (service is "consumption" or Services.Gateway)
        {
            yield return new("Keys:ApiKeyHmac", keys.ApiKeyHmac);
        }

        if (service is Services.Gateway)
        {
            yield return new("Metering:LogDirectory", Path.Combine(options.Directory, DataDirectory.UsageLog));
        }

        if (service is "identity")
        {
            yield return new("Keys:Identity", keys.Identity);
            yield return new("Identity:Administrator:Email", AdministratorEmail);
            yield return new("Identity:Administrator:Password", keys.AdministratorPassword);
            yield return new("Identity:BootstrapClient:Id", BootstrapClientId);
            yield return new("Identity:BootstrapClient:Secret", keys.BootstrapClient);
            foreach (var name in Services.All.Select(other => other.Name))
            {
                yield return new(string.Create(CultureInfo.InvariantCulture, $"Identity:ServiceClients:{name}"), keys.ServiceClient(name));
            }
        }
    }
}
