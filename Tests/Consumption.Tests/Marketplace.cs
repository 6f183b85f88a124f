using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using LlmMarketplace.Consumption.Catalogue;
using LlmMarketplace.Consumption.Invoking;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace LlmMarketplace.Consumption.Tests;

/// <summary>Consumption as it runs, both parts in one application, with a scriptable provider behind it. Tests take organisations and services of their own.</summary>
public sealed class Marketplace : IAsyncLifetime
{
    private static readonly byte[] ProviderKey = RandomNumberGenerator.GetBytes(32);
    private static readonly string HmacKey = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
    private static int names;
    private readonly PostgresServer postgres = new();
    private readonly RedisServers redis = new();
    private readonly TestDirectory logs = new("usage-logs");
    private readonly ConcurrentDictionary<OpenCalls, bool> instances = new();
    private readonly ClosedPort nobody = new();
    private readonly FullPort full = new();
    private readonly Guid providerOrganisation = Guid.CreateVersion7();

    public TestIdentity Identity { get; private set; } = null!;

    public TestDatabase Database { get; private set; } = null!;

    public TestService Service { get; private set; } = null!;

    public ScriptableProvider Provider { get; private set; } = null!;

    /// <summary>The server behind <c>http://hooks.local</c>, which webhooks send to.</summary>
    public ScriptableProvider Receiver { get; private set; } = null!;

    /// <summary>The provider behind <c>http://raw.local</c>.</summary>
    internal RawProvider Raw { get; } = new();

    /// <summary>The servers that limits are kept in; instances use Garnet unless told otherwise.</summary>
    public RedisServers Redis => redis;

    /// <summary>The credential that listings give to the provider.</summary>
    public const string Credential = "sk-scripted-credential";

    public async ValueTask InitializeAsync()
    {
        Identity = await TestIdentity.StartAsync();
        Database = await postgres.CreateDatabaseAsync("consumption");
        Provider = await ScriptableProvider.StartAsync();
        Receiver = await ScriptableProvider.StartAsync();
        Service = await StartInstanceAsync(builder => builder.AddConsumption());
        await AddOrganisationAsync(OrganisationTier.Enterprise, id: providerOrganisation, slug: "acme");
    }

    public async ValueTask DisposeAsync()
    {
        await Service.DisposeAsync();
        await Provider.DisposeAsync();
        await Receiver.DisposeAsync();
        await Raw.DisposeAsync();
        await Identity.DisposeAsync();
        await Database.DisposeAsync();
        await redis.DisposeAsync();
        await postgres.DisposeAsync();
        logs.Dispose();
        nobody.Dispose();
        full.Dispose();
    }

    /// <summary>Settings of an instance on this database.</summary>
    public async Task<Dictionary<string, string?>> SettingsAsync(string? redisConnection = null) => new()
    {
        ["ConnectionStrings:consumption"] = Database.AppConnectionString,
        ["ConnectionStrings:consumption-owner"] = Database.OwnerConnectionString,
        ["ConnectionStrings:redis"] = redisConnection ?? await redis.GarnetAsync(),
        ["Keys:ApiKeyHmac"] = HmacKey,
        ["Keys:ProviderSecrets"] = Convert.ToBase64String(ProviderKey),
        ["Calls:DrainFor"] = "00:00:00", // An instance that a test is done with is not waited for.
        ["Metering:Heartbeat"] = "00:00:00.200",
        ["Metering:LogDirectory"] = logs.Path,
        ["Metering:LogSegmentMegabytes"] = "1",
        ["Metering:LogMegabytes"] = "8",
        ["Metering:LostAfter"] = "00:00:30", // A busy machine may keep a process of so many instances waiting for long.
        ["Sla:Every"] = "00:00:00.500",
        ["Webhooks:Every"] = "00:00:00.100",
        ["Providers:Local:scripted:Address"] = Provider.Address,
        ["Providers:Local:scripted:Organisation"] = "acme",
        ["Providers:Local:hooks:Address"] = Receiver.Address,
        ["Providers:Local:hooks:Organisation"] = "acme",
        ["Providers:Local:raw:Address"] = Raw.Address,
        ["Providers:Local:raw:Organisation"] = "acme",
        ["Providers:Local:down:Address"] = nobody.Address,
        ["Providers:Local:down:Organisation"] = "acme",
        ["Providers:Local:full:Address"] = full.Address,
        ["Providers:Local:full:Organisation"] = "acme",
    };

    /// <summary>One more instance that forwards calls.</summary>
    public async Task<TestService> StartInstanceAsync(Action<WebApplicationBuilder>? also = null, string? redisConnection = null, params KeyValuePair<string, string?>[] settings)
    {
        var all = await SettingsAsync(redisConnection);
        foreach (var (name, value) in settings)
        {
            all[name] = value;
        }

        var service = await TestService.StartAsync(
            "consumption",
            Identity,
            Database,
            builder =>
            {
                also?.Invoke(builder);
                builder.AddConsumptionCalls();
                builder.Logging.AddFilter("Polly", LogLevel.None).AddFilter("LlmMarketplace.Messaging", LogLevel.None); // Publishing and Identity are not there.
            },
            app =>
            {
                if (also is not null)
                {
                    app.MapConsumption();
                }

                app.MapConsumptionCalls();
            },
            all);
        instances[service.App.Services.GetRequiredService<OpenCalls>()] = true;
        await Until.TrueAsync(async () =>
        {
            var ready = await service.Client.GetStringAsync("/health/ready").ContinueWith(answer => answer.IsCompletedSuccessfully ? answer.Result : "", TaskScheduler.Default);
            return ready.Contains("\"consumption-calls\":{\"status\":\"healthy\"", StringComparison.Ordinal);
        });
        return service;
    }

