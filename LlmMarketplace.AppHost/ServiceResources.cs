namespace LlmMarketplace.AppHost;

/// <summary>How a service's resource is told what it needs.</summary>
internal static class ServiceResources
{
    /// <summary>What every service gets.</summary>
    public static IResourceBuilder<ProjectResource> WithServiceSettings(this IResourceBuilder<ProjectResource> service, string name, Marketplace marketplace) =>
        service
            .WithReferenceEnvironment(ReferenceEnvironmentInjectionFlags.ConnectionString | ReferenceEnvironmentInjectionFlags.ServiceDiscovery)
            .DisableForwardedHeaders() // Gateway and Identity read them themselves, from the proxies that they trust.
            .WithEnvironment("Messaging__Transport", "Kafka")
            .WithEnvironment("Identity__Issuer", marketplace.PublicAddress)
            .WithEnvironment("Identity__Client__Id", $"svc-{name}")
            .WithEnvironment("Identity__Client__Secret", marketplace.ClientSecrets[name]);

    /// <summary>Tells Identity the services' clients.</summary>
    public static IResourceBuilder<ProjectResource> WithServiceClients(this IResourceBuilder<ProjectResource> identity, Marketplace marketplace)
    {
        foreach (var (service, secret) in marketplace.ClientSecrets)
        {
            identity.WithEnvironment($"Identity__ServiceClients__{service}", secret);
        }

        return identity;
    }

    /// <summary>Identity checks tokens as every service does: with the keys at <c>http://identity</c>.</summary>
    public static IResourceBuilder<ProjectResource> WithReferenceToItself(this IResourceBuilder<ProjectResource> service) =>
        service.WithEnvironment($"services__{service.Resource.Name}__http__0", service.GetEndpoint("http"));

    /// <summary>Names a provider inside the operator's network: listings of <paramref name="organisation"/> may call it <c>http://{name}.local</c>.</summary>
    public static IResourceBuilder<ProjectResource> WithLocalProvider(
        this IResourceBuilder<ProjectResource> service, string name, IResourceBuilder<ProjectResource> provider, string organisation) =>
        service
            .WithEnvironment($"Providers__Local__{name}__Address", provider.GetEndpoint("http"))
            .WithEnvironment($"Providers__Local__{name}__Organisation", organisation);
}
