using System.Net;
using System.Text.Json;
using LlmMarketplace.Discovery.Indexing;
using LlmMarketplace.Discovery.Search;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Discovery.Tests;

/// <summary>A Discovery of its own, on a real PostgreSQL, with a token for whoever a test needs.</summary>
public sealed class Catalogue : IAsyncDisposable
{
    private readonly TestIdentity identity;
    private readonly TestDatabase database;
    private readonly Dictionary<Guid, long> versions = [];

    /// <summary>Nobody is followed: tests hand their events to the handlers. FollowingTests has real producers.</summary>
    private static Dictionary<string, string?> WithoutProducers(TestIdentity identity) => new()
    {
        ["services:publishing:http:0"] = identity.Address,
        ["Logging:LogLevel:LlmMarketplace.Messaging"] = "None",
        ["Logging:LogLevel:Polly"] = "None",
    };

    private Catalogue(TestIdentity identity, TestDatabase database, TestService service)
    {
        this.identity = identity;
        this.database = database;
        Service = service;
    }

    public static Guid Provider { get; } = Guid.CreateVersion7();

    public static Guid Consumer { get; } = Guid.CreateVersion7();

    public TestService Service { get; }

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<Catalogue> StartAsync(PostgresServer postgres)
    {
        var identity = await TestIdentity.StartAsync();
        var database = await postgres.CreateDatabaseAsync("discovery");
        var service = await TestService.StartAsync(DiscoveryService.Name, identity, database, builder => builder.AddDiscovery(), app => app.MapDiscovery(), WithoutProducers(identity));
        return new Catalogue(identity, database, service);
    }

    public HttpClient Client(Guid? organisation = null) => Service.ClientWith(identity.Token(organisation ?? Consumer, "someone", [Roles.Consumer]));

    public async Task<JsonElement> GetAsync(string path, Guid? organisation = null, HttpStatusCode status = HttpStatusCode.OK)
    {
        using var client = Client(organisation);
        using var response = await client.GetAsync(path, Token);
        var body = await response.Content.ReadAsStringAsync(Token);
        Assert.True(response.StatusCode == status, $"{path}: {(int)response.StatusCode} {body}");
        return JsonDocument.Parse(body).RootElement;
    }

    public async Task<IReadOnlyList<string>> SearchAsync(string query, Guid? organisation = null) =>
        Names(await GetAsync($"/api/v1/services?{query}", organisation));

    public static IReadOnlyList<string> Names(JsonElement page) => [.. page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("listing").GetProperty("name").GetString()!)];

    public Task PublishAsync(params ListingChanged[] listings) => ApplyAllAsync<ListingChanged, ApplyListing>(listings, l => l.ListingId);

    public Task PublishAsync(params OrganisationChanged[] organisations) => ApplyAllAsync<OrganisationChanged, ApplyOrganisation>(organisations, o => o.OrganisationId);

    public Task ClearAsync(Guid organisation, ComplianceLevel clearance = ComplianceLevel.Public, OrganisationStatus status = OrganisationStatus.Active, OrganisationTier tier = OrganisationTier.Basic) =>
        PublishAsync(new OrganisationChanged(organisation, $"org-{organisation:N}"[..20], "An organisation", clearance, tier, status, false));

    public async ValueTask DisposeAsync()
    {
        await Service.DisposeAsync();
        await identity.DisposeAsync();
        await database.DisposeAsync();
    }

    private async Task ApplyAllAsync<TEvent, THandler>(IEnumerable<TEvent> events, Func<TEvent, Guid> key)
        where TEvent : class
        where THandler : IEventHandler<TEvent>
    {
        var marker = Guid.Empty;
        foreach (var data in events)
        {
            versions[key(data)] = versions.GetValueOrDefault(key(data)) + 1;
            marker = await CommitAsync<TEvent, THandler>(data, key(data), versions[key(data)]);
        }

        await MirroredAsync(marker);
    }

    internal async Task ApplyAsync<TEvent, THandler>(TEvent data, Guid key, long version)
        where TEvent : class
        where THandler : IEventHandler<TEvent> => await MirroredAsync(await CommitAsync<TEvent, THandler>(data, key, version));

    /// <summary>Applies an event, and in the same commit an organisation that tells when it is in memory.</summary>
    private async Task<Guid> CommitAsync<TEvent, THandler>(TEvent data, Guid key, long version)
        where TEvent : class
        where THandler : IEventHandler<TEvent>
    {
        await using var scope = Service.App.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<THandler>().HandleAsync(data, new EventContext(Guid.CreateVersion7(), "", "", key, version, DateTimeOffset.UtcNow), Token);
        var context = scope.ServiceProvider.GetRequiredService<DiscoveryContext>();
        var marker = new OrganisationRow { OrganisationId = Guid.CreateVersion7(), Slug = "marker", Name = "Marker", Tier = "basic", Active = true };
        context.Organisations.Add(marker);
        await context.SaveChangesAsync(Token);
        return marker.OrganisationId;
    }

    /// <summary>Mirrors are applied in one go, organisations last.</summary>
    private Task MirroredAsync(Guid marker) => Eventually.TrueAsync(() => Service.App.Services.GetRequiredService<OrganisationMirror>().Find(marker) is not null);
}