    /// <summary>Waits until the records of all calls of an organisation that ended are in the database.</summary>
    internal Task ShippedAsync(Guid organisation) => Until.TrueAsync(() => instances.Keys.All(calls => !calls.HasUnshipped(organisation)));

    /// <summary>An organisation as Identity tells it.</summary>
    internal async Task<Member> AddOrganisationAsync(
        OrganisationTier tier = OrganisationTier.Enterprise, ComplianceLevel clearance = ComplianceLevel.Public, OrganisationStatus status = OrganisationStatus.Active, Guid? id = null, string? slug = null)
    {
        var organisation = new OrganisationChanged(id ?? Guid.CreateVersion7(), slug ?? $"org-{Interlocked.Increment(ref names)}", "An organisation", clearance, tier, status, IsOperator: false);
        await TellAsync(organisation);
        return new Member(this, organisation);
    }

    internal async Task TellAsync(OrganisationChanged organisation)
    {
        await ApplyAsync<FollowOrganisations>(handler => handler.HandleAsync(organisation, null!, CancellationToken.None));
        await Until.TrueAsync(() => Catalogue.Organisations.TryGetValue(organisation.OrganisationId, out var known) && known.Tier == organisation.Tier && known.Active == (organisation.Status == OrganisationStatus.Active));
    }

    /// <summary>A listing as Publishing tells it: one active version unless said otherwise.</summary>
    internal async Task<ListingChanged> AddServiceAsync(
        ServicePricing? pricing = null, string category = "text-generation", ListingVisibility? visibility = null, bool suspended = false, string level = "public",
        int timeoutMs = 30_000, int? maxOutput = 1_000, string? url = null, (string Number, VersionStatus Status)[]? versions = null,
        Func<ServiceEndpoint, ServiceEndpoint>? endpoint = null, string model = "scripted-model")
    {
        var listing = new ListingChanged(
            Guid.CreateVersion7(), providerOrganisation, "acme", $"service-{Interlocked.Increment(ref names)}", suspended, visibility ?? new ListingVisibility(VisibilityKind.Public, []), "published",
            [.. (versions ?? [("1.0.0", VersionStatus.Active)]).Select(v => Version(v.Number, v.Status, pricing ?? Prices.PerRequest(0.01m), category, level, timeoutMs, maxOutput, url, endpoint, model))],
            DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch);
        await TellAsync(listing);
        return listing;
    }

    internal async Task TellAsync(ListingChanged listing)
    {
        await ApplyAsync<FollowListings>(handler => handler.HandleAsync(listing, null!, CancellationToken.None));
        await Until.TrueAsync(() => Catalogue.Listings.TryGetValue($"{listing.Provider}/{listing.Name}", out var known)
            && known.Versions.Count == listing.Versions.Count && known.Facts(true).Suspended == listing.Suspended
            && listing.Versions.All(v => known.Versions.Single(k => k.Id == v.VersionId).Facts.State.ToString() == v.Status.ToString()));
    }

    /// <summary>A version's OpenAPI document as Publishing tells it.</summary>
    internal Task TellAsync(OpenApiDocumentPublished document) => ApplyAsync<FollowOpenApiDocuments>(handler => handler.HandleAsync(document, null!, CancellationToken.None));

    /// <summary>Waits until an instance knows an organisation's budget.</summary>
    internal static Task KnowsBudgetAsync(TestService instance, Guid organisation, decimal amount)
    {
        var keys = instance.App.Services.GetRequiredService<KeyRing>();
        return Until.TrueAsync(() => keys.BudgetOf(organisation)?.Amount == amount);
    }

    /// <summary>A provider's credential as Publishing sends it.</summary>
    internal static ProtectedSecret Protect(Guid version, string credential) => new ProviderSecretProtector(ProviderKey).Protect(version, credential);
    /// <summary>A credential as Publishing tells it.</summary>
    internal static PublishedCredential Encrypt(Guid version, string name, string credential, string? endpoint = null) =>
        new(name, endpoint, new ProviderSecretProtector(ProviderKey).Protect(version, credential));

    private CatalogueSnapshot Catalogue => Service.App.Services.GetRequiredService<Catalogue.Catalogue>().Current;

    private async Task ApplyAsync<THandler>(Func<THandler, Task> apply)
        where THandler : class
    {
        await using var scope = Service.App.Services.CreateAsyncScope();
        await apply(scope.ServiceProvider.GetRequiredService<THandler>());
        await scope.ServiceProvider.GetRequiredService<ConsumptionDb>().SaveChangesAsync();
    }

