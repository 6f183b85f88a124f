using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmMarketplace.Admin.Contracts;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmMarketplace.Admin.Tests;

/// <summary>Admin as its host runs it, over HTTP, on a database of its own, beside a Publishing that sends real events.</summary>
public sealed class AdminApp : IAsyncDisposable
{
    private readonly TestIdentity identity;
    private readonly TestDatabase database;
    private readonly TestDatabase peers;
    private readonly TestService publishing;
    private readonly TestService service;
    private readonly NpgsqlDataSource behind;

    private AdminApp(TestIdentity identity, TestDatabase database, TestDatabase peers, TestService publishing, TestService service, ShiftedClock clock)
    {
        (this.identity, this.database, this.peers, this.publishing, this.service, Clock) = (identity, database, peers, publishing, service, clock);
        behind = NpgsqlDataSource.Create(database.SuperuserConnectionString);
    }

    public ShiftedClock Clock { get; }

    /// <summary>Without a token.</summary>
    public HttpClient Anonymous => service.Client;

    public static async Task<AdminApp> StartAsync(PostgresServer postgres)
    {
        var identity = await TestIdentity.StartAsync();
        var (peers, database, clock) = (await postgres.CreateDatabaseAsync("peer"), await postgres.CreateDatabaseAsync("admin"), new ShiftedClock());
        var publishing = await TestService.StartAsync(PublishingEvents.Producer, identity, peers, AddPeer, app => app.MapMessaging());
        var service = await TestService.StartAsync(
            AdminEvents.Producer,
            identity,
            database,
            builder =>
            {
                builder.Logging.ClearProviders();
                builder.Services.AddSingleton<TimeProvider>(clock);
                builder.AddAdmin();
            },
            app => app.MapAdmin(),
            [new("services:publishing:http:0", publishing.Address)]);
        return new(identity, database, peers, publishing, service, clock);

        static void AddPeer(WebApplicationBuilder builder)
        {
            builder.Logging.ClearProviders();
            builder.AddServiceDatabase<PeerDb>(PublishingEvents.Producer);
            builder.AddMessaging<PeerDb>(PublishingEvents.Producer).Publishes<ListingChanged>(PublishingEvents.Services, PublishingEvents.ListingChanged);
        }
    }

    /// <summary>A client of somebody with a role. Its token outlives what a test does to the clock.</summary>
    public HttpClient ClientOf(string subject, params string[] roles) =>
        service.ClientWith(identity.Token(Guid.CreateVersion7(), "operator", roles, subject, lifetime: TimeSpan.FromDays(400)));

    public HttpClient Approver(string subject = "bob") => ClientOf(subject, Roles.Approver);

    /// <summary>Tells of a listing as Publishing does.</summary>
    public async Task TellAsync(long version, ListingChanged listing)
    {
        await using var scope = publishing.App.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<PeerDb>();
        scope.ServiceProvider.GetRequiredService<Outbox>().Add(db, listing.ListingId, version, listing);
        await db.SaveChangesAsync();
    }

    /// <summary>A version that waits, once it is in the queue; the approval's id.</summary>
    public async Task<Guid> QueuedAsync(string requestedBy = "alice")
    {
        var listing = Listings.Waiting(requestedBy, Clock.GetUtcNow());
        await TellAsync(1, listing);
        var approval = listing.Versions[0].Approval!.ApprovalId;
        await ApprovalAsync(approval, "pending");
        return approval;
    }

    /// <summary>An approval, once it has this status.</summary>
    public async Task<JsonObject> ApprovalAsync(Guid id, string status)
    {
        using var auditor = ClientOf("carol", Roles.Auditor);
        JsonObject? seen = null;
        await UntilAsync(
            async () =>
            {
                using var answer = await auditor.GetAsync($"/api/v1/approvals/{id}");
                seen = answer.StatusCode == HttpStatusCode.OK ? await answer.Content.ReadFromJsonAsync<JsonObject>() : null;
                return (string?)seen?["status"] == status;
            },
            () => $"the approval was {seen?["status"] ?? "not there"}, not {status}");
        return seen!;
    }

    /// <summary>What was told of an approval: the aggregate's versions and the data.</summary>
    public async Task<IReadOnlyList<(long Version, ApprovalDecided Data)>> DecisionsAsync(Guid approval)
    {
        await using var command = behind.CreateCommand("SELECT aggregate_version, data::text FROM messaging.outbox WHERE key = $1 ORDER BY inserted");
        command.Parameters.Add(new() { Value = approval });
        await using var row = await command.ExecuteReaderAsync();
        var events = new List<(long, ApprovalDecided)>();
        while (await row.ReadAsync())
        {
            events.Add((row.GetInt64(0), JsonSerializer.Deserialize<ApprovalDecided>(row.GetString(1), Json.Options)!));
        }

        return events;
    }

    /// <summary>Looks at or changes what lies behind the service.</summary>
    public async Task<object?> ValueAsync(string sql)
    {
        await using var command = behind.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }

    /// <summary>Holds the row of an approval until it is given back.</summary>
    internal async Task<IAsyncDisposable> HoldAsync(Guid approval)
    {
        var connection = await behind.OpenConnectionAsync();
        var transaction = await connection.BeginTransactionAsync();
        await using var hold = new NpgsqlCommand("SELECT 1 FROM approvals WHERE id = $1 FOR UPDATE", connection, transaction) { Parameters = { new() { Value = approval } } };
        await hold.ExecuteNonQueryAsync();
        return connection;
    }

    public static async Task UntilAsync(Func<Task<bool>> look, Func<string> what)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        while (!await look())
        {
            Assert.False(patience.IsCancellationRequested, $"After 60 s {what()}.");
            await Task.Delay(20);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await service.DisposeAsync();
        await publishing.DisposeAsync();
        await behind.DisposeAsync();
        await identity.DisposeAsync();
        await database.DisposeAsync();
        await peers.DisposeAsync();
    }

    private sealed class PeerDb(DbContextOptions<PeerDb> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddOutbox();
    }
}

/// <summary>The one that tests share who leave its clock and its whole queue alone.</summary>
public sealed class SharedAdmin(PostgresServer postgres) : IAsyncLifetime
{
    public AdminApp App { get; private set; } = null!;

    public async ValueTask InitializeAsync() => App = await AdminApp.StartAsync(postgres);

    public ValueTask DisposeAsync() => App.DisposeAsync();
}

/// <summary>The real clock, which a test can put forward: timers go on as they do, but it is later.</summary>
public sealed class ShiftedClock : TimeProvider
{
    private long shift;

    public void Advance(TimeSpan by) => Interlocked.Add(ref shift, by.Ticks);

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Volatile.Read(ref shift));
}

public static class HttpAnswers
{
    public static async Task<JsonObject> JsonAsync(this HttpResponseMessage response, HttpStatusCode expected = HttpStatusCode.OK)
    {
        var body = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == expected, $"{response.RequestMessage!.Method} {response.RequestMessage.RequestUri} answered {(int)response.StatusCode}, not {(int)expected}: {body}");
        return JsonNode.Parse(body)!.AsObject();
    }

    /// <summary>The code of a problem.</summary>
    public static async Task<string> CodeAsync(this HttpResponseMessage response, HttpStatusCode expected) => (string)(await response.JsonAsync(expected))["code"]!;

    public static Task<HttpResponseMessage> ReadAsync(this HttpClient client, string path) => client.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);

    public static Task<HttpResponseMessage> DecideAsync(this HttpClient client, Guid approval, string verb, string? reason = "Reviewed.") =>
        client.PostAsJsonAsync($"/api/v1/approvals/{approval}/{verb}", new { reason });
}
