using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Discovery.Tests;

/// <summary>Discovery behind real producers: their outboxes, their relays, their feeds.</summary>
public sealed class FollowingTests(PostgresServer postgres) : IAsyncLifetime
{
    private static readonly Guid Consumer = Guid.CreateVersion7();
    private TestIdentity tokens = null!;
    private Producer identity = null!;
    private Producer publishing = null!;
    private TestDatabase database = null!;
    private TestService discovery = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        tokens = await TestIdentity.StartAsync();
        identity = await Producer.StartAsync(postgres, tokens, IdentityEvents.Producer, messaging => messaging.Publishes<OrganisationChanged>(IdentityEvents.Organisations, IdentityEvents.OrganisationChanged));
        publishing = await Producer.StartAsync(postgres, tokens, PublishingEvents.Producer, messaging => messaging.Publishes<ListingChanged>(PublishingEvents.Services, PublishingEvents.ListingChanged));
        database = await postgres.CreateDatabaseAsync("discovery");
        discovery = await StartDiscoveryAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await discovery.DisposeAsync();
        await publishing.DisposeAsync();
        await identity.DisposeAsync();
        await tokens.DisposeAsync();
        await database.DisposeAsync();
    }

    [Fact]
    public async Task What_is_published_is_found_what_is_suspended_is_gone_and_clearance_opens_doors()
    {
        var open = Samples.Listing(Catalogue.Provider, "acme", "minilm", Samples.Version(Samples.Specification("Maps sentences to a dense vector space.", "embeddings")));
        var closed = Samples.Listing(Catalogue.Provider, "acme", "vault", Samples.Version(Samples.Specification("Maps secrets to a dense vector space.", "embeddings", level: "internal")));
        await publishing.SayAsync(open.ListingId, 1, open);
        await publishing.SayAsync(closed.ListingId, 1, closed);
        await FoundAsync(discovery, "acme/minilm");

        await identity.SayAsync(Consumer, 1, new OrganisationChanged(Consumer, "reader", "Reader", ComplianceLevel.Internal, OrganisationTier.Basic, OrganisationStatus.Active, false));
        await FoundAsync(discovery, "acme/minilm", "acme/vault");

        await publishing.SayAsync(open.ListingId, 2, open with { Suspended = true });
        await FoundAsync(discovery, "acme/vault");
    }

    [Fact]
    public async Task What_was_said_while_discovery_was_away_is_caught_up_with_and_nothing_is_forgotten()
    {
        var first = Samples.Listing(Catalogue.Provider, "acme", "first", Samples.Version(Samples.Specification("Comes first.")));
        await publishing.SayAsync(first.ListingId, 1, first);
        await FoundAsync(discovery, "acme/first");
        await discovery.DisposeAsync();

        var second = Samples.Listing(Catalogue.Provider, "acme", "second", Samples.Version(Samples.Specification("Comes second.")));
        await publishing.SayAsync(second.ListingId, 1, second);
        discovery = await StartDiscoveryAsync();
        await FoundAsync(discovery, "acme/first", "acme/second");
    }

    [Fact]
    public async Task Every_instance_sees_what_one_of_them_applied()
    {
        await using var other = await StartDiscoveryAsync();
        var listing = Samples.Listing(Catalogue.Provider, "acme", "twice", Samples.Version(Samples.Specification("Seen twice.")));
        await publishing.SayAsync(listing.ListingId, 1, listing);
        await FoundAsync(discovery, "acme/twice");
        await FoundAsync(other, "acme/twice");
    }

    private Task<TestService> StartDiscoveryAsync() => TestService.StartAsync(
        DiscoveryService.Name, tokens, database, builder => builder.AddDiscovery(), app => app.MapDiscovery(), [new("services:identity:http:0", identity.Address), new("services:publishing:http:0", publishing.Address)]);

    private async Task FoundAsync(TestService service, params string[] expected)
    {
        using var client = service.ClientWith(tokens.Token(Consumer, "reader", [Roles.Consumer]));
        var found = Array.Empty<string>();
        try
        {
            await Eventually.TrueAsync(async () =>
            {
                var page = System.Text.Json.JsonDocument.Parse(await client.GetStringAsync("/api/v1/services", Token)).RootElement;
                found = [.. Catalogue.Names(page).Order()];
                return found.SequenceEqual(expected);
            });
        }
        catch (OperationCanceledException)
        {
            Assert.Equal(expected, found);
        }
    }

    private sealed class ProducerDb(DbContextOptions<ProducerDb> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddOutbox();
    }

    private sealed class Producer(TestService service, TestDatabase database) : IAsyncDisposable
    {
        public string Address => service.Address;

        public static async Task<Producer> StartAsync(PostgresServer postgres, TestIdentity tokens, string name, Action<MessagingBuilder<ProducerDb>> publishes)
        {
            var database = await postgres.CreateDatabaseAsync(name);
            var service = await TestService.StartAsync(
                name,
                tokens,
                database,
                builder =>
                {
                    builder.AddServiceDatabase<ProducerDb>(name, options => options.ConfigureWarnings(w => w.Ignore(Microsoft.EntityFrameworkCore.Diagnostics.RelationalEventId.PendingModelChangesWarning)));
                    publishes(builder.AddMessaging<ProducerDb>(name));
                },
                app =>
                {
                    app.MapMessaging();
                    // Where Discovery looks for Identity it also looks for keys and tokens: passed on to those who have them.
                    app.MapGet("/.well-known/jwks", () => Results.Redirect($"{tokens.Address}/.well-known/jwks")).AllowAnonymous();
                    app.MapPost("/connect/token", () => Results.Redirect($"{tokens.Address}/connect/token", preserveMethod: true)).AllowAnonymous();
                });
            return new Producer(service, database);
        }

        public async Task SayAsync<TEvent>(Guid key, long version, TEvent data)
            where TEvent : class
        {
            await using var scope = service.App.Services.CreateAsyncScope();
            var context = scope.ServiceProvider.GetRequiredService<ProducerDb>();
            scope.ServiceProvider.GetRequiredService<Outbox>().Add(context, key, version, data);
            await context.SaveChangesAsync(Token);
        }

        public async ValueTask DisposeAsync()
        {
            await service.DisposeAsync();
            await database.DisposeAsync();
        }
    }
}