    private static PublishedVersion Version(string number, VersionStatus status, ServicePricing pricing, string category, string level, int timeoutMs, int? maxOutput, string? url, Func<ServiceEndpoint, ServiceEndpoint>? endpoint, string model)
    {
        var id = Guid.CreateVersion7();
        var embeds = category == "embeddings";
        var called = new ServiceEndpoint(url ?? "http://scripted.local/v1", EndpointProtocol.OpenAi, EndpointAuthentication.ApiKey);
        return new PublishedVersion(
            id, number, status,
            new ServiceSpecification(
                "A service", category, [], [], endpoint?.Invoke(called) ?? called,
                new ModelFacts(model, 8_192, embeds ? null : maxOutput, ["text"], [embeds ? "embedding" : "text"], false, false, null),
                pricing, new ServiceLevel(99.9m, 1_000, timeoutMs, SupportLevel.Basic), new ComplianceFacts(level, [], ["DE"], true, false), null, [], null),
            Protect(id, Credential), null, DateTimeOffset.UnixEpoch, status == VersionStatus.Deprecated ? DateTimeOffset.UnixEpoch.AddYears(100) : null);
    }
}

/// <summary>Somebody of an organisation, with the role consumer.</summary>
internal sealed class Member(Marketplace marketplace, OrganisationChanged organisation)
{
    public OrganisationChanged Organisation => organisation;

    public Guid Id => organisation.OrganisationId;

    public HttpClient Client { get; } = marketplace.Service.ClientWith(marketplace.Identity.Token(organisation.OrganisationId, organisation.Slug, [Roles.Consumer]));

    /// <summary>Creates a key, and waits until calls know it.</summary>
    public async Task<CreatedKey> CreateKeyAsync(object? settings = null)
    {
        var answer = await Client.PostAsJsonAsync("/api/v1/keys", settings ?? new { name = "test" });
        Assert.Equal(System.Net.HttpStatusCode.Created, answer.StatusCode);
        var created = await answer.Content.ReadFromJsonAsync<JsonElement>();
        var key = new CreatedKey(marketplace, created.GetProperty("id").GetGuid(), created.GetProperty("key").GetString()!);
        using var caller = key.Client();
        await Until.TrueAsync(async () => (await caller.GetAsync("/v1/models")).IsSuccessStatusCode);
        return key;
    }

    public async Task SetBudgetAsync(decimal amount, string period = "total")
    {
        var answer = await Client.PutAsJsonAsync("/api/v1/budgets", new { amount, currency = "USD", period });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        await Marketplace.KnowsBudgetAsync(marketplace.Service, Id, amount);
    }

    /// <summary>The usage record of a call, once it is there.</summary>
    public async Task<JsonElement> RecordAsync(Guid requestId) => await Until.SomeAsync(async () =>
    {
        var page = await Client.GetFromJsonAsync<JsonElement>($"/api/v1/usage/records?requestId={requestId}");
        return page.GetProperty("items").EnumerateArray().Select(item => (JsonElement?)item).SingleOrDefault();
    });

    /// <param name="groupBy">What is summed apart.</param>
    /// <param name="isShipped">Whether to wait until the records of all calls that ended are in the database.</param>
    public async Task<JsonElement> UsageAsync(string groupBy = "day", bool isShipped = true)
    {
        if (isShipped)
        {
            await marketplace.ShippedAsync(Id);
        }

        return await Client.GetFromJsonAsync<JsonElement>($"/api/v1/usage?groupBy={groupBy}");
    }
}

/// <summary>A key that was created.</summary>
internal sealed record CreatedKey(Marketplace Marketplace, Guid Id, string Text)
{
    public HttpClient Client(TestService? instance = null)
    {
        var client = new HttpClient { BaseAddress = (instance ?? Marketplace.Service).Client.BaseAddress };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Text);
        return client;
    }
}

internal static class Prices
{
    public static ServicePricing Free { get; } = new(PricingModel.Free, "USD", []);

    public static ServicePricing PerRequest(decimal price) => new(PricingModel.PerRequest, "USD", [new PriceRate("default", "request", price, null, null)]);

    public static ServicePricing PerMillionTokens(decimal input, decimal? output = null, decimal? cached = null) =>
        new(PricingModel.PerToken, "USD", [new PriceRate("default", "1m-tokens", input, output, cached)]);
}

/// <summary>Waiting on conditions.</summary>
internal static class Until
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3); // On a machine that is busy with other things as well.

    public static Task TrueAsync(Func<bool> condition) => TrueAsync(() => Task.FromResult(condition()));

    public static async Task TrueAsync(Func<Task<bool>> condition) => await SomeAsync<bool>(async () => await condition() ? true : null);

    public static async Task<T> SomeAsync<T>(Func<Task<T?>> find)
        where T : struct
    {
        using var patience = new CancellationTokenSource(Patience);
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (await look.WaitForNextTickAsync(patience.Token))
        {
            if (await find() is { } found)
            {
                return found;
            }
        }

        throw new TimeoutException();
    }
}
