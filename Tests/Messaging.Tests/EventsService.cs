using System.Net.Http.Json;
using System.Text.Json.Nodes;
using LlmMarketplace.Servers;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmMarketplace.Messaging.Tests;

/// <summary>A service that does nothing but tell and hear of events, on a database of its own.</summary>
internal sealed class EventsService : IAsyncDisposable
{
    public const string Name = "events";
    public const string Topic = "test.things";
    public const string Type = "marketplace.thing.changed.v1";

    private readonly TestIdentity identity;
    private readonly bool ownsDatabase;

    private EventsService(TestIdentity identity, TestDatabase database, bool ownsDatabase, TestService service)
    {
        (this.identity, Database, this.ownsDatabase, Service) = (identity, database, ownsDatabase, service);
        Superuser = NpgsqlDataSource.Create(database.SuperuserConnectionString);
    }

    public TestDatabase Database { get; }

    public TestService Service { get; }

    /// <summary>For looking behind the service.</summary>
    public NpgsqlDataSource Superuser { get; }

    public static async Task<EventsService> StartAsync(
        PostgresServer postgres,
        Action<MessagingBuilder<EventsDb>>? declare = null,
        Dictionary<string, string?>? settings = null,
        Action<IServiceCollection>? before = null,
        TestDatabase? database = null)
    {
        declare ??= messaging => messaging.Publishes<Thing>(Topic, Type);
        var identity = await TestIdentity.StartAsync();
        var own = database ?? await postgres.CreateDatabaseAsync(Name);
        var service = await TestService.StartAsync(Name, identity, own, Add, app => app.MapMessaging(), settings);
        return new(identity, own, database is null, service);

        void Add(WebApplicationBuilder builder)
        {
            builder.Logging.ClearProviders();
            before?.Invoke(builder.Services);
            builder.AddServiceDatabase<EventsDb>(Name);
            declare(builder.AddMessaging<EventsDb>(Name));
        }
    }

    public HttpClient ClientOf(params string[] roles) => Service.ClientWith(identity.Token(Guid.CreateVersion7(), "operator", roles));

    /// <summary>Another service of the marketplace.</summary>
    public HttpClient Peer(string audience = Name) => Service.ClientWith(identity.ServiceToken("svc-peer", audience));

    public async Task TellAsync(Action<Outbox, EventsDb> change)
    {
        await using var scope = Service.App.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<EventsDb>();
        change(scope.ServiceProvider.GetRequiredService<Outbox>(), db);
        await db.SaveChangesAsync();
    }

    public Task TellAsync(Guid key, long version) => TellAsync((outbox, db) => outbox.Add(db, key, version, new Thing(key, version)));

    /// <summary>The events of a topic, once there are as many.</summary>
    public async Task<JsonArray> FeedAsync(int count, string topic = Topic)
    {
        using var peer = Peer();
        JsonArray batch = [];
        await Until.TrueAsync(
            async () =>
            {
                using var answer = await peer.GetAsync(new Uri($"/internal/events?topic={topic}&limit=500", UriKind.Relative));
                batch = answer.IsSuccessStatusCode ? (await answer.Content.ReadFromJsonAsync<JsonArray>())! : [];
                return batch.Count >= count;
            },
            () => $"{batch.Count} of {count} events were in the feed");
        return batch;
    }

    public async Task<T> ValueAsync<T>(string sql)
    {
        await using var command = Superuser.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public async ValueTask DisposeAsync()
    {
        await Service.DisposeAsync();
        await identity.DisposeAsync();
        await Superuser.DisposeAsync();
        if (ownsDatabase)
        {
            await Database.DisposeAsync();
        }
    }
}

internal sealed record Thing(Guid Id, long Version);

internal sealed class EventsDb(DbContextOptions<EventsDb> options) : DbContext(options)
{
    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddOutbox();
}

internal static class Until
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    public static async Task TrueAsync(Func<Task<bool>> look, Func<string> what)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!await look())
        {
            Assert.False(patience.IsCancellationRequested, $"After {Patience.TotalSeconds} s {what()}.");
            await Task.Delay(20);
        }
    }
}

/// <summary>Calls that end with the test.</summary>
internal static class Calls
{
    public static Task<HttpResponseMessage> ReadAsync(this HttpClient client, string path) => client.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);

    public static Task<HttpResponseMessage> SendAsync(this HttpClient client, string path) => client.PostAsync(new Uri(path, UriKind.Relative), null, TestContext.Current.CancellationToken);

    public static async Task<T> ReadAsync<T>(this HttpClient client, string path) => (await client.GetFromJsonAsync<T>(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken))!;

    public static async Task<JsonObject> BodyAsync(this HttpResponseMessage response) => (await response.Content.ReadFromJsonAsync<JsonObject>(TestContext.Current.CancellationToken))!;
}
