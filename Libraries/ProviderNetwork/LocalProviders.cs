using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.ProviderNetwork;

/// <summary>A provider inside the operator's own network, named by the operator: <c>Providers:Local:{name}</c>.</summary>
public sealed class LocalProviderOptions
{
    /// <summary>Address that <c>http://{name}.local</c> stands for, for instance <c>http://127.0.0.1:9001</c>: host and port, no path. Connections go exactly there.</summary>
    [Required(ErrorMessage = "Providers:Local:*:Address is missing: set it to the address of the local provider, for instance http://127.0.0.1:9001.")]
    public Uri? Address { get; set; }

    /// <summary>Slug of the organisation that alone may publish listings with this address.</summary>
    [Required(ErrorMessage = "Providers:Local:*:Organisation is missing: set it to the slug of the organisation that owns the local provider.")]
    public string? Organisation { get; set; }
}

/// <summary>The operator's local providers: the only thing that waives INSECURE_ENDPOINT and FORBIDDEN_ENDPOINT.</summary>
public sealed class LocalProviders
{
    private const string TopLevelDomain = ".local";

    private readonly Dictionary<string, LocalProviderOptions> byHost;

    /// <summary>Reads <c>Providers:Local</c>.</summary>
    /// <exception cref="OptionsValidationException">An entry lacks its address or organisation, or its address is not <c>http://host:port</c>.</exception>
    public LocalProviders(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        byHost = configuration.GetSection("Providers:Local").GetChildren()
            .ToDictionary(entry => entry.Key + TopLevelDomain, Read, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>True for every <c>*.local</c> name, known or not: such names never leave the operator's network.</summary>
    public static bool IsLocalName(string host)
    {
        ArgumentNullException.ThrowIfNull(host);
        return host.TrimEnd('.').EndsWith(TopLevelDomain, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The local provider that an endpoint's address names, or null when it names none.</summary>
    public LocalProviderOptions? Find(Uri endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        return endpoint.Scheme == Uri.UriSchemeHttp && endpoint.IsDefaultPort && byHost.TryGetValue(endpoint.Host, out var found) ? found : null;
    }

    /// <summary>The same, but only for the organisation that owns it.</summary>
    public LocalProviderOptions? Find(Uri endpoint, string organisationSlug) =>
        Find(endpoint) is { } found && string.Equals(found.Organisation, organisationSlug, StringComparison.Ordinal) ? found : null;

    private static LocalProviderOptions Read(IConfigurationSection entry)
    {
        var options = entry.Get<LocalProviderOptions>() ?? new LocalProviderOptions();
        var failures = new List<ValidationResult>();
        Validator.TryValidateObject(options, new ValidationContext(options), failures, validateAllProperties: true);
        var messages = failures.ConvertAll(failure => failure.ErrorMessage!.Replace(":*:", $":{entry.Key}:", StringComparison.Ordinal));
        if (options.Address is { } address && !(address.IsAbsoluteUri && address.Scheme == Uri.UriSchemeHttp && address.PathAndQuery == "/"))
        {
            messages.Add($"Providers:Local:{entry.Key}:Address is {address}: it must be http://host:port, without a path.");
        }

        return messages.Count == 0 ? options : throw new OptionsValidationException(entry.Path, typeof(LocalProviderOptions), messages);
    }
}
