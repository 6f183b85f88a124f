using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.ProviderNetwork;

/// <summary>A provider inside the operator's own network, named by the operator: <c>Providers:Local:{name}</c>.</summary>
public sealed class LocalProviderOptions
{
    /// <summary>Base address that <c>http://{name}.local</c> stands for, for instance <c>http://127.0.0.1:9001</c>. Connections go exactly there.</summary>
    [Required(ErrorMessage = "Providers:Local:{name}:Address is missing: set it to the base address of the local provider.")]
    public Uri? Address { get; set; }

    /// <summary>Slug of the organisation that alone may publish listings with this address.</summary>
    [Required(ErrorMessage = "Providers:Local:{name}:Organisation is missing: set it to the slug of the organisation that owns the local provider.")]
    public string? Organisation { get; set; }
}

/// <summary>The operator's local providers: the only thing that waives INSECURE_ENDPOINT and FORBIDDEN_ENDPOINT.</summary>
public sealed class LocalProviders
{
    private readonly Dictionary<string, LocalProviderOptions> byHost;

    /// <summary>Reads <c>Providers:Local</c>.</summary>
    /// <exception cref="OptionsValidationException">An entry lacks its address or organisation.</exception>
    public LocalProviders(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        byHost = configuration.GetSection("Providers:Local").GetChildren().ToDictionary(
            entry => $"{entry.Key}.local",
            entry =>
            {
                var options = entry.Get<LocalProviderOptions>() ?? new LocalProviderOptions();
                var failures = new List<ValidationResult>();
                return Validator.TryValidateObject(options, new ValidationContext(options), failures, validateAllProperties: true) && options.Address!.IsAbsoluteUri
                    ? options
                    : throw new OptionsValidationException(entry.Path, typeof(LocalProviderOptions), failures.Select(f => f.ErrorMessage!.Replace("{name}", entry.Key, StringComparison.Ordinal)));
            },
            StringComparer.OrdinalIgnoreCase);
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
}

/// <summary>Registration.</summary>
public static class ProviderNetworkService
{
    /// <summary>Registers <see cref="LocalProviders"/> and <see cref="ProviderConnections"/>.</summary>
    public static void AddProviderNetwork(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddSingleton<LocalProviders>();
        builder.Services.AddSingleton<ProviderConnections>();
    }
}
